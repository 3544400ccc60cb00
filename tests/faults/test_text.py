"""Hostile text in every place for text, through every command: shown, never obeyed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import pytest
import typer

from adamcli.text import safe
from faults import text_fields
from faults.campaign import Campaign, within
from faults.judging import faults_of
from faults.text_fields import ARGUMENTS, CLAIM, PAYLOADS, TINY, save

pytestmark = pytest.mark.faults

LONGEST = 300.0  # seconds; drawing the curves of all labels takes some
# Typer repeats neither what should be a number nor the whole of an unknown option.
UNTOLD = ("--seeds", "--seed", "--jobs", "an option")
Case = tuple[str, str]


@pytest.fixture
def folder(tmp_path, monkeypatch, cli):
    """A folder deep in another, with an experiment that has been trained."""
    inner = tmp_path / "a" / "b" / "work"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setattr(typer.main, "get_command", cache(typer.main.get_command))
    save("tiny.yaml", TINY)
    Path("data.csv").write_text("a,target\n1,0\n2,1\n3,0\n", encoding="utf-8")
    assert cli("run", "tiny.yaml", "--no-figures")[0] == 0
    return tmp_path


@pytest.fixture
def call(cli, folder):
    """Run a command line; what is wrong with how it ended, and with what it left where."""

    def run(
        case: Case, args: Collection[str], allowed: Collection[int] = (0, 2), out: str = "outputs"
    ) -> tuple[int, str]:
        before = {*folder.rglob("*")}
        with within(LONGEST):
            code, stdout, stderr = cli(*args)
        wrong = [faults_of(code, stdout, stderr, allowed)]
        new = [path for path in {*folder.rglob("*")} - before if not is_below(path, out)]
        wrong += [f"written: {path}" for path in new]
        if code and not is_shown(case[1], stdout + stderr):
            wrong.append("the text is not shown")
        if "--json" in args and code == 0:
            json.loads(stdout)
        found = ", ".join(filter(None, wrong))
        return code, f"{case[0]}: {found}\n{args!r:.300}\n{stdout + stderr:.2000}" if found else ""

    return run


def is_below(path: Path, out: str) -> bool:
    """Whether a path is the output directory, above it, or in it."""
    root = Path(out).resolve()
    return path.resolve().is_relative_to(root) or root.is_relative_to(path.resolve())


def is_shown(payload: str, text: str) -> bool:
    """Whether the start of a text stands there, as it is or with visible escapes.

    Blanks do not count, for tables wrap, and of a path only its last part does, for it may
    be shown resolved.
    """
    in_line = " ".join(payload.split())
    forms = (safe(payload), safe(in_line), safe(repr(payload)[1:-1]), json.dumps(payload)[1:-1])
    squeezed = re.sub(r"\s", "", text).lower()
    starts = (re.sub(r"\s", "", form.rpartition("/")[2])[:25].lower() for form in forms)
    return any(start in squeezed for start in starts)


def cases(fields: dict[str, Callable], step: int) -> Iterator[tuple[str, str]]:
    """Fields with payloads: all pairs, or every so many, so that each of both comes up."""
    pairs = [(field, name) for field in fields for name in PAYLOADS]
    yield from pairs[::step]


def planned(fields: dict[str, Callable], step: int) -> int:
    return len([*cases(fields, step)])


def test_text_in_an_experiment(call, scaled):
    fields, step = text_fields.SETTINGS, scaled(11, 1)
    commands = text_fields.COMMANDS
    with Campaign("text in experiments", planned(fields, step)) as campaign:
        for i, (field, name) in enumerate(cases(fields, step)):
            payload = PAYLOADS[name]
            save("x.yaml", {**TINY, **fields[field](payload)})
            code, wrong = call((f"{field}, {name}", payload), commands[i % len(commands)])
            campaign.tried(f"exit {code}", wrong)


def test_text_in_arguments(call, scaled):
    step = scaled(11, 1)
    with Campaign("text in arguments", planned(ARGUMENTS, step)) as campaign:
        for field, name in cases(ARGUMENTS, step):
            payload = PAYLOADS[name].replace("\0", "")  # no argument of a process can hold it
            args = [*ARGUMENTS[field](payload)]
            out, allowed = (payload, (0, 2, 4)) if "--out" in args else ("outputs", (0, 2))
            told = "" if field in UNTOLD or payload.startswith("-") else payload
            told = told.partition(",")[0] if field == "--format" else told  # a list of them
            code, wrong = call((f"{field}, {name}", told), args, allowed, out)
            campaign.tried(f"exit {code}", wrong)


def test_text_in_claims(call, scaled):
    fields, step = text_fields.CLAIMS, scaled(11, 1)
    with Campaign("text in claims", planned(fields, step)) as campaign:
        for field, name in cases(fields, step):
            save("claim.yaml", {**CLAIM, **fields[field](PAYLOADS[name])})
            code, wrong = call((f"{field}, {name}", PAYLOADS[name]), ("claims", "claim.yaml"))
            campaign.tried(f"exit {code}", wrong)


def test_text_in_data_files(call, scaled):
    fields, step = text_fields.TABLES, scaled(11, 1)
    with Campaign("text in data files", planned(fields, step)) as campaign:
        for i, (field, name) in enumerate(cases(fields, step)):
            data = {"name": "file", "path": f"{i}.csv"}  # a file is read once in a process
            save("x.yaml", {**TINY, "train": {"batch_size": 1}, "dataset": data})
            content = fields[field](PAYLOADS[name]).encode("utf-8", "surrogateescape")
            Path(f"{i}.csv").write_bytes(content)
            # A byte that is no UTF-8 is told by its place; the text of a CSV that is read may
            # be a name that nothing needs to show.
            shown = "\udcff" not in PAYLOADS[name] and field not in ("a column", "too many cells")
            payload = PAYLOADS[name] if shown else ""
            code, wrong = call((f"{field}, {name}", payload), ("config", "check", "x.yaml"))
            campaign.tried(f"exit {code}", wrong)


def test_text_in_plugins(call, scaled):
    fields, step = text_fields.RULES, scaled(11, 1)
    commands = (("run", "x.yaml", "--no-figures"), ("check", "mine.py"))
    save("x.yaml", {**TINY, "plugins": ["mine.py"], "optimizers": [{"name": "mine"}]})
    with Campaign("text in plug-ins", planned(fields, step)) as campaign:
        for i, (field, name) in enumerate(cases(fields, step)):
            Path("mine.py").write_text(fields[field](PAYLOADS[name]), encoding="utf-8")
            command = commands[i % 2]
            told = field.startswith("raised") or field == "exit of update"
            payload = PAYLOADS[name] if told else ""
            code, wrong = call((f"{field}, {name}", payload), command, (0, 2, 3))
            logs = [p.read_text(encoding="utf-8") for p in Path("outputs").rglob("error.log")]
            wrong = wrong or faults_of(0, "", "".join(logs).replace("Traceback", ""))
            campaign.tried(f"exit {code}", wrong)


def test_labels_that_are_accepted_pass_through_every_command(call, cli, scaled):
    names = [name for i, name in enumerate(PAYLOADS) if i % scaled(14, 1) == 0]
    labels = [f"{PAYLOADS[name]} {i}" for i, name in enumerate(names)]
    labels = [label for label in labels if len(label) <= 100 and safe(label) == label]
    save(
        "x.yaml",
        {
            **TINY,
            "train": {"epochs": 2, "batch_size": 10, "seeds": 2},
            "optimizers": [{"name": "adam", "label": label} for label in labels],
        },
    )
    commands = [
        ("config", "show", "x.yaml"),
        ("run", "x.yaml", "--format", "png,svg"),
        ("show",), ("show", "--json"), ("runs",), ("runs", "--json"),
        ("plot", "--format", "svg"),
        ("reproduce",),
        *(("plot-trace", "--optimizer", label, "--format", "svg") for label in labels),
    ]  # fmt: skip
    with Campaign("labels through commands", len(commands)) as campaign:
        for args in commands:
            code, wrong = call((f"{labels}", ""), args, (0,))
            campaign.tried(f"exit {code}", wrong)
        _, out, _ = cli("show")
        campaign.wrong += [
            f"not in the table: {label}" for label in labels if not is_shown(label, out)
        ]
    figures = [*Path("outputs/latest/figures").iterdir()]
    assert len([path for path in figures if path.name.startswith("trace")]) >= len(labels)
    for path in figures:
        assert path.stat().st_size > 1000
        if path.suffix == ".svg":
            ElementTree.parse(path)
