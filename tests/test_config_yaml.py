"""The YAML reader: 1.2 numbers, odd files, and everything that could harm."""

# Whole messages are longer than lines of code.
# ruff: noqa: E501

from __future__ import annotations

import os
from pathlib import Path

import pytest

from adamcli.config import load
from adamcli.errors import AdamcliError, ConfigError, ConfigErrors

OPTIMIZERS = "optimizers: [{name: adam}]\n"


def write(folder: Path, text: str | bytes, name: str = "bad.yaml") -> Path:
    path = folder / name
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def complaint(path: Path, *overrides: str) -> str:
    """The whole text of the error, with the file's folder left out."""
    with pytest.raises(AdamcliError) as caught:
        load(path, overrides)
    assert caught.value.exit_code == 2
    return str(caught.value).replace(f"{path.parent}{os.sep}", "")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1e-3", 0.001),
        ("1e3", 1000.0),
        ("1E+2", 100.0),
        (".5", 0.5),
        ("5.", 5.0),
        ("+1", 1.0),
        ("0x10", 16.0),
        ("0o17", 15.0),
        ("012", 12.0),
        ("5e-324", 5e-324),
    ],
)
def test_numbers_are_read_as_yaml_1_2_says(tmp_path: Path, text: str, value: float) -> None:
    experiment = load(write(tmp_path, f"optimizers: [{{name: adam, lr: {text}}}]"))
    lr = experiment.runs[0].rule.lr
    assert (type(lr), lr) == (float, value)


@pytest.mark.parametrize("text", ["yes", "no", "on", "off", "12:30", "1_000", "2001-99-99", "y"])
def test_what_yaml_1_1_makes_of_words_stays_a_word(tmp_path: Path, text: str) -> None:
    path = write(tmp_path, f"optimizers: [{{name: adam, label: {text}}}]")
    assert load(path).runs[0].label == text


@pytest.mark.parametrize("text", ["64", "64.0", "6.4e1", "0x40"])
def test_a_float_without_a_fraction_is_an_integer(tmp_path: Path, text: str) -> None:
    experiment = load(write(tmp_path, f"train: {{batch_size: {text}}}\n{OPTIMIZERS}"))
    size = experiment.runs[0].task.batch_size
    assert (type(size), size) == (int, 64)


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + OPTIMIZERS,
        OPTIMIZERS.replace("\n", "\r\n"),
        OPTIMIZERS.strip(),
        f"---\n{OPTIMIZERS}",
    ],
)
def test_byte_order_mark_carriage_returns_and_no_last_newline_are_fine(
    tmp_path: Path, text: str
) -> None:
    assert load(write(tmp_path, text)).runs[0].optimizer == "adam"


REFUSED = {
    "": "expected a mapping, got nothing, bad.yaml:1:1",
    "# only a comment\n": "expected a mapping, got nothing, bad.yaml:1:1",
    "null": "expected a mapping, got nothing, bad.yaml:1:1",
    "5": "expected a mapping, got 5, bad.yaml:1:1",
    "[1]": "expected a mapping, got a list, bad.yaml:1:1",
    "a:\n\t- b": "Fix: indent with spaces, not tabs",
    "a: [1, 2\nb: 3": "not YAML: while parsing a flow sequence, expected ',' or ']', but got ':', bad.yaml:2:2",
    "a: b: c": "not YAML: mapping values are not allowed here, bad.yaml:1:5",
    'a: "x': "not YAML: while scanning a quoted scalar, found unexpected end of stream, bad.yaml:1:6",
    "a: 1\n---\nb: 2": "a second document, bad.yaml:2:1. Fix: keep one; remove the `---`",
    "a: &x [1]": "aliases and anchors (&x) are not allowed, bad.yaml:1:4 (a)",
    "a: *x": "aliases and anchors (*x) are not allowed, bad.yaml:1:4 (a)",
    "&a [*a]": "aliases and anchors (&a) are not allowed, bad.yaml:1:1",
    "<<: {a: 1}": "merge keys (<<) are not allowed, bad.yaml:1:1",
    "a: !!int abc": "tags ('tag:yaml.org,2002:int') are not allowed, bad.yaml:1:4 (a)",
    "a: !!timestamp x": "tags ('tag:yaml.org,2002:timestamp') are not allowed",
    "a: ! x": "tags ('!') are not allowed",
    "%YAML 3.0\n---\na: 1": "not YAML: found incompatible YAML document",
    'a: "\\ud800"': "'\\ud800' holds a character that no text may hold, bad.yaml:1:4 (a)",
    'a: "\\0"': "'\\x00' holds a character that no text may hold",
    "x: 1\na: \0": "the character U+0000 is not allowed in YAML, bad.yaml:2:4",
    "a: 0x" + "f" * 10_000: "a number of 10002 characters, bad.yaml:1:4 (a)",
    "a: " + "9" * 5_000: "a number of 5000 characters",
    "a: " + "[" * 100_000: "nested more than 50 deep, bad.yaml:1:54",
    "\n".join(" " * i + "a:" for i in range(1000)): "nested more than 50 deep, bad.yaml:51:51",
    "a: [" + "1," * 100_001 + "]": "more than 100000 values",
    "1: 2\n" + OPTIMIZERS: 'expected a word as key, got 1, bad.yaml:1:1. Fix: write "1"',
    "~: 2\n" + OPTIMIZERS: 'expected a word as key, got null, bad.yaml:1:1. Fix: write "~"',
    ".nan: 2\n" + OPTIMIZERS: "expected a word as key, got nan, bad.yaml:1:1",
    "? [a]\n: 2\n" + OPTIMIZERS: "expected a word as key, got a list, bad.yaml:1:3",
    OPTIMIZERS + "name: a\nname: b": "key 'name' twice, first on line 2, bad.yaml:3:1 (name)",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: repr(text[:20]))
