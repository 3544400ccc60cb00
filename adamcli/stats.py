"""Statistics over seeds: medians, interquartile means, bootstrap intervals, wins.

A diverged or failed run stays in the sample and counts as the worst there is: an infinite
loss, an accuracy of 0. So no mean is taken over the runs that happened to survive, and no NaN
can rank first.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from adamcli import seeding
from adamcli.layout import Array

SCORES = ("train_loss", "train_accuracy", "test_loss", "test_accuracy")
"""The metrics by which runs are compared."""

Statistic = Callable[[Array], Array]
"""Reduces the last axis of its argument: (..., n) to (...)."""

_RESAMPLES = 10_000
_LEVEL = 0.95

# Resampled values held at a time; about what fits in a second-level cache.
_CHUNK = 2**16


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
    def metrics(self) -> Mapping[str, Array]:
        """What was measured, (E,) each."""
        ...

    def final(self, metric: str) -> float:
        """The last value; NaN if it did not finish."""
        ...

    def best(self, metric: str) -> float:
        """The best value; NaN if there is none."""
        ...


@dataclass(frozen=True)
class Spread:
    """How one number varies over seeds.

    Attributes:
        low: lower end of the 95 % bootstrap interval of the IQM; NaN for a single seed.
        high: its upper end.
    """

    median: float
    iqm: float
    low: float
    high: float
    min: float
    max: float


@dataclass(frozen=True)
class Summary:
    """What came out of one label over all its seeds.

    Attributes:
        n: how many runs there are.
        finished: how many of them finished.
        diverged: how many diverged; they count as worst, see `worst`.
        failed: how many failed; they count as worst too.
        final: the spread of the last value of each of `SCORES`; without test data the test
            scores are absent.
        best: the spread of the best value that each run had at any evaluation.
    """

    label: str
    optimizer: str
    cell: str
    n: int
    finished: int
    diverged: int
    failed: int
    final: Mapping[str, Spread]
    best: Mapping[str, Spread]


@dataclass(frozen=True)
class Wins:
    """How often one label was the best of its cell.

    Attributes:
        alone: seeds at which it was better than every other label.
        shared: seeds at which it was best together with others.
        seeds: seeds that every label of the cell has.
    """

    label: str
    alone: int
    shared: int
    seeds: int


def median(values: Array) -> Array:
    """The median along the last axis, (..., n) to (...); infinities are ordinary values."""
    ordered = np.sort(values, axis=-1)
    n = ordered.shape[-1]
    return _middle_mean(ordered, (n - 1) // 2)


def iqm(values: Array) -> Array:
    """The interquartile mean along the last axis, (..., n) to (...).

    The mean without the lowest and the highest quarter, each floor(n / 4) values; equal to
    scipy.stats.trim_mean(values, 0.25).

    Source: Agarwal et al., Deep Reinforcement Learning at the Edge of the Statistical
        Precipice, 2021, arXiv:2108.13264.
    """
    ordered = np.sort(values, axis=-1)
    return _middle_mean(ordered, ordered.shape[-1] // 4)


def _middle_mean(ordered: Array, cut: int) -> Array:
    """The mean along the last axis without `cut` values at either end."""
    middle = ordered[..., cut : ordered.shape[-1] - cut]
    with np.errstate(over="ignore"):  # a sum of losses near 1e308 is infinite, as they nearly are
        mean: Array = middle.mean(axis=-1)
    return mean


def bootstrap_interval(
    values: Array,
    statistic: Statistic,
    rng: np.random.Generator,
    resamples: int = _RESAMPLES,
    level: float = _LEVEL,
) -> tuple[Array, Array]:
    """The percentile bootstrap interval of a statistic that ignores the order of its values.

    The ends are values of the statistic on some resample, the next one outward where the
    percentile falls between two. At small n such intervals are too narrow: at n = 5 they
    cover the truth less often than `level`.

    Args:
        values: (..., n); leading axes are resampled alike.
        statistic: maps (..., n) to (...).
        rng: draws (resamples, n) indices.
        resamples: how many samples of n are drawn.
        level: the share of resamples between the ends.

    Returns:
        The lower and the upper end, each (...); NaN for n < 2.

    Source: Efron, Bootstrap Methods: Another Look at the Jackknife, 1979.
    """
    n = values.shape[-1]
    if n < 2:
        return np.full(values.shape[:-1], np.nan), np.full(values.shape[:-1], np.nan)
    ordered = np.sort(values, axis=-1)  # so that the order of the runs does not matter
    rows = max(1, _CHUNK // values.size)
    pieces = [
        statistic(ordered[..., rng.integers(n, size=(min(rows, resamples - at), n))])
        for at in range(0, resamples, rows)
    ]
    estimates = np.sort(np.concatenate(pieces, axis=-1), axis=-1)
    outside = (resamples - 1) * (1 - level) / 2
    return estimates[..., math.floor(outside)], estimates[..., -1 - math.floor(outside)]


def summarize(histories: Iterable[Trained]) -> list[Summary]:
    """One summary per label, in the order in which the labels first appear."""
    by_label = _grouped(histories, lambda history: history.label)
    scores = _scores_by_cell(history for runs in by_label.values() for history in runs)
    return [_summary(runs, scores[runs[0].cell]) for runs in by_label.values()]


def worst(score: str) -> float:
    """What a diverged or failed run has: accuracy 0, or an infinite loss."""
    return 0.0 if score.endswith("accuracy") else math.inf


def final(history: Trained, score: str) -> float:
    """The last value of a run, the worst if it did not finish."""
    return _or_worst(history.final(score), score)


def best(history: Trained, score: str) -> float:
    """The best value of a run before it ended in whatever way, the worst if it had none."""
    return _or_worst(history.best(score), score)


def _or_worst(value: float, score: str) -> float:
    """The value, or the worst in place of NaN."""
    return worst(score) if math.isnan(value) else value


def wins(histories: Sequence[Trained], score: str | None = None) -> list[Wins]:
    """How often each label's final score is the best of its cell at a seed.

    Only seeds that all labels of a cell have are counted, and a seed at which none finished
    is won by none.

    Args:
        histories: runs of any number of cells and labels.
        score: one of `SCORES`; by default the `ranking_score`.
    """
    cells = _grouped(histories, lambda history: history.cell)
    score = score or ranking_score(histories)
    return [won for runs in cells.values() for won in _cell_wins(runs, score)]


def ranking_score(histories: Iterable[Trained]) -> str:
    """The score that ranks: the test loss where every cell has one, else the train loss."""
    scores = _scores_by_cell(histories)
    return "test_loss" if all("test_loss" in each for each in scores.values()) else "train_loss"


def _cell_wins(histories: Sequence[Trained], score: str) -> list[Wins]:
    """The wins of the labels of one cell."""
    finals: dict[str, dict[int, float]] = {}
    for history in histories:
        finals.setdefault(history.label, {})[history.seed] = final(history, score)
    seeds = sorted(set.intersection(*(set(values) for values in finals.values())))
    table = np.array([[values[seed] for seed in seeds] for values in finals.values()])
    first = _firsts(table, score)  # (labels, seeds)
    alone = first & (first.sum(axis=0) == 1)
    counts = zip(finals, alone.sum(axis=1), (first & ~alone).sum(axis=1), strict=True)
    return [Wins(label, int(won), int(tied), len(seeds)) for label, won, tied in counts]


def _firsts(table: Array, score: str) -> Array:
    """Which labels are best at each seed, (labels, seeds) of bool."""
    leading = table.max(axis=0) if score.endswith("accuracy") else table.min(axis=0)
    first: Array = (table == leading) & (leading != worst(score))
    return first


def _summary(histories: Sequence[Trained], scores: Sequence[str]) -> Summary:
    """The summary of the runs of one label."""
    first = histories[0]
    ends = Counter(history.status for history in histories)
    finals = [[final(history, score) for history in histories] for score in scores]
    bests = [[best(history, score) for history in histories] for score in scores]
    spreads = _spreads(np.array(finals + bests))
    return Summary(
        label=first.label,
        optimizer=first.optimizer,
        cell=first.cell,
        n=len(histories),
        finished=ends["finished"],
        diverged=ends["diverged"],
        failed=ends["failed"],
        final=dict(zip(scores, spreads, strict=False)),
        best=dict(zip(scores, spreads[len(scores) :], strict=True)),
    )


def _spreads(values: Array) -> list[Spread]:
    """The spread of every row of values (K, n), with the same resamples for all."""
    low, high = bootstrap_interval(values, iqm, seeding.generator(0, "bootstrap"))
    columns = (median(values), iqm(values), low, high, values.min(axis=1), values.max(axis=1))
    return [Spread(*row) for row in np.stack(columns, axis=1).tolist()]


def _scores_by_cell(histories: Iterable[Trained]) -> dict[str, list[str]]:
    """The scores that the runs of each cell have: those of training, and measured others."""
    cells = _grouped(histories, lambda history: history.cell)
    return {
        cell: [s for s in SCORES if s.startswith("train") or any(_has(run, s) for run in runs)]
        for cell, runs in cells.items()
    }


def _has(history: Trained, score: str) -> bool:
    """Whether the score was ever measured in a run."""
    return len(history.metrics.get(score, ())) > 0


def _grouped(
    histories: Iterable[Trained], name: Callable[[Trained], str]
) -> dict[str, list[Trained]]:
    """Runs by a name of theirs, in the order in which the names first appear."""
    groups: dict[str, list[Trained]] = {}
    for history in histories:
        groups.setdefault(name(history), []).append(history)
    return groups
