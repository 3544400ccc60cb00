"""Training in worker processes: each gets the next block when it is done with one."""

from __future__ import annotations

import contextlib
import multiprocessing
import signal
import traceback
from collections import deque
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Self, cast

from adamcli.errors import WorkerError
from adamcli.runner.executor import Lost
from adamcli.runner.planning import Block
from adamcli.runner.work import (
    Assignment,
    Checkpoint,
    Progress,
    one_blas_thread,
    train_block,
)


class _Worker:
    """A process, our end of the pipe to it, and what it is at."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self._process: BaseProcess = context.Process(target=_work, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()
        self.block: Block | None = None

    def give(self, assignment: Assignment) -> None:
        """Let it train an assignment; that it has died shows when it is listened to."""
        self.block = assignment.block
        with contextlib.suppress(OSError):
            self.connection.send(assignment)

    def end(self) -> None:
        """End the process, whatever it is doing."""
        self.connection.close()
        self._process.terminate()
        self._process.join()


class Workers:
    """Trains in processes of its own; an `Executor`.

    Args:
        jobs: how many.
    """

    def __init__(self, jobs: int) -> None:
        self._jobs = jobs
        self._left: deque[Assignment] = deque()
        self._workers: dict[Connection, _Worker] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        while self._workers:
            self._workers.popitem()[1].end()

    def submit(self, assignment: Assignment) -> None:
        """Have it trained by the next worker that is free."""
        self._left.append(assignment)

    def news(self) -> Iterator[Progress | Checkpoint | Lost]:
        """News of all workers.

        Raises:
            WorkerError: the training of a block raised an exception, which is a bug.
        """
        while self._left or any(worker.block for worker in self._workers.values()):
            self._assign()
            busy = [each.connection for each in self._workers.values() if each.block]
            for connection in cast(list[Connection], wait(busy)):
                yield from self._news_of(self._workers[connection])

    def _assign(self) -> None:
        """Give every free worker something to train, and start those that are missing."""
        while self._left and len(self._workers) < self._jobs:
            worker = _Worker()
            self._workers[worker.connection] = worker
            worker.give(self._left.popleft())
        for worker in self._workers.values():
            if self._left and worker.block is None:
                worker.give(self._left.popleft())

    def _news_of(self, worker: _Worker) -> Iterator[Progress | Checkpoint | Lost]:
        """One piece of news of a worker that has some."""
        assert worker.block is not None
        try:
            news = worker.connection.recv()
        except (EOFError, OSError):
            self._workers.pop(worker.connection).end()
            yield Lost(worker.block, "a worker process has died (killed, or out of memory)")
            return
        if isinstance(news, str):
            raise WorkerError(f"a worker process failed:\n{news}", fix="report it")
        if isinstance(news, Progress) and news.finished:
            worker.block = None
        yield news


def _work(connection: Connection) -> None:
    """The life of a worker: train what comes, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us
    with contextlib.suppress(EOFError, OSError), one_blas_thread():
        while True:
            assignment = connection.recv()
            try:
                for news in train_block(assignment):
                    connection.send(_light(news))
            except Exception:
                connection.send(traceback.format_exc())


def _light(news: Progress | Checkpoint) -> Progress | Checkpoint:
    """The same without the arrays that only the training itself needs."""
    if isinstance(news, Checkpoint):
        return news
    bare = replace(news.snapshot, params=news.snapshot.params[:0], traces={}, layers={})
    return replace(news, snapshot=bare)
