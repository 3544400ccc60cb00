"""The numbers of a claim: label a against every baseline on every problem."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adamcli.palette import setting_of
from adamcli.stats import paired
from adamcli.stats.aspects import MORE, Aspect, Recorded
from adamcli.stats.comparing import NOTHING, Comparison, Measure, compare, p_values, share_better
from adamcli.stats.judging import ALPHA
from adamcli.stats.targets import next_evaluation


@dataclass(frozen=True)
class Hypothesis:
    """A beats every b on a metric at a horizon by more than a margin.

    Attributes:
        a: the label that is claimed to be better, without the words of a cell.
        baselines: the labels that it is compared with.
        aspect: the metric.
        wins: `LESS` or `MORE` of it.
        margin: a factor from 1, or a difference from 0, see the module.
        horizon: in epochs; None for the end of training.
    """

    a: str
    baselines: tuple[str, ...]
    aspect: Aspect
    wins: str
    margin: float
    horizon: int | None = None

    @property
    def distance(self) -> float:
        """The margin on the scale of the comparison."""
        return math.log(self.margin) if self.aspect.is_factor else self.margin

    @property
    def sign(self) -> int:
        """What turns a - b into an advantage of a."""
        return 1 if self.wins == MORE else -1


@dataclass(frozen=True)
class Contest:
    """One baseline on one problem.

    Attributes:
        cell: the problem.
        b: the baseline.
        n: seeds that both labels have.
        infinite: at how many of them one diverged or missed the target and the other did not;
            with any, the effect is a bound.
        effect: the mean advantage of a, as a factor or a difference.
        low, high: its 95 % interval; NaN for fewer than two seeds.
        p: of the test that the advantage is the margin.
        p_adjusted: by Holm over the contests of the claim.
        p_better: the share of seeds at which a was better by more than the margin, ties half.
    """

    cell: str
    b: str
    n: int
    infinite: int
    effect: float
    low: float
    high: float
    p: float
    p_adjusted: float
    p_better: float

    @property
    def name(self) -> str:
        """Against whom, and where there are several problems on which."""
        return f"{self.b} on {self.cell}" if self.cell else self.b


Table = dict[str, dict[int, float]]
"""One value per label and seed of one problem, on the scale of the comparison."""


def values_of(hypothesis: Hypothesis, runs: Sequence[Recorded]) -> Table:
    """The values of the runs of one problem."""
    table: Table = {}
    for run in runs:
        value = hypothesis.aspect.value(run, hypothesis.horizon)
        scaled = _logarithm(value) if hypothesis.aspect.is_factor else value
        table.setdefault(setting_of(run.label, run.cell), {})[run.seed] = scaled
    return table


def _logarithm(value: float) -> float:
    """The natural logarithm: minus infinity of 0, NaN of what has none."""
    if value == 0:
        return -math.inf
    return math.log(value) if value > 0 else math.nan


def unmeasured(hypothesis: Hypothesis, table: Table) -> str:
    """Which value cannot be computed; empty if all can."""
    for label, values in table.items():
        for seed, value in values.items():
            if math.isnan(value):
                return f"{hypothesis.aspect.name} has no value for {label} at seed {seed}"
    return ""


@dataclass(frozen=True)
class _Compared:
    """A and a baseline on one problem: as they are, and the test with a handicapped."""

    cell: str
    b: str
    size: Comparison = NOTHING
    p: float = 1.0
    p_better: float = 0.5


def contests_of(
    hypothesis: Hypothesis,
    groups: Sequence[Sequence[Recorded]],
    tables: Sequence[Table],
    resamples: int,
) -> tuple[Contest, ...]:
    """Every baseline on every problem."""
    found = [
        _compared(hypothesis, b, table, group, resamples)
        for group, table in zip(groups, tables, strict=True)
        for b in hypothesis.baselines
    ]
    adjusted = paired.holm(np.array([each.p for each in found])).tolist()
    return tuple(_contest(hypothesis, *pair) for pair in zip(found, adjusted, strict=True))


def _compared(
    hypothesis: Hypothesis, b: str, table: Table, runs: Sequence[Recorded], resamples: int
) -> _Compared:
    """A and a baseline at the seeds that both have."""
    mine, other = (table.get(label, {}) for label in (hypothesis.a, b))
    seeds = sorted(mine.keys() & other.keys())
    cell, aspect = runs[0].cell, hypothesis.aspect
    if not seeds:
        return _Compared(cell, b)
    miss = _logarithm(next_evaluation(runs)) if aspect.by_order else None
    measure = Measure(aspect.name, aspect.unit, hypothesis.sign > 0, miss)
    values, others = (np.array([[each[seed] for seed in seeds]]) for each in (mine, other))
    handicapped = values - hypothesis.sign * hypothesis.distance
    return _Compared(
        cell,
        b,
        compare(measure, values, others, ALPHA, resamples)[0],
        float(p_values(measure, handicapped, others)[0]),
        float(share_better(handicapped, others, measure.higher)[0][0]),
    )


def _contest(hypothesis: Hypothesis, found: _Compared, p_adjusted: float) -> Contest:
    """The numbers of a comparison, seen from a."""
    size, sign = found.size, hypothesis.sign
    advantages = [sign * size.difference, *sorted((sign * size.low, sign * size.high))]
    effect, low, high = map(_factor, advantages) if hypothesis.aspect.is_factor else advantages
    return Contest(
        cell=found.cell,
        b=found.b,
        n=size.n,
        infinite=size.infinite,
        effect=effect,
        low=low,
        high=high,
        p=found.p,
        p_adjusted=p_adjusted,
        p_better=found.p_better,
    )


def _factor(logarithm: float) -> float:
    """The factor of a log ratio; infinite where it is too large for a float."""
    return math.exp(logarithm) if not logarithm > 700 else math.inf
