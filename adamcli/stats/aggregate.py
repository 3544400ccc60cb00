"""Several problems in one number and one curve for each optimizer.

Problems of different kinds are never put together. A run's score on its problem is its final
loss on a scale from 0, the median loss of untrained parameters, to 1, the best final loss of
any run compared; in the logarithm, unless a loss is negative. So a score is relative
to the optimizers it was compared with. A run that diverged, failed or ended worse than it
began has 0. Losses below `RESOLUTION` times that of untrained parameters count as solved: what
lies further down is rounding.

Intervals are of seeds drawn anew on these very problems, the two ends of the scale held; of
other problems they say nothing.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, NamedTuple

import numpy as np

from adamcli import seeding
from adamcli.layout import Array
from adamcli.stats.averages import iqm, median
from adamcli.stats.bootstrap import LEVEL, paired_interval, widened
from adamcli.stats.judging import (
    A_BETTER,
    ALPHA,
    B_BETTER,
    MIN_SEEDS,
    MOST_PAIRS,
    NO_VERDICT,
    NOT_DISTINGUISHABLE,
)
from adamcli.stats.problems import normalised, performance_profiles
from adamcli.stats.runs import Trained, by_cell, final, measured, ranking_scores
from adamcli.stats.targets import ACCURACIES, Target, time_to_target

RESOLUTION = 1e-12
"""A loss of this share of the untrained one is as good as none."""

WAYS = (0.5, 0.75, 0.9)
"""Targets without an accuracy: shares of the way from the untrained to the best loss."""

FACTORS = tuple(2 ** (k / 8) for k in range(33))
"""Where performance profiles are taken: from as fast as the fastest to 16 times as slow."""


class Place(NamedTuple):
    """Where a label stands among several problems.

    Attributes:
        kind: what its problem is; only problems of one kind are put together.
        setting: what its optimizer is called on every problem.
    """

    kind: str
    setting: str


@dataclass(frozen=True)
class Standing:
    """What came of one optimizer on all problems of a kind.

    Attributes:
        optimizer: the label without the words that name a problem.
        n: its runs on all problems.
        iqm, low, high: the interquartile mean of its scores and its 95 % bootstrap interval,
            stratified by problem, at the `widened` level; NaN with one seed.
        profile: at each of `FACTORS` the share of targets, over all problems, that it reaches
            in at most so many times the steps of the fastest, by medians over seeds.
    """

    optimizer: str
    n: int
    iqm: float
    low: float
    high: float
    profile: tuple[float, ...]


@dataclass(frozen=True)
class Contrast:
    """How far apart two optimizers are on all problems of a kind.

    Attributes:
        difference: IQM of a minus IQM of b; positive is in favour of a.
        low, high: its bootstrap interval, seeds drawn together for both, so wide that all
            intervals of the kind hold at once with 95 % (Bonferroni).
        verdict: `a better`, `b better`, `not distinguishable`, or `no verdict` where a problem
            has fewer than `MIN_SEEDS` seeds.
    """

    a: str
    b: str
    difference: float
    low: float
    high: float
    verdict: str


@dataclass(frozen=True)
class Aggregate:
    """All optimizers on all problems of a kind.

    Attributes:
        kind: `network`, `surface` or `stress`.
        problems: the cells.
        seeds: how many the problem with the fewest has.
        targets: how many there are, over all problems.
        standings: one per optimizer that is on all problems.
        contrasts: one per pair of them; none of more than `MOST_PAIRS`.
    """

    kind: str
    problems: tuple[str, ...]
    seeds: int
    targets: int
    standings: tuple[Standing, ...]
    contrasts: tuple[Contrast, ...]

    def document(self) -> dict[str, Any]:
        """All of it for JSON, with the factors of the profiles."""
        return {**asdict(self), "factors": [*FACTORS]}


class _Problem(NamedTuple):
    """One problem: scores (L, n), seeds in ascending order, and times (L, targets)."""

    scores: Array
    times: Array


def aggregates(histories: Iterable[Trained], places: Mapping[str, Place]) -> list[Aggregate]:
    """One for each kind with at least two problems and two optimizers that all of them have.

    Runs whose metrics before the first step are unknown are left out.

    Args:
        histories: runs of any number of problems.
        places: of every label.
    """
    kinds: dict[str, dict[str, list[Trained]]] = {}
    known = (history for history in histories if history.initial)
    for cell, runs in by_cell(known).items():
        kinds.setdefault(places[runs[0].label].kind, {})[cell] = runs
    found = (_aggregate(kind, cells, places) for kind, cells in kinds.items() if len(cells) > 1)
    return [each for each in found if each is not None]


def _aggregate(
    kind: str, cells: Mapping[str, Sequence[Trained]], places: Mapping[str, Place]
) -> Aggregate | None:
    """That of one kind; None where fewer than two optimizers are on all problems."""
    tables = [_table(runs, places) for runs in cells.values()]
    settings = [s for s in tables[0] if all(s in table for table in tables)]
    seeds = [sorted(set.intersection(*(set(t[s]) for s in settings))) for t in tables if settings]
    if len(settings) < 2 or not all(seeds):
        return None
    problems = [
        _problem([[table[setting][seed] for seed in common] for setting in settings])
        for table, common in zip(tables, seeds, strict=True)
    ]
    times = np.concatenate([problem.times for problem in problems], axis=1)
    profiles = performance_profiles(times, np.array(FACTORS))
    scores = [problem.scores for problem in problems]
    return Aggregate(
        kind=kind,
        problems=tuple(cells),
        seeds=min(map(len, seeds)),
        targets=times.shape[1],
        standings=_standings(settings, scores, profiles),
        contrasts=_contrasts(settings, scores),
    )


def _table(runs: Sequence[Trained], places: Mapping[str, Place]) -> dict[str, dict[int, Trained]]:
    """The runs of one problem by setting and seed."""
    table: dict[str, dict[int, Trained]] = {}
    for run in runs:
        table.setdefault(places[run.label].setting, {})[run.seed] = run
    return table


def _problem(rows: Sequence[Sequence[Trained]]) -> _Problem:
    """Scores and times of a problem's runs, a row for each setting."""
    runs = [run for row in rows for run in row]
    (score,) = ranking_scores(runs).values()
    finals = np.array([[final(run, score) for run in row] for row in rows])
    starts = np.array([run.initial.get(score, math.nan) for run in runs])
    start = float(np.nanmedian(starts))
    logs = start > 0 and bool((finals >= 0).all())
    floor = RESOLUTION * start if logs else -math.inf
    best = float(np.clip(finals.min(), floor, start))
    ends = [np.maximum(finals, floor), start, best]
    values, zero, one = (np.log(each) for each in ends) if logs else ends
    accuracy = score.replace("loss", "accuracy")
    ways = [float(zero + way * (one - zero)) for way in WAYS]
    targets = [Target(score, math.exp(way) if logs else way) for way in ways]
    if measured(runs, accuracy):
        targets = [Target(accuracy, value) for value in ACCURACIES]
    times = [[[time_to_target(run, t).step for run in row] for t in targets] for row in rows]
    scores = normalised(np.asarray(values), float(zero), float(one))
    # Where nothing improved on the start there is no way from 0 to 1.
    return _Problem(scores if one < zero else np.zeros_like(scores), median(np.array(times)))


