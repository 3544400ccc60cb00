"""Training on dask's workers: the same bits, whatever becomes of workers and scheduler."""

from __future__ import annotations

import json
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from conftest import ROOT, needs_dask
from plugin_files import GOOD, TINY, write
from test_runner import SMALL, assert_same_bits, trained, with_a_toxic_rule

from adamcli import config, plugins
from adamcli.environment import processor
from adamcli.errors import UsageError, WorkerError
from adamcli.history import RunHistory, Status
from adamcli.runner import Checkpoint, executor_for, train_runs
from adamcli.store import Parts


class Ground:
    """A scheduler and workers, each a process of its own.

    Attributes:
        file: names the scheduler's address.
    """

    def __init__(self, folder: Path) -> None:
        self.file = folder / "scheduler.json"
        self._folder = folder
        self.workers: list[subprocess.Popen[bytes]] = []
        options = ["--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
        self.scheduler = self._start("scheduler", *options)
        while not self.file.exists():
            assert self.scheduler.poll() is None
            time.sleep(0.02)

    def staffed(self, count: int = 2) -> None:
        """Have so many workers; the first has two threads."""
        self.workers = [worker for worker in self.workers if worker.poll() is None]
        for number in range(len(self.workers), count):
            self.start_worker(threads=2 if number == 0 else 1)
        self._wait(count)

    def start_worker(self, threads: int = 1, path: Path = ROOT) -> None:
        """Start another worker, which looks for modules in a folder first."""
        options = ["--nthreads", str(threads), "--no-nanny", "--no-dashboard"]
        options += ["--host", "127.0.0.1", "--local-directory", str(self._folder)]
        self.workers.append(self._start("worker", *options, path=path))

    def _wait(self, count: int) -> None:
        """Wait until the scheduler has so many workers."""
        from distributed import Client

        with Client(scheduler_file=str(self.file), set_as_default=False) as client:
            while len(client.nthreads()) != count:
                time.sleep(0.02)

    def _start(self, what: str, *options: str, path: Path = ROOT) -> subprocess.Popen[bytes]:
        """A command of dask's."""
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}"]
        return subprocess.Popen(
            [*command, "--scheduler-file", str(self.file), *options],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (path, ROOT)))},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def close(self) -> None:
        """End all processes."""
        for process in (*self.workers, self.scheduler):
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    ground = Ground(tmp_path_factory.mktemp("cluster"))
    yield ground
    ground.close()


@pytest.fixture
def ground(shared: Ground) -> Ground:
    shared.staffed()
    return shared


@pytest.fixture
def runs(tmp_path):
    path = tmp_path / "small.yaml"
    path.write_text(SMALL)
    return config.load(path).runs


def long(runs, epochs):
    return [replace(run, task=replace(run.task, epochs=epochs)) for run in runs]


def joined(ground):
    return executor_for("dask", None, ground.file, None)


def assert_all_the_same(one: dict[object, RunHistory], other: dict[object, RunHistory]) -> None:
    assert one.keys() == other.keys()
    for key, history in one.items():
        assert_same_bits(history, other[key])


@needs_dask
def test_a_cluster_does_not_change_bits(ground, runs):
    news = list(train_runs(runs, engine=joined(ground), every=0))
    checkpoints = [each for each in news if isinstance(each, Checkpoint)]
    finished = [each for each in news if not isinstance(each, Checkpoint) and each.finished]
    assert len(checkpoints) == 2 * len(finished) >= 4
    assert {each.processor for each in finished} == {processor()}
    histories = {history.key: history for each in finished for history in each.finished}
    assert_all_the_same(trained(runs), histories)
    known = list({each.block: each for each in checkpoints}.values())
    again = list(train_runs(runs, engine=joined(ground), known=known))
    assert {each.snapshot.epoch for each in again} == {3}
    assert_all_the_same(histories, {h.key: h for each in again for h in each.finished})


