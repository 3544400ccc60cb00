"""Blocks, processes and what a run leaves: the same bits however runs are spread."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
from conftest import ROOT

from adamcli import config
from adamcli.errors import WorkerError
from adamcli.history import RunHistory, StackHistory, Status
from adamcli.runner import plan, train_runs
from adamcli.training import kind

SMALL = """
name: small
dataset: {name: spiral, samples: 90, test_samples: 40}
model: {hidden: [8, 6]}
train: {epochs: 3, batch_size: 32, seeds: 6}
optimizers:
  - {name: adam, lr: 0.005}
  - {name: sgdm, lr: 0.05}
  - {name: adam, label: slow adam, lr: 0.001, schedule: {name: cosine}}
trace: {params: ["W1[0,0]", "b2[3]"], layers: true}
sweep: {dataset.noise: [0.1, 0.4]}
"""


@pytest.fixture
def runs(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return config.load(path).runs


def trained(runs, jobs=1):
    histories = [h for p in train_runs(runs, jobs) for h in p.finished]
    return {history.key: history for history in histories}


def assert_same_bits(one: RunHistory, other: RunHistory) -> None:
    assert one.initial == other.initial != {}
    assert one.metrics.keys() == other.metrics.keys()
    for name in one.metrics:
        np.testing.assert_array_equal(one.metrics[name], other.metrics[name])
    for name in one.params:
        np.testing.assert_array_equal(one.params[name], other.params[name])
    for param, series in one.traces.items():
        for name, values in series.items():
            np.testing.assert_array_equal(values, other.traces[param][name])
    assert one.layers.keys() == other.layers.keys()
    for array, series in one.layers.items():
        for name, values in series.items():
            np.testing.assert_array_equal(values, other.layers[array][name])


def test_metrics_before_the_first_step_are_those_of_the_start(runs):
    history = trained(runs[:2])[runs[0].label, runs[0].seed]
    (task,) = tasks = [runs[0].task]
    problem = task.stacked(tasks)
    start = {name: float(value[0]) for name, value in problem.evaluate(problem.start()).items()}
    assert history.initial == start
    assert start["train_loss"] > history.final("train_loss")


def test_every_run_is_in_exactly_one_block(runs):
    for jobs in (1, 2, 3):
        blocks = plan(runs, jobs)
        places = [place for block in blocks for place in block]
        assert sorted(places) == list(range(len(runs)))
        assert len(blocks) % jobs == 0


def test_settings_that_share_shapes_train_in_one_stack(tmp_path):
    def blocks(sweep):
        (tmp_path / "swept.yaml").write_text(SMALL.split("sweep:")[0])
        sets = [f"sweep={sweep}", "train.seeds=2"]
        swept = config.load(tmp_path / "swept.yaml", sets, optimizers=["adam"]).runs
        return [[swept[place] for place in block] for block in plan(swept)]

    halton = "{halton: {n: 16, adam.lr: {log: [1e-4, 1]}, adam.beta1: {log1m: [0.5, 0.99]}}}"
    for sweep in ("{adam.lr: {log: [1e-4, 1], n: 16}}", halton):
        (block,) = blocks(sweep)
        assert len(block) == 32
        assert len({kind(run.rule, run.wrapping) for run in block}) == 1  # columns of one rule
    assert len(blocks("{dataset.noise: {linear: [0, 1], n: 16}}")) == 1
    assert len(blocks("{model.hidden.0: {linear: [4, 8], n: 5}}")) == 5


@pytest.mark.parametrize("jobs", [2, 3])
def test_jobs_do_not_change_bits(runs, jobs):
    alone = trained(runs)
    spread = trained(runs, jobs)
    assert alone.keys() == spread.keys() == {(run.label, run.seed) for run in runs}
    for key, history in alone.items():
        assert_same_bits(history, spread[key])


def test_order_and_company_do_not_change_bits(runs):
    together = trained(runs)
    for run in (runs[0], runs[-1], runs[7]):
        assert_same_bits(trained([run])[run.label, run.seed], together[run.label, run.seed])
    backward = trained(runs[::-1])
    for key, history in together.items():
        assert_same_bits(history, backward[key])


def test_blas_threads_of_the_environment_do_not_change_bits():
    code = (
        "import hashlib, pathlib\n"
        "from adamcli import config; from adamcli.runner import train_runs\n"
        "e = config.load(pathlib.Path('configs/spiral.yaml'), ['train.epochs=2',"
        "'train.batch_size=500', 'model.hidden=[200, 200]', 'train.dtype=float32'])\n"
        "*_, last = train_runs(e.runs)\n"
        "print(hashlib.sha256(b''.join(a.tobytes() for h in last.finished"
        " for a in [*h.params.values(), *h.metrics.values()])).hexdigest())"
    )
    digests = set()
    for threads in ("1", "2", "4"):
        env = {**os.environ, "OPENBLAS_NUM_THREADS": threads, "OMP_NUM_THREADS": threads}
        digests.add(subprocess.check_output([sys.executable, "-c", code], cwd=ROOT, env=env))
    assert len(digests) == 1


def test_closing_the_training_leaves_no_process(runs):
    progress = train_runs(runs, jobs=2)
    next(progress)
    assert len(multiprocessing.active_children()) == 2
    progress.close()
    assert multiprocessing.active_children() == []


def test_a_killed_worker_ends_the_training_with_an_error_and_no_hang(runs):
    long = [replace(run, task=replace(run.task, epochs=10**6)) for run in runs]
    progress = train_runs(long, jobs=2)
    next(progress)
    multiprocessing.active_children()[0].kill()
    with pytest.raises(WorkerError, match="a worker process has died"):
        list(progress)
    assert multiprocessing.active_children() == []


def test_an_exception_in_a_worker_reaches_the_caller(runs):
    broken = [replace(run, traced=("W9[0,0]",)) for run in runs]
    with pytest.raises(WorkerError, match="no array 'W9'"):
        list(train_runs(broken, jobs=2))


def test_only_the_first_seed_is_traced(runs):
    traced = {history.key: history.traces for history in trained(runs).values()}
    assert {seed for (_, seed), traces in traced.items() if traces} == {0}
    series = traced["adam noise=0.1", 0]
    assert series.keys() == {"W1[0,0]", "b2[3]"}
    assert len(series["b2[3]"]["m_hat"]) == 9


def test_diverged_runs_keep_what_was_recorded_before(tmp_path):
    path = tmp_path / "wild.yaml"
    path.write_text(SMALL)
    wild = config.load(path, ["slow adam.lr=1e300", "train.epochs=4", "adam.lr=1e-3"]).runs
    histories = trained(wild)
    gone = histories["slow adam noise=0.1", 0]
    assert gone.status is Status.DIVERGED
    assert gone.diverged_at is not None
    assert np.isnan(gone.final("train_loss"))
    assert all(np.isfinite(values).all() for values in gone.metrics.values())
    assert all(len(v) == gone.diverged_at - 1 for v in gone.traces["W1[0,0]"].values())
    assert histories["adam noise=0.1", 0].status is Status.FINISHED


def test_history_refuses_wrong_shapes():
    kept = StackHistory(2)
    with pytest.raises(ValueError, match=r"train_loss has shape \(3,\), expected \(2,\)"):
        kept.append(1, 5, {"train_loss": np.zeros(3)}, {})
    with pytest.raises(ValueError, match="differ in length"):
        RunHistory("a", "adam", "", 0, None, np.arange(3), np.arange(3), {"x": np.zeros(2)})
