"""Where blocks train: one interface for this process, worker processes and whatever comes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol, Self

from adamcli.environment import processor
from adamcli.runner.planning import Block
from adamcli.runner.work import Assignment, Checkpoint, Progress, one_blas_thread, train_block


@dataclass(frozen=True)
class Lost:
    """News of a block whose training ended without its fault, such as in a killed process.

    Attributes:
        reason: a phrase without a full stop.
    """

    block: Block
    reason: str


class Executor(Protocol):
    """Trains assignments somewhere, in any order; what comes of one does not depend on where.

    It is a context manager: leaving it ends whatever still trains.
    """

    @property
    def jobs(self) -> int:
        """How many assignments it trains at the same time, known once it is entered."""
        ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *error: object) -> None: ...

    def submit(self, assignment: Assignment) -> None:
        """Take an assignment; also while news are read."""
        ...

    def news(self) -> Iterator[Progress | Checkpoint | Lost]:
        """What becomes of the assignments, as it comes, until none is left.

        For each of them the last is a `Progress` with its finished runs, or `Lost`.
        """
        ...


class InProcess:
    """Trains in this process, one assignment after another; an `Executor`."""

    jobs = 1

    def __init__(self) -> None:
        self._left: deque[Assignment] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._left.clear()

    def submit(self, assignment: Assignment) -> None:
        """Train it after those that came before."""
        self._left.append(assignment)

    def news(self) -> Iterator[Progress | Checkpoint]:
        """News of one assignment after another."""
        with one_blas_thread():
            while self._left:
                yield from training(self._left.popleft())


def training(assignment: Assignment) -> Iterator[Progress | Checkpoint]:
    """Train an assignment in this process; its last news name the processor."""
    for news in train_block(assignment):
        if isinstance(news, Progress) and news.finished:
            yield replace(news, processor=processor())
        else:
            yield news


def light(news: Progress | Checkpoint) -> Progress | Checkpoint:
    """News to be sent, without the arrays that only the training itself needs."""
    if isinstance(news, Checkpoint):
        return news
    bare = replace(news.snapshot, params=news.snapshot.params[:0], traces={}, layers={})
    return replace(news, snapshot=bare)
