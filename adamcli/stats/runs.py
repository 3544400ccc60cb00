"""What the statistics need of a run, and what a run counts that did not finish."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from adamcli.layout import Array

SCORES = (
    "train_loss",
    "train_accuracy",
    "test_loss",
    "test_accuracy",
    "validation_loss",
    "validation_accuracy",
)
"""The metrics by which runs are compared."""

_RANKING = ("test_loss", "validation_loss", "train_loss")  # the first that there is


class Trained(Protocol):
    """What the statistics need of a run: `adamcli.history.RunHistory` has it."""

    @property
    def label(self) -> str:
        """Which setting of the experiment."""
        ...

    @property
    def optimizer(self) -> str:
        """The name of its rule."""
        ...

    @property
    def cell(self) -> str:
        """Which problem of a sweep."""
        ...

    @property
    def seed(self) -> int:
        """Which random numbers."""
        ...

    @property
    def status(self) -> str:
        """How it ended: `finished`, `diverged` or `failed`."""
        ...

    @property
    def epochs(self) -> Array:
        """(E,), how many epochs were done at each evaluation."""
        ...

    @property
    def steps(self) -> Array:
        """(E,), how many steps were done at each evaluation."""
        ...

    @property
    def metrics(self) -> Mapping[str, Array]:
        """What was measured, (E,) each."""
        ...

    @property
    def initial(self) -> Mapping[str, float]:
        """The metrics before the first step, empty where they are not known."""
        ...

    def final(self, metric: str) -> float:
        """The last value; NaN if it did not finish."""
        ...

    def best(self, metric: str) -> float:
        """The best value; NaN if there is none."""
        ...


def worst(score: str) -> float:
    """What a diverged or failed run has: accuracy 0, or an infinite loss."""
    return 0.0 if higher_is_better(score) else math.inf


def higher_is_better(score: str) -> bool:
    """Whether more of it is better: an accuracy. Of losses and of steps, less is."""
    return score.endswith("accuracy")


def final(history: Trained, score: str) -> float:
    """The last value of a run, the worst if it did not finish."""
    return _or_worst(history.final(score), score)


def best(history: Trained, score: str) -> float:
    """The best value of a run before it ended in whatever way, the worst if it had none."""
    return _or_worst(history.best(score), score)


def _or_worst(value: float, score: str) -> float:
    """The value, or the worst in place of NaN."""
    return worst(score) if math.isnan(value) else value


def ranking_scores(histories: Iterable[Trained]) -> dict[str, str]:
    """The score that ranks in each cell: the loss on held-out points, else the train loss."""
    scores = scores_by_cell(histories)
    return {c: next(s for s in _RANKING if s in each) for c, each in scores.items()}


def scores_by_cell(histories: Iterable[Trained]) -> dict[str, list[str]]:
    """The scores that each cell has: the train loss, and those that its task measures."""
    return {
        cell: [s for s in SCORES if s == "train_loss" or any(s in run.metrics for run in runs)]
        for cell, runs in by_cell(histories).items()
    }


def measured(histories: Iterable[Trained], metric: str) -> bool:
    """Whether any of the runs ever measured the metric."""
    return any(len(history.metrics.get(metric, ())) > 0 for history in histories)


def by_cell(histories: Iterable[Trained]) -> dict[str, list[Trained]]:
    """Runs by problem, in the order in which the problems first appear."""
    return _grouped(histories, lambda history: history.cell)


def by_label(histories: Iterable[Trained]) -> dict[str, list[Trained]]:
    """Runs by label, in the order in which the labels first appear."""
    return _grouped(histories, lambda history: history.label)


def by_seed(
    histories: Iterable[Trained], value: Callable[[Trained], float]
) -> dict[str, dict[int, float]]:
    """One number per label and seed, so that no seed can count twice."""
    return {
        label: {history.seed: value(history) for history in runs}
        for label, runs in by_label(histories).items()
    }


def _grouped(
    histories: Iterable[Trained], name: Callable[[Trained], str]
) -> dict[str, list[Trained]]:
    """Runs by a name of theirs, in the order in which the names first appear."""
    groups: dict[str, list[Trained]] = {}
    for history in histories:
        groups.setdefault(name(history), []).append(history)
    return groups
