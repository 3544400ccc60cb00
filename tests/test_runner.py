"""Blocks, processes and what a run leaves: the same bits however runs are spread."""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from plugin_files import TINY, misbehaving, write

from adamcli import config, plugins
from adamcli.environment import processor
from adamcli.errors import WorkerError
from adamcli.history import RunHistory, StackHistory, Status
from adamcli.runner import Checkpoint, plan, train_runs
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


def test_a_killed_worker_costs_nothing(runs):
    long = [replace(run, task=replace(run.task, epochs=100)) for run in runs]
    alone = trained(long)
    histories, epochs, left, killed = {}, {}, set(), False
    for news in train_runs(long, jobs=2, every=0):
        if isinstance(news, Checkpoint):
            left.add(news.block)
            if len(left) == 2 and not killed:  # either of the two can go on
                killed = True
                multiprocessing.active_children()[0].kill()
            continue
        epochs.setdefault(news.block, []).append(news.snapshot.epoch)
        histories |= {history.key: history for history in news.finished}
    assert multiprocessing.active_children() == []
    assert histories.keys() == alone.keys()
    for key, history in alone.items():
        assert_same_bits(history, histories[key])
    again = [epoch for told in epochs.values() for epoch in told].count(1)
    assert again == len(epochs), "the killed block went on from its checkpoint"


def with_a_toxic_rule(folder, update, *overrides):
    """Runs of a plug-in in a stack of their own, and beside them others."""
    (folder / "own.yaml").write_text(f"{TINY}optimizers: [{{name: mine}}]\n")
    mine = plugins.load(write(folder, misbehaving(update)))
    own = config.load(folder / "own.yaml", ["train.seeds=2", *overrides], plugins=[mine]).runs
    (folder / "small.yaml").write_text(SMALL)
    return [*own, *config.load(folder / "small.yaml").runs]


@pytest.mark.parametrize(
    ("death", "told"),
    [
        ("os.kill(os.getpid(), signal.SIGKILL)", "was killed by signal 9"),
        ("os._exit(7)", "has ended by itself, with exit code 7"),
    ],
)
def test_runs_whose_worker_dies_twice_fail_and_others_keep_their_bits(tmp_path, death, told):
    runs = with_a_toxic_rule(tmp_path, f"if step.t == 9: {death}")
    toxic, others = runs[:2], runs[2:]
    alone, histories = trained(others), trained(runs, jobs=2)
    for run in toxic:
        history = histories.pop((run.label, run.seed))
        assert history.status is Status.FAILED
        assert history.failure.lost
        assert history.failure.step == 8
        assert f"twice: a worker process {told}" in history.failure.message
        assert "Fix: run the same command to train them again" in history.failure.message
        assert len(history.epochs) == 0
    assert histories.keys() == alone.keys()
    for key, history in alone.items():
        assert_same_bits(history, histories[key])


def test_a_worker_that_dies_once_leaves_no_trace(tmp_path):
    been_here = tmp_path / "been_here"
    once = f"if step.t == 9 and not os.path.exists('{been_here}'):\n    open('{been_here}', 'w')"
    runs = with_a_toxic_rule(tmp_path, f"{once}; os._exit(7)")
    alone = trained(with_a_toxic_rule(tmp_path, ""))
    histories = trained(runs, jobs=2)
    assert been_here.exists()
    for key, history in alone.items():
        assert_same_bits(history, histories[key])


def test_workers_that_will_not_end_are_killed(tmp_path):
    stubborn = "signal.signal(signal.SIGTERM, signal.SIG_IGN)\nif step.t > 4:\n    while True: pass"
    runs = with_a_toxic_rule(tmp_path, stubborn)
    progress = train_runs(runs, jobs=2)
    assert any(0 in news.block for news in progress)
    workers = multiprocessing.active_children()
    progress.close()
    assert -signal.SIGKILL in [worker.exitcode for worker in workers]
    assert multiprocessing.active_children() == []


ORPHANS = """
import multiprocessing, pathlib, sys
sys.path.insert(0, "tests")
from test_runner import train_runs, with_a_toxic_rule
if __name__ == "__main__":
    endless = "if step.t > 4:\\n    while True: pass"
    runs = with_a_toxic_rule(pathlib.Path(sys.argv[1]), endless)
    for news in train_runs(runs, jobs=2):
        if 0 in news.block:
            print(*(child.pid for child in multiprocessing.active_children()), flush=True)
"""


@pytest.mark.skipif(not hasattr(os, "killpg"), reason="asks for processes by their number")
def test_workers_end_with_their_parent_whatever_they_are_doing(tmp_path):
    script = tmp_path / "orphans.py"
    script.write_text(ORPHANS)
    command = [sys.executable, str(script), str(tmp_path)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, cwd=ROOT, env=env, stdout=subprocess.PIPE) as parent:
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        parent.kill()
    assert len(workers) == 2
    deadline = time.monotonic() + 5
    while any(map(alive, workers)):
        assert time.monotonic() < deadline
        time.sleep(0.05)


def alive(pid):
    """Whether there is such a process; one that nobody has waited for is none."""
    try:
        os.kill(pid, 0)
        stat = Path(f"/proc/{pid}/stat")
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (OSError, IndexError):
        return False


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_training_goes_on_from_checkpoints_with_the_same_bits(runs, jobs):
    alone = trained(runs)
    begun = train_runs(runs, jobs=1, every=0)
    taken = {news.block: news for news in [next(begun), next(begun)] if hasattr(news, "memory")}
    news = list(train_runs(runs, jobs, known=[*taken.values()]))
    blocks = {each.block for each in news}
    assert taken.keys() < blocks
    assert sorted(place for block in blocks for place in block) == list(range(len(runs)))
    assert {n.snapshot.epoch for n in news if n.block in taken} == {2, 3}
    histories = {history.key: history for each in news for history in each.finished}
    for key, history in alone.items():
        assert_same_bits(history, histories[key])


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_finished_block_names_its_processor(runs, jobs):
    named = {(bool(news.finished), news.processor) for news in train_runs(runs, jobs)}
    assert named == {(False, ""), (True, processor())}


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
