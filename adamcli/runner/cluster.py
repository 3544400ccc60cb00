"""Training on a cluster of dask's `distributed`: on many machines, or on this one.

A block is sent out as a task, which ends when the block is done or at its next checkpoint;
then the driver, which alone writes files, sends out the rest of it. So a task that is lost
costs no more than the time between two checkpoints, and whatever a task has to say at its end
comes as its result. In between it logs events, in which small news come: where it has begun,
and once a second how the runs stand. A task without an owner stops after its next evaluation.
"""

from __future__ import annotations

import contextlib
import itertools
import logging
import multiprocessing
import pickle
import queue
import tempfile
import threading
import time
import traceback
import warnings
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import dask
from distributed import (
    CancelledError,
    Client,
    Future,
    KilledWorker,
    LocalCluster,
    Worker,
    get_worker,
)
from distributed.utils import LoopRunner
from distributed.versions import get_versions

from adamcli.errors import UsageError, WorkerError
from adamcli.runner.executor import Lost, light, training
from adamcli.runner.processes import no_interrupt
from adamcli.runner.work import Assignment, Checkpoint, Progress, one_blas_thread

_AHEAD = 4  # tasks for each worker at a time, so that none waits for its next one
_PULSE = 0.25  # seconds between two looks for what is not there yet
_COUNTED = 5.0  # seconds between two counts of the workers
_ALONE = 120.0  # seconds that a training waits for workers when there are none
_PATIENCE = 10.0  # seconds in which a scheduler has to answer
_STARTING = 60.0  # seconds that workers of a cluster of our own have to start
_GRACE = 1.0  # seconds that a cluster of our own has to end
_TOLD = 1.0  # seconds between two reports of a block
_BLAMES = 5  # deaths of workers beside which a task waited, before it is thought the cause
_PACKAGES = ("adamcli", "numpy")
_FAILURES = "distributed.scheduler.allowed-failures"
_RESTARTED = "distributed.deploy.lost-worker-timeout"

# A process that dies in its first moments is not started anew by its nanny, which does not
# know yet that it was there; so no worker trains at once.
_SETTLED = time.monotonic() + 0.5

_TURN = threading.Lock()
"""On a worker: held by the task that trains, whatever number of threads the worker has."""


@dataclass
class _Task:
    """An assignment that is out.

    Attributes:
        worker: the address of the one that has begun with it.
        blames: how often it came to nothing without having begun.
    """

    key: str
    assignment: Assignment
    blames: int
    future: Future = field(repr=False)
    worker: str = ""