def _standings(
    settings: Sequence[str], scores: Sequence[Array], profiles: Array
) -> tuple[Standing, ...]:
    """The IQM of each optimizer with its interval, and its profile."""
    sizes = [each.shape[1] for each in scores]
    low, high = paired_interval(scores, iqm, _stream(), level=_level(LEVEL, sizes))
    numbers = (iqm(np.concatenate(scores, axis=1)).tolist(), low.tolist(), high.tolist())
    rows = zip(settings, *numbers, profiles.tolist(), strict=True)
    return tuple(
        Standing(setting, sum(sizes), middle, lower, upper, tuple(profile))
        for setting, middle, lower, upper, profile in rows
    )


def _contrasts(settings: Sequence[str], scores: Sequence[Array]) -> tuple[Contrast, ...]:
    """The difference of every pair of optimizers, with intervals that hold at once.

    None where there are more than `MOST_PAIRS`: the ends of intervals that all hold lie
    beyond the resamples.
    """
    if math.comb(len(settings), 2) > MOST_PAIRS:
        return ()
    pairs = np.array([*itertools.combinations(range(len(settings)), 2)])

    def differences(values: Array) -> Array:
        """(L, ..., N) to (pairs, ...)."""
        each = iqm(values)
        return each[pairs[:, 0]] - each[pairs[:, 1]]

    sizes = [each.shape[1] for each in scores]
    level = _level(1 - ALPHA / len(pairs), sizes)
    low, high = paired_interval(scores, differences, _stream(), level=level)
    middle = differences(np.concatenate(scores, axis=1))
    rows = zip(pairs.tolist(), middle.tolist(), low.tolist(), high.tolist(), strict=True)
    return tuple(
        Contrast(settings[a], settings[b], found, lower, upper, _word(lower, upper, min(sizes)))
        for (a, b), found, lower, upper in rows
    )


def _word(low: float, high: float, seeds: int) -> str:
    """What an interval says."""
    if seeds < MIN_SEEDS:
        return NO_VERDICT
    if low <= 0 <= high:
        return NOT_DISTINGUISHABLE
    return A_BETTER if low > 0 else B_BETTER


def _level(level: float, sizes: Sequence[int]) -> float:
    """The widened level; the level itself where one seed gives no interval anyway."""
    return widened(level, sizes) if min(sizes) > 1 else level


def _stream() -> np.random.Generator:
    """A new stream for the resamples."""
    return seeding.generator(0, "bootstrap")
