"""What is asked of the runs of one cell: metrics on the scale on which they are compared."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from adamcli.stats.comparing import DIFFERENCE, LOG_RATIO, Measure
from adamcli.stats.runs import Trained, by_seed, final, higher_is_better, measured
from adamcli.stats.targets import ACCURACIES, Target, next_evaluation, time_to_target

Values = dict[str, dict[int, float]]
"""One value per label and seed."""


def questions(
    runs: Sequence[Trained], targets: Sequence[Target] | None
) -> Iterator[tuple[Measure, Values]]:
    """Final loss, final accuracy and the steps to each target, as far as they were measured.

    On test data or, while tuning, validation data; on training data where there is neither.
    """
    held_out = ("test", "validation")
    split = next((part for part in held_out if measured(runs, f"{part}_loss")), "train")
    yield _final(runs, f"{split}_loss")
    accuracy = f"{split}_accuracy"
    if measured(runs, accuracy):
        yield _final(runs, accuracy)
    for target in [Target(accuracy, x) for x in ACCURACIES] if targets is None else targets:
        if measured(runs, target.metric):
            yield _steps_to(runs, target)


def _final(runs: Sequence[Trained], score: str) -> tuple[Measure, Values]:
    """Final values; losses as logarithms unless one is negative."""
    values = by_seed(runs, lambda history: final(history, score))
    higher = higher_is_better(score)
    if higher or min(min(each.values()) for each in values.values()) < 0:
        return Measure(score, DIFFERENCE, higher), values
    return Measure(score, LOG_RATIO, higher), _logarithms(values)


def _steps_to(runs: Sequence[Trained], target: Target) -> tuple[Measure, Values]:
    """Logarithms of the steps to a target, infinite for a miss."""
    steps = by_seed(runs, lambda history: time_to_target(history, target).step)
    miss = _log(next_evaluation(runs))
    return Measure(target.name, LOG_RATIO, higher=False, miss=miss), _logarithms(steps)


def _logarithms(values: Values) -> Values:
    """The logarithm of every value."""
    return {
        label: {seed: _log(value) for seed, value in each.items()} for label, each in values.items()
    }


def _log(value: float) -> float:
    """The natural logarithm, minus infinity of 0."""
    return math.log(value) if value else -math.inf