class Cluster:
    """Trains on the workers of a scheduler; an `Executor`.

    A worker process trains one block at a time. News of a task that is no longer out, such as
    one that has run twice, are dropped.

    Args:
        opened: makes the connection to a scheduler, and ends it.
    """

    def __init__(self, opened: Callable[[], AbstractContextManager[Client]]) -> None:
        self.jobs = 0
        self._opened = opened
        self._closing = ExitStack()
        self._left: deque[Assignment] = deque()
        self._out: dict[str, _Task] = {}
        self._mail: queue.SimpleQueue[tuple[str, Any]] = queue.SimpleQueue()
        self._numbers = itertools.count()
        self._due = 0.0

    @classmethod
    def local(cls, jobs: int) -> Self:
        """A cluster of this machine's own, gone afterwards, with so many worker processes."""
        return cls(lambda: _own(jobs))

    @classmethod
    def joined(cls, address: str | None, file: Path | None = None) -> Self:
        """A cluster that is there: the address of its scheduler, or a file that names it."""
        return cls(lambda: _there(address, file))

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(_silence())
            self._client = stack.enter_context(self._opened())
            self._check_versions()
            self._count_workers()
            # The scheduler forgets a topic of this name when the client has left.
            self._client.subscribe_topic(self._client.id, self._receive)
            self._closing = stack.pop_all()
        return self

    def __exit__(self, *error: object) -> None:
        self._left.clear()
        self._out.clear()
        self._closing.close()

    def submit(self, assignment: Assignment) -> None:
        """Have it trained by the next worker that is free."""
        self._left.append(assignment)

    def news(self) -> Iterator[Progress | Checkpoint | Lost]:
        """News of all workers.

        Raises:
            WorkerError: the scheduler is gone, or has had no worker for a while, or the
                training of a block raised an exception, which is a bug.
            UsageError: a worker that came later has other versions.
        """
        while self._left or self._out:
            while self._left and len(self._out) < _AHEAD * self.jobs:
                self._send(self._left.popleft())
            if time.monotonic() >= self._due:
                self._count_workers()
            with contextlib.suppress(queue.Empty):
                key, message = self._mail.get(timeout=_PULSE)
                if key in self._out:
                    yield from self._news_of(self._out[key], message)

    def _send(self, assignment: Assignment, *, blames: int = 0) -> None:
        """Make a task of an assignment; one that has begun comes before those that have not."""
        self._check_scheduler()
        key = f"{self._client.id}-{next(self._numbers)}"
        future = self._client.submit(
            _train,
            key,
            self._client.id,
            pickle.dumps(assignment),
            key=key,
            pure=False,
            retries=0,
            priority=int(assignment.memory is not None),
        )
        self._out[key] = _Task(key, assignment, blames, future)
        future.add_done_callback(lambda _: self._mail.put((key, None)))

    def _receive(self, event: tuple[float, Any]) -> None:
        """Put an event of a task into the mail; the scheduler has events of its own."""
        _, message = event
        if isinstance(message, dict) and "task" in message:
            self._mail.put((message["task"], message))

    def _news_of(self, task: _Task, message: Any) -> Iterator[Progress | Checkpoint | Lost]:
        """What a message means: None that the task is over, else what it has told."""
        if message is None:
            del self._out[task.key]
            yield from self._ended(task)
        elif "progress" in message:
            yield pickle.loads(message["progress"])
        elif task.worker:  # it began already: that worker died, and the scheduler tries again
            del self._out[task.key]
            yield _lost(task)
        else:
            _check(message["worker"], message["versions"], _versions(_installed()))
            task.worker = message["worker"]

    def _ended(self, task: _Task) -> Iterator[Progress | Checkpoint | Lost]:
        """The result of a task, or what its failure means."""
        news = self._result(task)
        if isinstance(news, str):
            raise WorkerError(f"a worker failed:\n{news}", fix="report it")
        if news is not None:
            yield news
        if isinstance(news, Checkpoint):
            self._send(task.assignment._replace(memory=news.memory))
        elif news is None and not task.worker and task.blames < _BLAMES:
            # A worker died with which it was only waiting.
            self._send(task.assignment, blames=task.blames + 1)
        elif news is None:
            yield _lost(task)

    def _result(self, task: _Task) -> Progress | Checkpoint | str | None:
        """What a task that is over has returned; None if it was lost."""
        try:
            return pickle.loads(task.future.result())
        except (KilledWorker, OSError, CancelledError):
            self._check_scheduler()
            return None
        except Exception as error:
            return "".join(traceback.format_exception(error))

    def _check_versions(self) -> None:
        """Refuse workers on which a run might have other bits.

        Raises:
            UsageError: one of them has another version of something.
        """
        found = self._client.get_versions(packages=[*_PACKAGES])
        ours = _versions(found["client"])
        for worker, theirs in sorted(found["workers"].items()):
            _check(worker, _versions(theirs), ours)

    def _count_workers(self) -> None:
        """See how many workers there are; wait for one if there is none.

        Raises:
            WorkerError: the scheduler is gone, or has none for a while.
        """
        deadline = time.monotonic() + _ALONE
        while not (count := self._workers()):
            if time.monotonic() > deadline:
                fix = "start workers and run the same command to continue"
                raise WorkerError("the scheduler has no workers", where=self._place, fix=fix)
            time.sleep(_PULSE)
        if self._client.cluster:  # our own: replace workers that it has given up
            self._client.cluster.scale(len(self._client.cluster.worker_spec))
        self.jobs = count
        self._due = time.monotonic() + _COUNTED

    def _workers(self) -> int:
        """How many workers the scheduler has."""
        self._check_scheduler()
        try:
            return len(self._client.nthreads())
        except (OSError, CancelledError) as error:
            raise self._gone() from error

    def _check_scheduler(self) -> None:
        """Say so if the scheduler is gone.

        Raises:
            WorkerError: it is.
        """
        if self._client.status != "running":
            raise self._gone()

    def _gone(self) -> WorkerError:
        """That there is no scheduler any more."""
        fix = "run the same command to continue; without --scheduler it trains on this machine"
        return WorkerError("the scheduler is gone", where=self._place, fix=fix)

    @property
    def _place(self) -> str:
        """The address of the scheduler."""
        return str(self._client.scheduler.address)


def _train(task: str, topic: str, payload: bytes) -> bytes:
    """On a worker: train an assignment to its next checkpoint or its end.

    What goes over the network is pickled here, so that an array arrives with its axes in the
    order in memory that it had.

    Returns:
        The last news; the traceback of an exception; None if nobody waits for any.
    """
    worker = get_worker()
    with _TURN, one_blas_thread():
        began = {"worker": worker.address, "versions": _versions(_installed())}
        worker.log_event(topic, {"task": task, **began})
        time.sleep(max(0.0, _SETTLED - time.monotonic()))
        try:
            news = _last_news(worker, task, topic, pickle.loads(payload))
        except Exception:
            return pickle.dumps(traceback.format_exc())
        return pickle.dumps(news)


def _last_news(
    worker: Worker, task: str, topic: str, assignment: Assignment
) -> Progress | Checkpoint | None:
    """As `_train`; what comes before the last news is told in events."""
    due = 0.0
    for news in training(assignment):
        if not _wanted(worker, task):
            return None
        if isinstance(news, Checkpoint) or news.finished:
            return light(news)
        if time.monotonic() >= due:
            worker.log_event(topic, {"task": task, "progress": pickle.dumps(light(news))})
            due = time.monotonic() + _TOLD
    return None


