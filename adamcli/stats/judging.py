"""Verdicts: which of two labels is better, or why the runs cannot tell.

Labels are compared in pairs, on the seeds that both have, in one of two ways.

Final values by size: the mean paired difference with its BCa interval at the `widened` level,
and the sign-flip test. Losses are compared as logarithms: they are skewed and spread over
orders of magnitude, so that one hard seed would outweigh all others, and a mean log ratio is a
factor that can be read, such as 0.8 times the loss. Where a loss is negative, as on a saddle,
losses are compared as they are; accuracies always are.

Steps to a target by order: a miss comes after every hit, but has no size. So the sign test
and, as the difference, the median log ratio of the steps with its exact interval. In that ratio
a miss counts as a hit at the next evaluation, the earliest that it could have been, so that
with misses it is a bound.

A win needs both: the interval leaves out 0, and the p adjusted by Holm over all pairs of the
metric in its cell is below 0.05. Every metric is a question of its own: nothing is adjusted
over metrics.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from adamcli.stats import paired
from adamcli.stats.bootstrap import RESAMPLES
from adamcli.stats.comparing import LOG_RATIO, NOTHING, Comparison, Measure, compare
from adamcli.stats.questions import Values, questions
from adamcli.stats.runs import Trained, by_cell
from adamcli.stats.targets import Target

ALPHA = 0.05
MIN_SEEDS = 6
"""A sign-flip test of fewer pairs cannot give a p below `ALPHA`."""

A_BETTER = "a better"
B_BETTER = "b better"
NOT_DISTINGUISHABLE = "not distinguishable"
NO_VERDICT = "no verdict"


@dataclass(frozen=True)
class Verdict:
    """What the paired runs of two labels say about one metric.

    Attributes:
        cell: the problem.
        a, b: the labels.
        metric: `test_loss` or `test_accuracy`, at the end of training (those of training where
            there is no test data), or the name of a `Target`.
        unit: of difference, low, high and iqm: `log ratio`, ln(a / b), or `difference`, a - b.
            Where less is better, as of losses and steps, negative is in favour of a.
        n: seeds that both labels have.
        infinite: at how many of them one diverged, failed or missed the target and the other
            did not; with any, the size of the difference is a bound.
        difference: the mean over the seeds; of steps the median.
        low, high: its 95 % interval; NaN where n is too small for one.
        iqm: the interquartile mean of the paired differences.
        p, p_adjusted: of the sign-flip test, before and after Holm's adjustment.
        p_better: the share of seeds at which a was the better one, ties half.
        p_better_low, p_better_high: its 95 % bootstrap interval.
        detectable: what n seeds would have shown with power 0.8, whatever the other pairs: a
            difference in the same unit or, of steps, a share of seeds at which one label is
            sooner. Infinite where n shows nothing.
        verdict: `a better`, `b better`, `not distinguishable` or `no verdict`.
        reason: why, in one sentence.
    """

    cell: str
    a: str
    b: str
    metric: str
    unit: str
    n: int
    infinite: int
    difference: float
    low: float
    high: float
    iqm: float
    p: float
    p_adjusted: float
    p_better: float
    p_better_low: float
    p_better_high: float
    detectable: float
    verdict: str
    reason: str


def verdicts(
    histories: Iterable[Trained],
    targets: Sequence[Target] | None = None,
    resamples: int = RESAMPLES,
) -> list[Verdict]:
    """The verdict on every pair of labels of a cell, for each metric.

    Args:
        histories: runs of any number of cells and labels; their order decides no number.
        targets: fixed before the runs; by default the `ACCURACIES` on test data, on training
            data where there is none.
        resamples: of the bootstrap.
    """
    return [
        verdict
        for cell, runs in by_cell(histories).items()
        for measure, values in questions(runs, targets)
        for verdict in _cell_verdicts(cell, measure, values, resamples)
    ]


def _cell_verdicts(cell: str, measure: Measure, values: Values, resamples: int) -> list[Verdict]:
    """The verdict on every pair of labels by one measure, adjusted over the pairs."""
    found = _comparisons(measure, values, resamples)
    adjusted = paired.holm(np.array([each.p for each in found.values()])).tolist()
    verdicts = []
    for ((a, b), comparison), p_adjusted in zip(found.items(), adjusted, strict=True):
        word, reason = _judged(measure, comparison, p_adjusted, len(found))
        verdicts.append(
            Verdict(
                cell=cell,
                a=a,
                b=b,
                metric=measure.name,
                unit=measure.unit,
                **asdict(comparison),
                p_adjusted=p_adjusted,
                verdict=word,
                reason=reason,
            )
        )
    return verdicts


def _comparisons(
    measure: Measure, values: Values, resamples: int
) -> Mapping[tuple[str, str], Comparison]:
    """Every pair of labels at the seeds that both have; pairs of equally many go together."""
    seeds = {
        (a, b): sorted(values[a].keys() & values[b].keys())
        for a, b in itertools.combinations(values, 2)
    }
    found = dict.fromkeys(seeds, NOTHING)
    for n in {len(each) for each in seeds.values()} - {0}:
        pairs = [pair for pair in seeds if len(seeds[pair]) == n]
        a, b = (
            np.array([[values[pair[side]][seed] for seed in seeds[pair]] for pair in pairs])
            for side in (0, 1)
        )
        compared = compare(measure, a, b, ALPHA / len(seeds), resamples)
        found |= zip(pairs, compared, strict=True)
    return found


def _judged(measure: Measure, found: Comparison, p_adjusted: float, pairs: int) -> tuple[str, str]:
    """The word of a verdict and its reason."""
    if not found.n:
        return NO_VERDICT, "no seed in common"
    if found.n < MIN_SEEDS:
        seeds = "1 seed" if found.n == 1 else f"{found.n} seeds"
        return NO_VERDICT, f"{seeds}: below {MIN_SEEDS} no test can give p < {ALPHA}"
    doubts = _doubts(found, p_adjusted)
    if doubts:
        return (
            NOT_DISTINGUISHABLE,
            f"{doubts}; {found.n} seeds {_would_show(measure, found, pairs)}",
        )
    a_leads = (found.difference > 0) == measure.higher
    reason = f"the interval leaves out 0 and the adjusted p is {p_adjusted:.2g}"
    return A_BETTER if a_leads else B_BETTER, reason


def _doubts(found: Comparison, p_adjusted: float) -> str:
    """What speaks against a win; empty if nothing does."""
    doubts = []
    if found.low <= 0 <= found.high:
        doubts.append("the interval contains 0")
    if p_adjusted >= ALPHA:
        doubts.append(f"the adjusted p is {p_adjusted:.2g}")
    return " and ".join(doubts)


def _would_show(measure: Measure, found: Comparison, pairs: int) -> str:
    """What so many seeds would have shown."""
    if math.isinf(found.detectable):
        return f"cannot give an adjusted p < {ALPHA} among {pairs} pairs"
    if measure.miss is not None:
        return f"would have shown that one is sooner at {found.detectable:.0%} of them"
    if measure.unit == LOG_RATIO:
        return f"would have shown a factor of {math.exp(found.detectable):.3g}"
    return f"would have shown a difference of {found.detectable:.2g}"
