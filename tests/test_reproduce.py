"""`adamcli reproduce`: the same numbers again, and every way in which they may not be."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import plugin_files
import pytest
from conftest import ROOT
from directories import save

from adamcli.environment import environment
from adamcli.history import RunHistory
from adamcli.reproduction import Verdict, changes, reproduction, sample
from adamcli.store import RunDirectory

TINY = """
name: tiny
dataset: {name: moons, samples: 60, test_samples: 30}
model: {hidden: [6]}
train: {epochs: 3, batch_size: 16, seeds: 3}
optimizers: [{name: sgdm, lr: 0.05}, {name: adam, lr: 0.01}]
trace: {params: ["W1[0,0]"], layers: true}
"""
MINE = ["mine", "adam", "--config", "tiny.yaml", "--plugin", "mine.py", "--no-figures"]
LATEST = Path("outputs/latest")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)
    return tmp_path


def train(cli, *sets):
    options = [part for text in sets for part in ("--set", text)]
    assert cli("run", "tiny.yaml", "--no-figures", "--quiet", *options)[0] == 0


def tampered(key, change):
    """Save the latest run again with one history changed and every hash made to fit."""
    directory = RunDirectory(LATEST.resolve())
    result = directory.load()
    histories = [change(h) if h.key == key else h for h in result.histories]
    save(directory, result.experiment, histories)


def with_value(values, place, value):
    values = values.copy()
    values[place] = value
    return values


def verdicts(document):
    return {(r["label"], r["seed"]): r["verdict"] for r in document["results"]}


def test_a_run_on_the_same_machine_is_identical_and_nothing_is_written(cli, folder):
    train(cli)
    before = sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*"))
    code, out, err = cli("reproduce")
    assert code == 0
    assert re.search(r"sgdm +3 identical", out)
    assert re.search(r"adam +3 identical", out)
    assert "Trained all 6 runs again. adamcli, NumPy, BLAS and machine are those of then" in out
    assert "epoch 3/3" in err
    assert sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*")) == before


def test_the_document(cli):
    train(cli)
    code, out, err = cli("reproduce", "tiny", "--json", "--jobs", "2")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert document["run"].startswith("outputs/tiny-")
    assert (document["environment"], document["tolerance"]) == ({}, 0)
    assert document["results"][0] == {
        "label": "sgdm",
        "seed": 0,
        "verdict": "identical",
        "first_difference": None,
        "largest_deviation": 0,
    }
    assert len(document["results"]) == 6
    assert cli("reproduce", "--quiet") == (0, "", "")


def test_a_sample_is_always_the_same_and_said_to_be_one(cli):
    train(cli)
    document = json.loads(cli("reproduce", "--sample", 2, "--json")[1])
    assert len(document["results"]) == 2
    assert json.loads(cli("reproduce", "--sample", 2, "--json")[1]) == document
    assert "Trained 2 of 6 runs again, drawn by seed 0" in cli("reproduce", "--sample", 2)[1]
    assert len(json.loads(cli("reproduce", "--sample", 99, "--json")[1])["results"]) == 6
    assert sample(100, 10) == sorted({*sample(100, 10)})
    assert sample(100, None) == list(range(100))


def in_metrics(name, change):
    return lambda h: replace(h, metrics={**h.metrics, name: change(h.metrics[name])})


def in_series(field, what, name, place, value):
    """A change of one value of a trace or of a norm."""

    def change(h):
        recorded = getattr(h, field)
        series = {**recorded[what], name: with_value(recorded[what][name], place, value)}
        return replace(h, **{field: {**recorded, what: series}})

    return change


def cut(h):
    metrics = {name: values[:2] for name, values in h.metrics.items()}
    return replace(h, epochs=h.epochs[:2], steps=h.steps[:2], metrics=metrics)


@pytest.mark.parametrize(
    ("change", "first"),
    [
        (
            in_metrics("test_loss", lambda values: with_value(values, 1, 0.5)),
            {"metric": "test_loss", "epoch": 2, "step": 8, "saved": 0.5},
        ),
        (
            in_metrics("grad_norm", lambda values: np.nextafter(values, 9)),
            {"metric": "grad_norm", "epoch": 1, "step": 4},
        ),
        (
            lambda h: replace(h, params={**h.params, "W1": with_value(h.params["W1"], (1, 2), 7)}),
            {"metric": "W1[1,2]", "epoch": 3, "step": 12, "saved": 7.0},
        ),
        (
            lambda h: replace(h, params={**h.params, "b1": np.zeros(5)}),
            {"metric": "b1", "epoch": None, "saved": "(5,)", "retrained": "(6,)"},
        ),
        (
            in_series("traces", "W1[0,0]", "m", 5, -1.0),
            {"metric": "trace W1[0,0] m", "epoch": 2, "step": 6, "saved": -1.0},
        ),
        (
            in_series("layers", "b2", "grad", 0, 5.0),
            {"metric": "layer b2 grad", "epoch": 1, "step": 1, "saved": 5.0},
        ),
        (
            lambda h: replace(h, diverged_at=11),
            {"metric": "status", "step": 11, "saved": "diverged", "retrained": "finished"},
        ),
        (cut, {"metric": "evaluations", "saved": 2, "retrained": 3}),
    ],
    ids=["metric", "one bit", "parameter", "shape", "trace", "norm", "divergence", "evaluations"],
)
def test_any_saved_number_that_is_another_is_found(cli, change, first):
    train(cli)
    tampered(("adam", 0), change)
    code, out, _ = cli("reproduce", "--json")
    document = json.loads(out)
    assert code == 3
    assert verdicts(document) == {
        (label, seed): "different" if (label, seed) == ("adam", 0) else "identical"
        for label in ("sgdm", "adam")
        for seed in range(3)
    }
    found = document["results"][3]["first_difference"]
    assert found.items() >= first.items()
    assert found["saved"] != found["retrained"]
    code, table, _ = cli("reproduce")
    assert code == 3
    words = " ".join(table.split())
    assert "2 identical" in words
    assert "1 different" in words
    assert f"seed 0, {first['metric'].split('[')[0]}" in words


def test_the_earliest_difference_comes_first(cli):
    train(cli)
    later = {"test_loss": 2, "train_accuracy": 1, "update_size": 1}
    tampered(
        ("sgdm", 2),
        lambda h: replace(
            h,
            metrics={
                name: with_value(v, later[name], 0.123) if name in later else v
                for name, v in h.metrics.items()
            },
        ),
    )
    document = json.loads(cli("reproduce", "--json")[1])
    first = document["results"][2]["first_difference"]
    assert (first["metric"], first["epoch"], first["saved"]) == ("train_accuracy", 2, 0.123)


def elsewhere(monkeypatch, **facts):
    """Let runs be saved as if by another installation."""
    other = {**environment(), **facts}
    monkeypatch.setattr("adamcli.store.manifest.environment", lambda: other)


def test_another_environment_is_named_and_rounding_tolerated(cli, monkeypatch):
    packages = {**environment()["packages"], "numpy": "1.99.0", "rich": "0.0"}
    blas = [{"library": "mkl", "version": "2025", "kernel": "avx2", "threads": 9}]
    elsewhere(monkeypatch, packages=packages, processor="Another 9000", blas=blas)
    train(cli)
    tampered(("adam", 1), in_metrics("train_loss", lambda values: values * (1 + 1e-12)))
    code, out, _ = cli("reproduce", "--json")
    document = json.loads(out)
    assert code == 0
    assert document["environment"].keys() == {"numpy", "processor", "blas"}
    assert document["environment"]["numpy"]["saved"] == "1.99.0"
    assert document["environment"]["blas"]["saved"] == "mkl 2025 avx2"
    assert document["tolerance"] == 1e-8
    assert verdicts(document)["adam", 1] == "within tolerance"
    assert verdicts(document)["adam", 0] == "identical"
    (found,) = (r for r in document["results"] if r["verdict"] == "within tolerance")
    assert found["first_difference"]["metric"] == "train_loss"
    assert found["largest_deviation"] == pytest.approx(1e-12, rel=1e-3)
    words = " ".join(cli("reproduce")[1].split())
    assert "1 within tolerance" in words
    assert "numpy (1.99.0, now " in words
    assert "processor (Another 9000, now " in words
    assert "numbers may be off by 1e-08 of what was saved" in words


def test_another_environment_does_not_excuse_everything(cli, monkeypatch):
    elsewhere(monkeypatch, platform="Another")
    train(cli)
    tampered(("adam", 1), in_metrics("train_loss", lambda values: values * (1 + 1e-6)))
    code, out, _ = cli("reproduce", "--json")
    assert code == 3
    assert verdicts(json.loads(out))["adam", 1] == "different"


def test_single_precision_has_a_tolerance_of_its_own(cli, monkeypatch):
    elsewhere(monkeypatch, adamcli="0.0.1")
    train(cli, "train.dtype=float32")
    tampered(("adam", 1), in_metrics("train_loss", lambda values: values * (1 + 1e-3)))
    code, out, _ = cli("reproduce", "--json")
    assert (code, json.loads(out)["tolerance"]) == (0, 1e-2)


def test_diverged_runs_are_reproduced_too(cli):
    train(cli, "sgdm.lr=1e300", "train.epochs=6")
    document = json.loads(cli("reproduce", "--json")[1])
    assert set(verdicts(document).values()) == {"identical"}
    (stopped,) = {h.stopped_at for h in RunDirectory(LATEST).load().histories if h.stopped_at}
    tampered(("sgdm", 1), lambda h: replace(h, diverged_at=stopped + 1))
    code, out, _ = cli("reproduce", "--json")
    first = json.loads(out)["results"][1]["first_difference"]
    assert (code, first["metric"], first["step"]) == (3, "stopped_at", stopped)
    assert (first["saved"], first["retrained"]) == (stopped + 1, stopped)


def test_the_saved_part_of_an_interrupted_experiment(cli):
    train(cli)
    directory = RunDirectory(LATEST.resolve())
    result = directory.load()
    save(directory, result.experiment, result.histories[:4])
    assert len(json.loads(cli("reproduce", "--json")[1])["results"]) == 4


def test_damaged_data_and_unknown_runs_are_errors(cli):
    assert cli("reproduce")[0] == 2
    train(cli)
    assert cli("reproduce", "nosuch")[0] == 2
    assert cli("reproduce", "--sample", "0")[0] == 2
    metrics = LATEST.resolve() / "metrics.csv"
    metrics.write_bytes(metrics.read_bytes().replace(b"0.", b"1.", 1))
    code, out, err = cli("reproduce")
    assert (code, out) == (6, "")
    assert "SHA-256 differs" in err


def test_runs_of_a_plugin_are_trained_with_its_file_or_not_at_all(cli, folder):
    plugin_files.write(folder, plugin_files.GOOD)
    assert (
        cli("compare", "mine", "adam", "--config", "tiny.yaml", "--plugin", "mine.py", "-q")[0] == 0
    )
    code, out, err = cli("reproduce", "--jobs", "2")
    assert (code, out) == (2, "")
    assert "mine is a plug-in, whose code does not run unasked" in err
    document = json.loads(cli("reproduce", "--json", "--plugin", "mine.py")[1])
    assert len(document["results"]) == 6
    assert set(verdicts(document).values()) == {"identical"}


def test_failed_runs_fail_again(cli, folder):
    text = plugin_files.misbehaving("if step.t == 7: raise ValueError('no')")
    plugin_files.write(folder, text)
    assert (
        cli("compare", "mine", "adam", "--config", "tiny.yaml", "--plugin", "mine.py", "-q")[0] == 3
    )
    document = json.loads(cli("reproduce", "--json", "--plugin", "mine.py")[1])
    assert set(verdicts(document).values()) == {"identical"}


@pytest.mark.skipif(sys.platform != "linux", reason="kernels are chosen by the environment")
def test_another_kernel_of_blas_is_within_tolerance(cli):
    train(cli)
    (blas, *_) = environment()["blas"] or [{}]
    if blas.get("library") != "openblas" or blas.get("kernel") in (None, "Nehalem"):
        pytest.skip("needs OpenBLAS with several kernels")
    done = subprocess.run(
        [sys.executable, "-m", "adamcli", "reproduce", "--json"],
        env={**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_CORETYPE": "Nehalem"},
        capture_output=True,
        text=True,
        check=True,
    )
    document = json.loads(done.stdout)
    if not document["environment"]:
        pytest.skip("this OpenBLAS has one kernel")
    assert [*document["environment"]] == ["blas"]
    assert document["tolerance"] == 1e-8
    assert set(verdicts(document).values()) <= {"identical", "within tolerance"}


def history(**changed) -> RunHistory:
    fields = {
        "label": "a",
        "optimizer": "adam",
        "cell": "",
        "seed": 0,
        "diverged_at": None,
        "epochs": np.array([1, 2]),
        "steps": np.array([10, 20]),
        "metrics": {"train_loss": np.array([1.0, 0.5])},
        "params": {"W1": np.ones((2, 2))},
    }
    return RunHistory(**{**fields, **changed})


def test_signs_of_zero_and_numbers_that_are_none():
    zero, minus = ({"train_loss": np.array([1.0, z])} for z in (0.0, -0.0))
    found = reproduction(history(metrics=zero), history(metrics=minus), 0)
    assert found.verdict is Verdict.DIFFERENT
    nan = {"train_loss": np.array([1.0, np.nan])}
    same = reproduction(history(metrics=nan), history(metrics=nan), 0)
    assert same.verdict is Verdict.IDENTICAL
    gone = reproduction(history(), history(metrics=nan), 0.5)
    assert gone.verdict is Verdict.DIFFERENT
    assert gone.first is not None
    assert (gone.first.epoch, gone.first.deviation) == (2, np.inf)


def test_what_it_was_before_the_first_step_counts():
    before, after = (history(initial={"train_loss": loss}) for loss in (2.0, 2.5))
    assert reproduction(before, before, 0).verdict is Verdict.IDENTICAL
    found = reproduction(before, after, 0.1)
    assert found.verdict is Verdict.DIFFERENT
    assert found.first is not None
    assert found.first[:3] == ("initial train_loss", 0, 0)
    assert reproduction(before, history(), 0.1).verdict is Verdict.DIFFERENT
    assert reproduction(history(), before, 0).verdict is Verdict.IDENTICAL  # an older directory


def test_parameters_are_off_relative_to_the_largest_of_their_array():
    large = {"W1": np.array([[100.0, 1e-9], [0.0, 1.0]])}
    near = {"W1": large["W1"] + 1e-8}
    assert reproduction(history(params=large), history(params=near), 1e-9).verdict == (
        Verdict.TOLERATED
    )
    assert reproduction(history(params=large), history(params=near), 1e-11).verdict == (
        Verdict.DIFFERENT
    )


def test_what_cannot_change_a_number_is_not_named():
    here = environment()
    other = {**here, "packages": {**here["packages"], "matplotlib": "0"}}
    other["blas"] = [{**each, "threads": 64} for each in here["blas"]]
    assert changes(other, here) == {}
    assert changes({}, here).keys() >= {"adamcli", "numpy", "python"}
