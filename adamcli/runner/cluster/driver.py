"""The driver's side of a cluster: what is out, what has come of it, what goes out next."""

from __future__ import annotations

import contextlib
import itertools
import pickle
import queue
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from distributed import CancelledError, Client, Future, KilledWorker

from adamcli.errors import WorkerError
from adamcli.runner.cluster import versions
from adamcli.runner.cluster.schedulers import own, silence, there
from adamcli.runner.cluster.task import train
from adamcli.runner.executor import Lost
from adamcli.runner.work import Assignment, Checkpoint, Progress

_AHEAD = 4  # tasks for each worker at a time, so that none waits for its next one
_PULSE = 0.25  # seconds between two looks for what is not there yet
_COUNTED = 5.0  # seconds between two counts of the workers
_ALONE = 120.0  # seconds that a training waits for workers when there are none
_BLAMES = 5  # deaths of workers beside which a task waited, before it is thought the cause


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
        return cls(lambda: own(jobs))

    @classmethod
    def joined(cls, address: str | None, file: Path | None = None) -> Self:
        """A cluster that is there: the address of its scheduler, or a file that names it."""
        return cls(lambda: there(address, file))

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(silence())
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
            train,
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
            versions.check(message["worker"], message["versions"], versions.installed())
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
        found = self._client.get_versions(packages=[*versions.PACKAGES])
        ours = versions.deciding(found["client"])
        for worker, theirs in sorted(found["workers"].items()):
            versions.check(worker, versions.deciding(theirs), ours)

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


def _lost(task: _Task) -> Lost:
    """News of a task whose worker died."""
    where = f" {task.worker}" if task.worker else ""
    return Lost(task.assignment.block, f"the worker{where} has died")
