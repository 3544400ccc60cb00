"""Training in worker processes: each gets the next block when it is done with one."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import threading
import time
import traceback
from collections import deque
from collections.abc import Iterable, Iterator
from multiprocessing import resource_tracker
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Self, cast

from adamcli.errors import WorkerError
from adamcli.runner.executor import Lost, light, training
from adamcli.runner.planning import Block
from adamcli.runner.work import Assignment, Checkpoint, Progress, one_blas_thread

_PATIENCE = 1.0  # seconds that workers have to end when they are asked to


@contextlib.contextmanager
def no_interrupt() -> Iterator[None]:
    """Keep Ctrl-C from processes and threads that start meanwhile; we get it afterwards."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    resource_tracker.ensure_running()  # which would lift the block when it starts
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


class _Worker:
    """A process, our end of the pipe to it, and what it is at."""

    def __init__(self) -> None:
        context = multiprocessing.get_context("spawn")
        self.connection, theirs = context.Pipe()
        self.process: BaseProcess = context.Process(target=_work, args=(theirs,), daemon=True)
        with no_interrupt():
            self.process.start()
        theirs.close()
        self.block: Block | None = None

    def give(self, assignment: Assignment) -> None:
        """Let it train an assignment; that it has died shows when it is listened to."""
        self.block = assignment.block
        with contextlib.suppress(OSError):
            self.connection.send(assignment)


class Workers:
    """Trains in processes of its own; an `Executor`.

    Args:
        jobs: how many.
    """

    def __init__(self, jobs: int) -> None:
        self.jobs = jobs
        self._left: deque[Assignment] = deque()
        self._workers: dict[Connection, _Worker] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        _end(self._workers.values())
        self._workers.clear()

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
        """Give every free worker something to train; start those that are missing."""
        free = [worker for worker in self._workers.values() if worker.block is None]
        for worker in free:
            if not worker.process.is_alive():
                del self._workers[worker.connection]
        idle = sum(worker.block is None for worker in self._workers.values())
        for _ in range(min(self.jobs - len(self._workers), len(self._left) - idle)):
            worker = _Worker()
            self._workers[worker.connection] = worker
        for worker in self._workers.values():
            if self._left and worker.block is None:
                worker.give(self._left.popleft())

    def _news_of(self, worker: _Worker) -> Iterator[Progress | Checkpoint | Lost]:
        """One piece of news of a worker that has some."""
        assert worker.block is not None
        try:
            news = worker.connection.recv()
        except (EOFError, OSError):
            del self._workers[worker.connection]
            _end([worker])
            yield Lost(worker.block, f"a worker process {_how_it_ended(worker.process)}")
            return
        if isinstance(news, str):
            raise WorkerError(f"a worker process failed:\n{news}", fix="report it")
        if isinstance(news, Progress) and news.finished:
            worker.block = None
        yield news


def _end(workers: Iterable[_Worker]) -> None:
    """End processes, whatever they are doing."""
    workers = [*workers]
    for worker in workers:
        worker.connection.close()
        worker.process.terminate()
    deadline = time.monotonic() + _PATIENCE
    for worker in workers:
        worker.process.join(max(0.0, deadline - time.monotonic()))
        worker.process.kill()
        worker.process.join()


def _how_it_ended(process: BaseProcess) -> str:
    """What the exit code of a process says, as a predicate."""
    code = process.exitcode
    if code is None or code >= 0:
        return f"has ended by itself, with exit code {code}"
    reason = " (out of memory, or by hand)" if code == -9 else ""
    return f"was killed by signal {-code}{reason}"


def _work(connection: Connection) -> None:
    """The life of a worker: train what comes, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us
    threading.Thread(target=_end_with_parent, daemon=True).start()
    with contextlib.suppress(EOFError, OSError), one_blas_thread():
        while True:
            assignment = connection.recv()
            try:
                for news in training(assignment):
                    connection.send(light(news))
            except Exception:
                connection.send(traceback.format_exc())


def _end_with_parent() -> None:
    """End this process when its parent has ended, whatever the training is doing."""
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