def _wanted(worker: Worker, task: str) -> bool:
    """Whether the result of a task is waited for; it is not when the driver has ended."""
    state = worker.state.tasks.get(task)
    return state is not None and state.state != "cancelled"


def _lost(task: _Task) -> Lost:
    """News of a task whose worker died."""
    where = f" {task.worker}" if task.worker else ""
    return Lost(task.assignment.block, f"the worker{where} has died")


def _installed() -> dict[str, Any]:
    """The versions of this process, as `distributed` tells those of others."""
    return dict(get_versions(packages=_PACKAGES))


def _versions(found: dict[str, Any]) -> dict[str, str]:
    """Those of a process that decide bits."""
    packages = {name: found["packages"].get(name) or "none" for name in _PACKAGES}
    python = ".".join(found["host"]["python"].split(".")[:3])
    return {**packages, "Python": python}


def _check(worker: str, theirs: dict[str, str], ours: dict[str, str]) -> None:
    """Compare the versions of a worker with those of the driver.

    Raises:
        UsageError: they differ.
    """
    differing = [name for name in ours if theirs[name] != ours[name]]
    if differing:
        there = ", ".join(f"{name} {theirs[name]}" for name in differing)
        here = ", ".join(f"{name} {ours[name]}" for name in differing)
        what = f"a worker has {there}, and here is {here}"
        raise UsageError(what, where=worker, fix="install the same versions everywhere")


@contextlib.contextmanager
def _own(jobs: int) -> Iterator[Client]:
    """A scheduler and workers on this machine, which no other machine can reach."""
    with (
        tempfile.TemporaryDirectory(prefix="adamcli-", ignore_cleanup_errors=True) as folder,
        # What is done about a task whose worker died is decided by us.
        dask.config.set({_FAILURES: 0, _RESTARTED: "30 s", "temporary-directory": folder}),
        _children() as kill,
        _loop() as loop,
        _cluster(loop, folder) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        try:
            cluster.scale(jobs)
            _await_workers(client, jobs)
            yield client
        finally:
            for nanny in cluster.workers.values():
                nanny.auto_restart = False
            kill()


def _await_workers(client: Client, jobs: int) -> None:
    """Wait until workers of our own have started.

    Raises:
        WorkerError: they do not.
    """
    try:
        client.wait_for_workers(jobs, timeout=_STARTING)
    except TimeoutError as error:
        what = f"{jobs} workers did not start within {_STARTING:.0f} s"
        raise WorkerError(what, fix="train with --jobs instead of --engine dask") from error


@contextlib.contextmanager
def _cluster(loop: Any, folder: str) -> Iterator[LocalCluster]:
    """A scheduler on this machine whose workers are still to come."""
    cluster = LocalCluster(
        loop=loop,
        n_workers=0,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
        memory_limit=0,  # as without dask, nothing is stopped for its size
        local_directory=folder,
        silence_logs=logging.CRITICAL,
    )
    cluster.shutdown_on_close = False  # we close it; at exit it would wait ten seconds more
    try:
        yield cluster
    finally:
        with contextlib.suppress(TimeoutError):
            cluster.close(timeout=_GRACE)


@contextlib.contextmanager
def _loop() -> Iterator[Any]:
    """An event loop in a thread of its own, whose child processes Ctrl-C does not reach."""
    runner = LoopRunner(asynchronous=False)
    with no_interrupt():
        runner.start()
    try:
        yield runner.loop
    finally:
        runner.stop()


@contextlib.contextmanager
def _children() -> Iterator[Callable[[], None]]:
    """Gives a way to kill the processes that were started meanwhile; at the end none is left.

    Asked to end, a worker would first train its block; and one that still starts is known to
    nobody but this process, whose child it is.
    """
    others = multiprocessing.active_children()

    def kill() -> None:
        for child in multiprocessing.active_children():
            if child not in others:
                child.kill()
                child.join(_GRACE)

    try:
        yield kill
    finally:
        kill()


@contextlib.contextmanager
def _there(address: str | None, file: Path | None) -> Iterator[Client]:
    """A scheduler that somebody else has started.

    Raises:
        UsageError: it does not answer.
    """
    where = address or str(file)
    if file is not None and not file.is_file():
        fix = "give the file that `dask scheduler --scheduler-file` writes"
        raise UsageError("no such scheduler file", where=where, fix=fix)
    given = {"address": address} if file is None else {"scheduler_file": str(file)}
    try:
        client = Client(**given, set_as_default=False, timeout=_PATIENCE)
    except (OSError, ValueError, TypeError, KeyError) as error:
        fix = "start one with `dask scheduler`, and check address, firewall and TLS settings"
        raise UsageError("no scheduler answers", where=where, fix=fix) from error
    with client:
        yield client


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Keep what `distributed` logs and warns of from the terminal; its errors are ours to tell."""
    for name in [*logging.root.manager.loggerDict]:
        if name.partition(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    with warnings.catch_warnings(action="ignore"):
        yield