@needs_dask
def test_a_rule_of_ones_own_is_sent_to_the_workers(ground, tmp_path):
    (tmp_path / "own.yaml").write_text(f"{TINY}optimizers: [{{name: mine}}, {{name: adam}}]\n")
    mine = plugins.load(write(tmp_path, GOOD))
    own = config.load(tmp_path / "own.yaml", ["train.seeds=3"], plugins=[mine]).runs
    news = train_runs(own, engine=joined(ground))
    assert_all_the_same(trained(own), {h.key: h for each in news for h in each.finished})


@needs_dask
def test_a_killed_worker_of_a_cluster_costs_nothing(ground, runs):
    runs = long(runs, 10)
    histories, killed = {}, False
    for news in train_runs(runs, engine=joined(ground), every=0):
        if isinstance(news, Checkpoint):
            if not killed:
                ground.workers[0].kill()
            killed = True
        else:
            histories |= {history.key: history for history in news.finished}
    assert killed
    assert ground.workers[0].wait() != 0
    assert_all_the_same(trained(runs), histories)


@needs_dask
def test_news_that_come_twice_count_once(ground, runs):
    from adamcli.runner.cluster import Cluster

    heard = []

    class Echoing(Cluster):
        """Hears of everything again once a block is finished."""

        def _receive(self, event):
            super()._receive(event)
            heard.append(event)

    engine = Echoing.joined(None, ground.file)
    finished = []
    for news in train_runs(runs, engine=engine):
        if news.finished:
            finished += news.finished
            for event in heard[:]:
                Cluster._receive(engine, event)
    assert len(heard) >= 4
    assert len(finished) == len(runs)
    assert_all_the_same(trained(runs), {history.key: history for history in finished})


@needs_dask
def test_leaving_stops_what_the_workers_do(ground, runs):
    progress = train_runs(long(runs, 10**6), engine=joined(ground))
    next(progress)
    progress.close()
    finished = [h for news in train_runs(runs, engine=joined(ground)) for h in news.finished]
    assert len(finished) == len(runs)  # not before the workers are free


@needs_dask
def test_workers_with_other_versions_are_refused(ground, runs, tmp_path):
    information = tmp_path / "numpy-0.1.dist-info"
    information.mkdir()
    (information / "METADATA").write_text("Metadata-Version: 2.1\nName: numpy\nVersion: 0.1\n")
    ground.start_worker(path=tmp_path)
    ground.staffed(3)
    with pytest.raises(UsageError, match=r"a worker has numpy 0\.1, and here is numpy .*tcp://"):
        next(train_runs(runs, engine=joined(ground)))
    ground.workers[-1].kill()
    ground.workers[-1].wait()


@needs_dask
def test_a_cluster_of_ones_own_outlives_its_workers_and_leaves_nothing(tmp_path, monkeypatch):
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    runs = with_a_toxic_rule(tmp_path, "if step.t == 9: os._exit(7)")
    histories = {}
    for news in train_runs(runs, engine=executor_for("dask", None, None, 1)):
        assert list(folder.iterdir())
        histories |= {history.key: history for history in news.finished}
    for run in runs[:2]:
        history = histories.pop((run.label, run.seed))
        assert history.status is Status.FAILED
        assert history.failure.lost
        assert "twice: the worker tcp://127.0.0.1:" in history.failure.message
    assert_all_the_same(trained(runs[2:]), histories)
    assert list(folder.iterdir()) == multiprocessing.active_children() == []


EXPERIMENT = """
name: wide
dataset: {name: spiral, samples: 200, test_samples: 50}
train: {epochs: 10, batch_size: 16, seeds: 4}
optimizers: [{name: adam}]
sweep: {model.hidden.0: [8, 9, 10, 11, 12]}
"""


@needs_dask
def test_workers_that_do_not_start_are_an_error(runs, monkeypatch):
    monkeypatch.setattr("adamcli.runner.cluster.schedulers._STARTING", 0.01)
    with pytest.raises(WorkerError, match="1 workers did not start"):
        next(train_runs(runs, engine=executor_for("dask", None, None, 1)))


