"""Real data of scikit-learn's: what they are with it, and one clear error without it."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, needs_sklearn
from stacks import rule, snapshots, task

from adamcli.cli.main import run
from adamcli.errors import DataError
from adamcli.problems import DATASETS, MLP, bundled
from adamcli.seeding import PairedStreams

NAMES = ["digits", "breast_cancer"]
SHAPES = {"digits": (1797, 64, 10), "breast_cancer": (569, 30, 2)}
ERROR = "Fix: pip install 'adamcli[data]'"


@needs_sklearn
@pytest.mark.parametrize("name", NAMES)
def test_points_and_classes_are_those_of_scikit_learn(name):
    datasets = pytest.importorskip("sklearn.datasets")
    expected = getattr(datasets, f"load_{name}")()
    points = DATASETS[name]().points
    np.testing.assert_array_equal(points.x, expected.data)
    np.testing.assert_array_equal(points.y, expected.target)
    assert (*points.x.shape, DATASETS[name]().classes) == SHAPES[name]


@needs_sklearn
@pytest.mark.parametrize("name", NAMES)
def test_train_validation_and_test_are_parts_that_a_seed_chooses(name):
    dataset = DATASETS[name](test_samples=100, validation_samples=50, standardize=False)
    rows, _, _ = SHAPES[name]
    first, again, other = (dataset.split(PairedStreams(seed)) for seed in (0, 0, 1))
    tuning = dataset.split(PairedStreams(0), "validation")
    sizes = [len(first.train_y), len(tuning.held_out_y), len(first.held_out_y)]
    assert sizes == [rows - 150, 50, 100]
    assert dataset.train_size == rows - 150
    np.testing.assert_array_equal(tuning.train_x, first.train_x)
    together = np.concatenate([first.train_x, tuning.held_out_x, first.held_out_x])
    order = np.lexsort(together.T), np.lexsort(dataset.points.x.T)
    np.testing.assert_array_equal(together[order[0]], dataset.points.x[order[1]])
    np.testing.assert_array_equal(first.held_out_x, again.held_out_x)
    assert not np.array_equal(first.held_out_x, other.held_out_x)


@needs_sklearn
@pytest.mark.parametrize("part", ["test", "validation"])
@pytest.mark.parametrize("name", NAMES)
def test_all_parts_are_standardised_by_the_training_points(name, part):
    plain, scaled = (
        DATASETS[name](validation_samples=50, standardize=standardize).split(PairedStreams(2), part)
        for standardize in (False, True)
    )
    mean, deviation = plain.train_x.mean(axis=0), plain.train_x.std(axis=0)
    deviation[deviation == 0] = 1
    for x in ("train_x", "held_out_x"):
        expected = (getattr(plain, x) - mean) / deviation
        np.testing.assert_allclose(getattr(scaled, x), expected)


@needs_sklearn
@pytest.mark.parametrize(("name", "reached"), [("digits", 0.93), ("breast_cancer", 0.93)])
def test_a_network_learns_them(name, reached):
    one = task(dataset=DATASETS[name](), model=MLP(hidden=(32,), init="he"), epochs=15)
    last = snapshots([one], [rule("adam")], eval_every=15)[-1]
    assert last.metrics["test_accuracy"][0] > reached


@needs_sklearn
def test_more_points_held_out_than_there_are_is_an_error():
    with pytest.raises(DataError, match="569 points cannot give 600 held-out ones"):
        _ = DATASETS["breast_cancer"](test_samples=500, validation_samples=100).train_size


@needs_sklearn
def test_reading_them_does_not_import_scikit_learn():
    code = (
        "import sys; from adamcli.problems import DATASETS\n"
        "assert DATASETS['digits']().train_size == 1397\n"
        "assert 'sklearn' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("command", [["run"], ["config", "check"]], ids=" ".join)
def test_without_scikit_learn_there_is_one_clear_error(
    name, command, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    bundled._read.cache_clear()
    Path("real.yaml").write_text(f"dataset: {{name: {name}}}\noptimizers: [{{name: adam}}]\n")
    assert run([*command, "real.yaml"]) == 2
    error = capsys.readouterr().err
    assert "scikit-learn is not installed" in error
    assert error.strip().endswith(ERROR)
    assert "Traceback" not in error


@pytest.mark.parametrize("content", [b"1,2,3\n", None], ids=["other", "none"])
def test_other_data_than_expected_is_refused(content, tmp_path, monkeypatch):
    if content is not None:
        (tmp_path / "breast_cancer.csv").write_bytes(content)
    monkeypatch.setattr(bundled, "_folder", lambda name: tmp_path)
    bundled._read.cache_clear()
    with pytest.raises(DataError, match="scikit-learn's file"):
        _ = DATASETS["breast_cancer"]().points
