"""Run directories: exact, complete, checked, found by name."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import shutil
import stat

import numpy as np
import pytest
from directories import save

from adamcli import config, store
from adamcli.errors import DamagedError, InUseError, StorageError, UsageError
from adamcli.runner import train_runs
from adamcli.store import RunDirectory, files
from adamcli.store.manifest import write_manifest

CONFIG = """
name: tiny
dataset: {name: file, path: "my data.csv", test_samples: 10}
model: {hidden: [4]}
train: {epochs: 2, batch_size: 8, seeds: 2}
optimizers: [{name: adam}, {name: sgd, label: "a/b = ü, \\"q\\"", lr: 0.1}]
"""


@pytest.fixture
def experiment(tmp_path):
    rng = np.random.default_rng(0)
    rows = [f"{a!r},{b!r},{'yes' if a > b else 'no'}" for a, b in rng.normal(size=(40, 2)).tolist()]
    (tmp_path / "my data.csv").write_text("\n".join(["x1,x2,target", *rows]))
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    return config.load(tmp_path / "tiny.yaml")


@pytest.fixture
def saved(experiment, tmp_path):
    *_, last = train_runs(experiment.runs)
    directory = store.directory_for(experiment, tmp_path / "out")
    with directory.claimed():
        result = save(directory, experiment, last.finished[::-1], 1.25)
        directory.add_figures(result, {"curves.png": b"picture"})
    return directory


def test_everything_reads_back_exactly(saved, experiment):
    *_, last = train_runs(experiment.runs)
    trained = {history.key: history for history in last.finished}
    result = saved.load()
    assert [h.key for h in result.histories] == [(r.label, r.seed) for r in experiment.runs]
    assert result.status == "finished"
    assert [path.name for path in result.figures] == ["curves.png"]
    for history in result.histories:
        original = trained[history.key]
        np.testing.assert_array_equal(history.epochs, original.epochs)
        np.testing.assert_array_equal(history.steps, original.steps)
        assert history.initial == original.initial
        assert history.initial.keys() == original.metrics.keys() - {"grad_norm", "update_size"}
        for name, values in original.metrics.items():
            np.testing.assert_array_equal(history.metrics[name], values)
        for name, values in original.params.items():
            np.testing.assert_array_equal(history.params[name], values)
        for param, series in original.traces.items():
            for name, values in series.items():
                np.testing.assert_array_equal(history.traces[param][name], values)


def test_the_resolved_config_gives_the_same_directory_wherever_it_lies(saved, tmp_path):
    moved = tmp_path / "moved"
    saved.path.rename(moved)
    again = config.load(moved / "config.yaml")
    assert again.directory == saved.path.name
    assert RunDirectory(moved).load().experiment.directory == saved.path.name


def test_metrics_csv_has_the_documented_columns(saved):
    with (saved.path / "metrics.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert ",".join(rows[0]) == (
        "label,optimizer,seed,epoch,step,train_loss,train_accuracy,test_loss,test_accuracy,"
        "grad_norm,update_size"
    )
    assert len(rows) == 2 * 2 * 2
    assert {row["label"] for row in rows} == {"adam", 'a/b = ü, "q"'}


def test_manifest_names_everything_and_hashes_every_file(saved):
    manifest = json.loads((saved.path / "manifest.json").read_text())
    assert manifest["environment"]["packages"]["numpy"] == np.__version__
    assert manifest["seeds"] == [0, 1]
    assert manifest["status"] == "finished"
    on_disk = {
        str(path.relative_to(saved.path))
        for path in saved.path.rglob("*")
        if path.is_file() and path.name not in ("manifest.json", ".lock")
    }
    assert manifest["files"].keys() == on_disk
    for name, digest in manifest["files"].items():
        assert hashlib.sha256((saved.path / name).read_bytes()).hexdigest() == digest


@pytest.mark.parametrize("name", ["metrics.csv", "params.npz", "traces.npz", "config.yaml"])
def test_a_changed_byte_is_refused(saved, name):
    path = saved.path / name
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(DamagedError, match="not what was saved") as error:
        saved.load()
    assert name in str(error.value)


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"schema": "x"}', b"null", b"\xff"])
def test_a_damaged_manifest_is_refused(saved, content):
    (saved.path / "manifest.json").write_bytes(content)
    with pytest.raises(DamagedError):
        saved.load()


@pytest.mark.parametrize(
    ("old", "new"),
    [('"adam"', '"adxm"'), ('"seed": 0', '"seed": 7'), ('"cell"', '"cull"'), ("params.npz", "p")],
)
def test_a_changed_manifest_is_refused(saved, old, new):
    path = saved.path / "manifest.json"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(DamagedError, match=r"not what was saved.*manifest\.json"):
        saved.load()


def test_runs_that_the_config_does_not_ask_for_are_damage(saved):
    manifest = saved.manifest()
    manifest["runs"][0]["seed"] = 7
    write_manifest(saved.path, manifest)
    with pytest.raises(DamagedError, match=r"runs that config\.yaml does not ask for"):
        saved.load()


def test_a_run_that_diverged_before_its_first_evaluation_reads_back(tmp_path):
    (tmp_path / "wild.yaml").write_text(
        "dataset: {name: moons, samples: 40, test_samples: 10}\n"
        "train: {epochs: 2, batch_size: 8}\n"
        "optimizers: [{name: sgd, lr: 1e300}, {name: adam}]\n"
    )
    experiment = config.load(tmp_path / "wild.yaml")
    *_, last = train_runs(experiment.runs)
    directory = store.directory_for(experiment, tmp_path / "out")
    with directory.claimed():
        save(directory, experiment, last.finished)
    wild, tame = directory.load().histories
    assert not len(wild.epochs)
    assert wild.metrics.keys() == tame.metrics.keys()


def test_a_missing_file_and_a_missing_manifest_are_named(saved):
    (saved.path / "traces.npz").unlink()
    with pytest.raises(DamagedError, match=r"cannot read a saved file.*traces\.npz"):
        saved.load()
    (saved.path / "manifest.json").unlink()
    with pytest.raises(DamagedError, match=r"no manifest\.json"):
        saved.load()


def test_a_newer_directory_is_refused_with_its_version(saved):
    path = saved.path / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest |= {"schema": 99, "environment": {"adamcli": "9.9"}}
    path.write_text(json.dumps(manifest))
    with pytest.raises(DamagedError, match=r"written by adamcli 9\.9.*update adamcli"):
        saved.load()


def test_a_second_owner_is_refused_with_the_first_ones_pid(saved):
    with (
        saved.claimed(),
        pytest.raises(InUseError, match=f"in use by process {os.getpid()} on "),
        saved.claimed(),
    ):
        pass
    with saved.claimed():
        pass


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_directory_that_cannot_be_written_is_a_storage_error(tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    with pytest.raises(StorageError), RunDirectory(tmp_path / "x").claimed():
        pass


def test_an_output_that_is_a_file_is_a_storage_error(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(StorageError), RunDirectory(tmp_path / "out" / "x").claimed():
        pass


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path, monkeypatch):
    path = tmp_path / "data"
    files.write(path, b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StorageError, match="No space left on device"):
        files.write(path, b"new")
    assert path.read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == ["data"]


def test_runs_are_found_by_name_prefix_path_and_latest(saved, tmp_path):
    out = saved.path.parent
    other = out / "tiny-00000000"
    shutil.copytree(saved.path, other)
    store.name_latest(out, saved)
    assert store.find(None, out).path.name == saved.path.name
    assert (out / "latest").resolve() == saved.path.resolve()
    assert store.find(saved.path.name, out).path == saved.path
    assert store.find(saved.path.name[:8], out).path == saved.path
    assert store.find(str(saved.path), tmp_path).path == saved.path
    with pytest.raises(UsageError, match="2 runs start with 'tiny'"):
        store.find("tiny", out)
    with pytest.raises(UsageError, match="no run named 'big'"):
        store.find("big", out)
    with pytest.raises(UsageError, match="there is no run yet"):
        store.find(None, tmp_path / "nowhere")


def test_entries_list_runs_and_damaged_ones_and_pass_over_everything_else(saved):
    out = saved.path.parent
    (out / "unfinished").mkdir()
    (out / "broken").mkdir()
    (out / "broken" / "manifest.json").write_text("{")
    (out / ".DS_Store").write_text("")
    store.name_latest(out, saved)
    entry, broken = store.entries(out)
    assert (entry.path, entry.status, entry.runs, entry.latest) == (saved.path, "finished", 4, True)
    assert entry.labels == ("adam", 'a/b = ü, "q"')
    assert (broken.path.name, broken.status, broken.runs) == ("broken", "damaged", 0)


def test_a_file_that_goes_before_it_is_asked_for_is_damage(saved):
    result = saved.load()
    (saved.path / "params.npz").unlink()
    with pytest.raises(DamagedError, match=r"cannot read a saved file.*params\.npz"):
        dict(result.histories[0].params)


def test_a_file_that_goes_after_its_hash_was_read_is_damage(saved, monkeypatch):
    again = files.sha256

    def gone(path):
        digest = again(path)
        if path.name == "metrics.csv":
            path.unlink()
        return digest

    monkeypatch.setattr(files, "sha256", gone)
    with pytest.raises(DamagedError, match=r"cannot read a saved file.*metrics\.csv"):
        saved.load()


def test_links_that_killed_processes_left_go_with_the_next(saved):
    out = saved.path.parent
    (out / ".0123456789abcdef.tmp").symlink_to("somewhere")
    store.name_latest(out, saved)
    assert sorted(path.name for path in out.iterdir()) == sorted(["latest", saved.path.name])


def test_a_directory_that_is_removed_meanwhile_is_no_damage(saved):
    def use():
        shutil.rmtree(saved.path)
        saved.load()

    with pytest.raises(StorageError, match="removed meanwhile"), saved.claimed():
        use()
    assert not saved.path.exists()


def test_an_owner_is_named_by_the_pid_it_writes_after_it_came(saved, monkeypatch):
    names = iter([b"", b"process 7 on here"])
    monkeypatch.setattr(os, "pread", lambda *args: next(names))
    with saved.claimed(), pytest.raises(InUseError, match="by process 7 on here"), saved.claimed():
        pass
