"""What came out of each label over its seeds, and how often it was the best."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from adamcli import seeding
from adamcli.layout import Array
from adamcli.stats.averages import iqm, median
from adamcli.stats.bootstrap import RESAMPLES, iqm_interval
from adamcli.stats.runs import (
    Trained,
    best,
    by_cell,
    by_label,
    by_seed,
    final,
    higher_is_better,
    ranking_scores,
    scores_by_cell,
    worst,
)


@dataclass(frozen=True)
class Spread:
    """How one number varies over seeds.

    Attributes:
        low: lower end of the 95 % bootstrap interval of the IQM; NaN for a single seed, or if
            it was left out.
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
        final: the spread of the last value of each of `SCORES` that the task measures: without
            test data the test scores are absent, without classes the accuracies.
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


def summarize(histories: Iterable[Trained], resamples: int = RESAMPLES) -> list[Summary]:
    """One summary per label, in the order in which the labels first appear.

    Args:
        histories: runs of any number of labels.
        resamples: of the bootstrap; 0 leaves the intervals out, which take most of the time.
    """
    labels = by_label(histories)
    scores = scores_by_cell(history for runs in labels.values() for history in runs)
    rows = [
        [value(history, score) for history in runs]
        for runs in labels.values()
        for value in (final, best)
        for score in scores[runs[0].cell]
    ]
    found = iter(spreads(rows, resamples))
    return [_summary(runs, scores[runs[0].cell], found) for runs in labels.values()]


def _summary(
    histories: Sequence[Trained], scores: Sequence[str], found: Iterator[Spread]
) -> Summary:
    """The summary of the runs of one label, whose spreads are the next that are found."""
    first = histories[0]
    ends = Counter(history.status for history in histories)
    return Summary(
        label=first.label,
        optimizer=first.optimizer,
        cell=first.cell,
        n=len(histories),
        finished=ends["finished"],
        diverged=ends["diverged"],
        failed=ends["failed"],
        final={score: next(found) for score in scores},
        best={score: next(found) for score in scores},
    )


def spreads(rows: Sequence[Sequence[float]], resamples: int = RESAMPLES) -> list[Spread]:
    """The spread of every row of values; rows of one length have the same resamples."""
    places: dict[int, list[int]] = {}
    for place, row in enumerate(rows):
        places.setdefault(len(row), []).append(place)
    found: dict[int, Spread] = {}
    for alike in places.values():
        values = np.array([rows[place] for place in alike])  # (K, n)
        ends = iqm_interval(values, seeding.generator(0, "bootstrap"), resamples)
        columns = (median(values), iqm(values), *ends, values.min(axis=1), values.max(axis=1))
        numbers = np.stack(columns, axis=1).tolist()
        found |= zip(alike, (Spread(*row) for row in numbers), strict=True)
    return [found[place] for place in range(len(rows))]


def wins(histories: Sequence[Trained], score: str | None = None) -> list[Wins]:
    """How often each label's final score is the best of its cell at a seed.

    Only seeds that all labels of a cell have are counted, and a seed at which none finished
    is won by none.

    Args:
        histories: runs of any number of cells and labels.
        score: one of `SCORES`; by default the `ranking_scores`.
    """
    cells = by_cell(histories)
    ranking = dict.fromkeys(cells, score) if score else ranking_scores(histories)
    return [won for cell, runs in cells.items() for won in _cell_wins(runs, ranking[cell])]


def _cell_wins(histories: Sequence[Trained], score: str) -> list[Wins]:
    """The wins of the labels of one cell."""
    finals = by_seed(histories, lambda history: final(history, score))
    seeds = sorted(set.intersection(*(set(values) for values in finals.values())))
    table = np.array([[values[seed] for seed in seeds] for values in finals.values()])
    first = _firsts(table, score)  # (labels, seeds)
    alone = first & (first.sum(axis=0) == 1)
    counts = zip(finals, alone.sum(axis=1), (first & ~alone).sum(axis=1), strict=True)
    return [Wins(label, int(won), int(tied), len(seeds)) for label, won, tied in counts]


def _firsts(table: Array, score: str) -> Array:
    """Which labels are best at each seed, (labels, seeds) of bool."""
    leading = table.max(axis=0) if higher_is_better(score) else table.min(axis=0)
    first: Array = (table == leading) & (leading != worst(score))
    return first
