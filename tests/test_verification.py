"""`show --verify`: every damage is listed, harmless leftovers are told from it."""

from __future__ import annotations

import json

import pytest

from adamcli import store
from adamcli.store import faults

CONFIG = """
name: tiny
dataset: {name: moons, samples: 40, test_samples: 10}
model: {hidden: [4]}
train: {epochs: 2, batch_size: 8, seeds: 2}
optimizers: [{name: adam}, {name: sgd, lr: 0.1}]
"""
TUNED = CONFIG.replace("{name: sgd, lr: 0.1}", "{name: sgd}") + "tune: {trials: 2}\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def trained(cli, folder):
    """Train, perhaps until the disk is full for a file that is named like this."""

    def trained(text=CONFIG, until=""):
        (folder / "tiny.yaml").write_text(text)
        with pytest.MonkeyPatch.context() as patch:
            if until:
                patch.setattr("adamcli.runner.planning._BLOCK_ROWS", 1)
                patch.setattr(faults, "before", full_at(until))
            assert cli("run", "tiny.yaml", "--no-figures", "--quiet")[0] == (4 if until else 0)
        (path,) = (path for path in (folder / "outputs").glob("tiny-*") if path.is_dir())
        return path

    return trained


def full_at(name):
    fault = faults.Fault("ENOSPC:2:rename")

    def before(operation, path):
        if path.name.endswith(name):
            fault(operation, path)

    return before


@pytest.fixture
def verify(cli):
    """The exit code and, by file, what is found."""

    def verify():
        code, out, err = cli("show", "tiny", "--verify", "--json")
        document = json.loads(out)
        assert (code == 6) == (document["damaged"] > 0) == err.startswith("error: ")
        found = {each["file"]: str(each["state"]) for each in document["findings"]}
        return code, document["status"], found

    return verify


def spoil(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_a_whole_directory_has_nothing_to_list(trained, cli):
    trained()
    code, out, err = cli("show", "tiny", "--verify")
    assert (code, err) == (0, "")
    assert out.endswith("finished, 4 runs saved; 7 files read: nothing damaged\n")


def test_damage_is_a_table_and_an_error(trained, cli):
    path = trained()
    spoil(path / "metrics.csv")
    (path / "params.npz").unlink()
    (path / "notes\x1b.txt").write_text("")
    code, out, err = cli("show", "tiny", "--verify")
    assert code == 6
    rows = [" ".join(line.split()) for line in out.splitlines()]
    assert [*filter(None, rows)][3:] == [
        "metrics.csv damaged not what was saved (SHA-256 differs)",
        "params.npz missing named in the manifest",
        r"notes\x1b.txt foreign not named in the manifest; ignored",
        "finished, 4 runs saved; 7 files read: 2 damaged or missing",
    ]
    assert err.startswith("error: 2 of 7 files are damaged or missing, outputs/tiny-")
    assert "--fresh" in err


@pytest.mark.parametrize(
    "name", ["manifest.json", "config.yaml", "metrics.csv", "summary.json", "traces.npz"]
)
def test_every_file_counts(name, trained, verify):
    path = trained()
    spoil(path / name)
    code, status, found = verify()
    assert (code, found[name]) == (6, "damaged")
    assert status == ("unreadable" if name == "manifest.json" else "finished")
    (path / name).unlink()
    assert verify()[0] == 6
    assert verify()[2][name] == "missing"


def test_damaged_figures_count_and_can_be_drawn_again(trained, verify, cli):
    directory = store.RunDirectory(trained())
    directory.add_figures(directory.load(), {"curves.png": b"picture"})
    assert verify()[0] == 0
    spoil(directory.path / "figures" / "curves.png")
    code, _, found = verify()
    assert (code, found) == (6, {"figures/curves.png": "damaged"})
    assert "draw the figures again with `adamcli plot`" in cli("show", "tiny", "--verify")[2]
    directory.add_figures(directory.load(), {"curves.png": b"picture"})
    assert verify()[0] == 0


def test_an_unfinished_directory_is_whole_and_a_damaged_part_is_not(trained, verify, cli):
    path = trained(until=".part")
    assert verify() == (0, "interrupted", {})
    (part,) = path.glob("parts/*.part")
    spoil(part)
    assert verify() == (6, "interrupted", {f"parts/{part.name}": "damaged"})
    assert cli("run", "tiny.yaml", "--no-figures", "--quiet")[0] == 0
    assert verify() == (0, "finished", {})


def test_a_damaged_checkpoint_and_leftovers_do_no_harm(trained, verify):
    path = trained(until=".part")
    (path / "parts" / "0123456789abcdef.checkpoint").write_text("half")
    (path / "parts" / ".0123456789abcdef.tmp").write_text("half")
    (path / "metrics.csv").write_text("half")
    (path / ".DS_Store").write_text("")
    assert verify() == (
        0,
        "interrupted",
        {
            "parts/0123456789abcdef.checkpoint": "left over",
            "parts/.0123456789abcdef.tmp": "left over",
            "metrics.csv": "left over",
            ".DS_Store": "foreign",
        },
    )


def test_without_a_manifest_parts_are_harmed_and_nothing_is_not(trained, verify):
    path = trained(until=".part")
    (path / "manifest.json").unlink()
    code, status, found = verify()
    assert (code, status, found["manifest.json"]) == (6, "unreadable", "missing")
    for part in path.glob("parts/*"):
        part.unlink()
    assert verify() == (0, "not begun", {"config.yaml": "left over"})


def test_trials_are_verified_with_what_they_chose(trained, verify):
    path = trained(TUNED)
    assert verify() == (0, "finished", {})
    spoil(path / "trials" / "metrics.csv")
    assert verify() == (6, "finished", {"trials/metrics.csv": "damaged"})
    for each in path.glob("trials/*"):
        each.unlink()
    assert verify()[0] == 6


def test_what_is_whole_and_means_something_else_is_found(trained, verify):
    path = trained()
    text = (path / "config.yaml").read_text().replace("name: sgd", "name: nosuch")
    directory = store.RunDirectory(path)
    manifest = directory.manifest()
    manifest["files"]["config.yaml"] = store.files.write(path / "config.yaml", text.encode())
    store.manifest.write_manifest(path, {k: v for k, v in manifest.items() if k != "sha256"})
    assert verify() == (6, "finished", {"config.yaml": "damaged"})


def test_what_another_process_replaces_meanwhile_is_read_anew(trained, monkeypatch, cli):
    path = trained()
    again = store.verification.files.sha256
    done = []

    def replaced_meanwhile(file):
        if not done:
            done.append(file)
            assert cli("run", "tiny.yaml", "--no-figures", "--quiet", "--fresh")[0] == 0
            return "of the file that was there before"
        return again(file)

    monkeypatch.setattr(store.verification.files, "sha256", replaced_meanwhile)
    assert store.verify(store.RunDirectory(path)).harmed == ()


def test_two_questions_at_once_are_refused(trained, cli):
    trained()
    code, out, err = cli("show", "tiny", "--verify", "--hash")
    assert (code, out) == (2, "")
    assert "two questions" in err