def test_what_is_no_plain_yaml_is_refused_once_with_its_place(tmp_path: Path, text: str) -> None:
    message = complaint(write(tmp_path, text))
    assert REFUSED[text] in message
    assert message.count("Fix:") == 1


def test_bytes_that_are_not_utf_8_are_refused_with_their_place(tmp_path: Path) -> None:
    assert complaint(write(tmp_path, b"name: a\nb: \xe9")) == (
        "not UTF-8: byte 0xe9, bad.yaml:2:4. Fix: save the file as UTF-8"
    )
    assert "not UTF-8: byte 0xff" in complaint(write(tmp_path, "a: 1".encode("utf-16")))


def test_a_tag_builds_no_object(tmp_path: Path) -> None:
    canary = tmp_path / "canary"
    complaint(write(tmp_path, f"a: !!python/object/apply:os.mkdir ['{canary}']"))
    assert not canary.exists()


def test_only_regular_files_of_bearable_size_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "dangling").symlink_to("nowhere")
    with (tmp_path / "big").open("wb") as file:
        file.truncate(10**10)
    for name in ("fifo", ".", "dangling"):
        assert "not a regular file" in complaint(tmp_path / name)
    assert "not a regular file" in complaint(Path("/dev/zero"))
    assert "larger than 1 MiB" in complaint(tmp_path / "big")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_rights_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, OPTIMIZERS)
    path.chmod(0)
    assert "cannot be read (Permission denied)" in complaint(path)


def test_a_path_that_is_not_there_gets_the_nearest_name(tmp_path: Path) -> None:
    write(tmp_path, OPTIMIZERS, "my-question.yaml")
    with pytest.raises(ConfigError) as caught:
        load(tmp_path / "my-qestion.yaml")
    near = tmp_path / "my-question.yaml"
    assert caught.value.what == "no such experiment file"
    assert caught.value.fix == f"did you mean {near}?"


def test_shipped_experiments_are_found_from_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(Path("configs/spiral.yaml")).name == "spiral"
    (tmp_path / "configs").mkdir()
    write(tmp_path / "configs", "name: mine\n" + OPTIMIZERS, "spiral.yaml")
    assert load(Path("configs/spiral.yaml")).name == "mine"
    with pytest.raises(ConfigError, match=r"Fix: did you mean configs/noise\.yaml"):
        load(Path("configs/nois.yaml"))


def test_the_excerpt_shows_the_line_and_a_caret_under_the_column(tmp_path: Path) -> None:
    text = "train:\n  epochs: 0\n" + OPTIMIZERS
    assert complaint(write(tmp_path, text)).splitlines()[1:] == [
        "    2 |   epochs: 0",
        "      |           ^",
    ]


def test_a_long_line_is_cut_around_its_column_and_made_safe(tmp_path: Path) -> None:
    pad = ", ".join(f"{i}" for i in range(60))
    text = f'sweep: {{train.epochs: [{pad}, "\\e[31m\u202e"]}}\n' + OPTIMIZERS
    with pytest.raises(ConfigErrors) as caught:
        load(write(tmp_path, text))
    last = caught.value.mistakes[-1]
    line, caret = last.excerpt.splitlines()
    assert len(line) < 110
    assert line[caret.index("^")] == '"'
    assert "\u202e" not in str(last)
    assert "\\u202e" in line
