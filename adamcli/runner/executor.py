"""Where blocks train: one interface for this process, worker processes and whatever comes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol, Self

from adamcli.config import Run
from adamcli.runner.planning import Block
from adamcli.runner.work import (
    Assignment,
    Checkpoint,
    Progress,
    one_blas_thread,
    train_block,
)


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

    def __init__(self) -> None:
        self._left: deque[Assignment] = deque()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._left.clear()

    def submit(self, assignment: Assignment) -> None:
        """Train it after those that came before."""
        self._left.append(assignment)

    def news(self) -> Iterator[Progress | Checkpoint | Lost]:
        """News of one assignment after another."""
        with one_blas_thread():
            while self._left:
                assignment = self._left.popleft()
                yield from train_block(assignment)


def assignments(runs: Sequence[Run], blocks: Sequence[Block]) -> Iterator[Assignment]:
    """Blocks with their runs."""
    for block in blocks:
        yield Assignment(block, tuple(runs[place] for place in block))
