"""The training loop, one epoch after another.

It neither prints nor writes, knows no file and no config, and does not know what it minimises.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adamcli.history import Memory
from adamcli.problems import Problem
from adamcli.training.stack import Snapshot, Stack
from adamcli.training.trainees import Trainee


class Training:
    """A stack on its way, which can be left after any epoch and taken up again.

    A run whose loss is no longer finite, or whose rule fails, is frozen where it is; the
    others go on with the same bits. Training ends early when all have stopped.

    Args:
        problem: R rows of something to minimise, of which nothing was asked yet but `evaluate`.
        trainees: one per row; rows that share a rule should be neighbours.
        epochs: how many; the schedules' horizon is all their steps.
        eval_every: epochs between two evaluations; the last epoch always has one.
    """

    def __init__(
        self, problem: Problem, trainees: Sequence[Trainee], *, epochs: int, eval_every: int = 1
    ) -> None:
        self._problem = problem
        self._stack = Stack(problem, trainees, total=epochs * problem.steps_per_epoch)
        self._epochs, self._eval_every = epochs, eval_every
        self._epoch = 0

    @property
    def done(self) -> bool:
        """Whether nothing is left to train; never before the first epoch, so a snapshot comes."""
        return self._epoch == self._epochs or (self._epoch > 0 and self._stack.all_stopped)

    def advance(self) -> Snapshot | None:
        """Train one epoch; a snapshot where there is an evaluation after it."""
        self._epoch += 1
        evaluate = self._epoch % self._eval_every == 0 or self._epoch == self._epochs
        self._stack.train_epoch(measure=evaluate)
        return self._stack.snapshot(self._epoch) if evaluate or self._stack.all_stopped else None

    def memory(self) -> Memory | None:
        """All that a new training needs to go on from here with the same bits.

        None where that cannot be told: a rule has state that is no plain array of numbers.
        """
        stack = self._stack.memory()
        if stack is None:
            return None
        return Memory.joined({"loop": Memory({"epoch": self._epoch}), "stack": stack})

    def recall(self, memory: Memory) -> None:
        """Go on from where another training with the same arguments was at its `memory`.

        Only before the first epoch. Batches that the other one has seen are drawn again.

        Raises:
            ValueError: the memory is of other runs; the message names an array that differs.
        """
        self._stack.recall(memory.part("stack"))
        self._epoch = memory.part("loop").facts["epoch"]
        self._problem.skip(self._epoch)


def train(
    problem: Problem, trainees: Sequence[Trainee], *, epochs: int, eval_every: int = 1
) -> Iterator[Snapshot]:
    """Train a stack and yield a snapshot after every `eval_every` epochs and the last.

    Args: as of `Training`.
    """
    training = Training(problem, trainees, epochs=epochs, eval_every=eval_every)
    while not training.done:
        snapshot = training.advance()
        if snapshot is not None:
            yield snapshot