@needs_dask
def test_a_training_that_lost_its_scheduler_is_continued_here(cli, tmp_path, monkeypatch):
    (tmp_path / "wide.yaml").write_text(EXPERIMENT)
    ground = Ground(tmp_path)
    ground.staffed()
    keep = Parts.keep

    def keep_and_kill(*arguments):
        keep(*arguments)
        ground.scheduler.kill()
        ground.scheduler.wait()

    command = ["run", tmp_path / "wide.yaml", "--no-figures", "--jobs", "1", "--out"]
    cluster = ["run", tmp_path / "wide.yaml", "--no-figures", "--scheduler-file", ground.file]
    with monkeypatch.context() as patched:
        patched.setattr(Parts, "keep", keep_and_kill)
        code, _, err = cli(*cluster, "--out", tmp_path / "out")
    ground.close()
    assert code == 3
    assert "interrupted: saved 2 of 20 runs" in err
    assert "error: the scheduler is gone, tcp://127.0.0.1:" in err
    assert "Fix: run the same command to continue; without --scheduler" in err
    assert cli(*command, tmp_path / "out")[0] == cli(*command, tmp_path / "other")[0] == 0
    (one,) = (tmp_path / "out").glob("wide-*/metrics.csv")
    (other,) = (tmp_path / "other").glob("wide-*/metrics.csv")
    assert one.read_bytes() == other.read_bytes()


@needs_dask
def test_a_scheduler_that_is_not_there_is_named(cli, monkeypatch, tmp_path):
    monkeypatch.setattr("adamcli.runner.cluster.schedulers._PATIENCE", 0.2)
    command = ["run", "configs/spiral.yaml", "--out", tmp_path, "--no-figures"]
    code, _, err = cli(*command, "--scheduler", "tcp://127.0.0.1:1")
    assert (code, "no scheduler answers, tcp://127.0.0.1:1" in err) == (2, True)
    code, _, err = cli(*command, "--scheduler-file", tmp_path / "none.json")
    assert (code, "no such scheduler file" in err) == (2, True)
    (tmp_path / "bad.json").write_text(json.dumps(["no address"]))
    code, _, err = cli(*command, "--scheduler-file", tmp_path / "bad.json")
    assert (code, "no scheduler answers" in err) == (2, True)


@needs_dask
def test_a_connection_that_tls_forbids_is_refused_at_once(ground, tmp_path):
    tls = {"DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION": "true", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "adamcli", "run", "configs/spiral.yaml", "--no-figures"]
    done = subprocess.run(
        [*command, "--quiet", "--out", tmp_path, "--scheduler-file", ground.file],
        env=os.environ | tls,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: no scheduler answers, ")
    assert "TLS settings" in done.stderr
    assert done.stderr.count("\n") == 1


def test_dask_that_is_not_installed_is_asked_for(cli, monkeypatch, tmp_path):
    monkeypatch.setattr("adamcli.runner.driving.find_spec", lambda name: None)
    command = ["run", "configs/spiral.yaml", "--out", tmp_path, "--no-figures"]
    code, _, err = cli(*command, "--engine", "dask")
    assert code == 2
    assert "dask is not installed" in err
    assert "pip install 'adamcli[dask]'" in err


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("--engine processes --scheduler tcp://a:1", "--scheduler without dask"),
        ("--engine processes --scheduler-file f", "--scheduler-file without dask"),
        ("--scheduler tcp://a:1 --scheduler-file f", "two schedulers"),
        ("--scheduler tcp://a:1 --jobs 2", "which its workers decide"),
        ("--scheduler a:1", "no address 'a:1'"),
        ("--scheduler tcp://a", "no address 'tcp://a'"),
        ("--engine ray", "'ray' is not one of"),
    ],
)
def test_options_that_contradict_each_other_are_refused(cli, given, message):
    for command in ("run configs/spiral.yaml", "compare sgdm adam"):
        code, _, err = cli(*command.split(), *given.split())
        assert code == 2
        assert message in err
        assert "Fix: " in err
