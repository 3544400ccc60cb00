"""Verdicts: which of two labels is better, or why the runs cannot tell.

Labels are compared in pairs, on the seeds that both have. The difference is the mean of the
paired differences, with its BCa interval at the `widened` level. Losses are compared as
logarithms: they are skewed and spread over orders of magnitude, so that one hard seed would
outweigh all others, and a mean log ratio is a factor that can be read, such as 0.8 times the
loss. Where a loss is negative, as on a saddle, losses are compared as they are; accuracies
always are. Of a diverged run, see `paired.finite`.

Final values are tested by size, with the sign-flip test. Steps to a target are tested by order,
with the sign test, which is the sign-flip test of who was sooner: a miss comes after every hit,
but has no size. In the log ratio of the steps a miss counts as a hit at the next evaluation,
the earliest that it could have been, so that with misses the ratio is a bound.

A win needs both: the interval leaves out 0, and the p adjusted by Holm over all pairs of the
metric is below 0.05. As every pair is tested on several metrics, chance has several tries; so
the tests of a pair over all its metrics together (Simes), adjusted over the pairs, must be
below 0.05 too. Then labels that are equal get a winner, on whatever metric, in at most 5 % of
experiments on one problem.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from adamcli.stats import paired
from adamcli.stats.bootstrap import RESAMPLES
from adamcli.stats.comparing import LOG_RATIO, NOTHING, Comparison, Measure, compare_all
from adamcli.stats.questions import Values, questions
from adamcli.stats.runs import Trained, by_cell, by_label
from adamcli.stats.targets import Target

ALPHA = 0.05
MIN_SEEDS = 6
"""A sign-flip test of fewer pairs cannot give a p below `ALPHA`."""

MOST_PAIRS = int(ALPHA / min(map(paired.smallest_p, (paired.EXACT, paired.EXACT + 1))))
"""Among more pairs than this the adjusted p of no test is below `ALPHA`, however many seeds."""

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
        ties: at how many of them both have the same value.
        infinite: at how many of them one diverged, failed or missed the target and the other
            did not; with any, the size of the difference is a bound.
        difference: the mean of the paired differences.
        low, high: its 95 % interval; NaN for fewer than two seeds.
        iqm: their interquartile mean.
        p: of the test by size or by order.
        p_adjusted: adjusted by Holm over the pairs of the metric.
        p_together: of the pair over all metrics (Simes), adjusted by Holm over the pairs; the
            same for all metrics of a pair.
        p_better: the share of seeds at which a was the better one, ties half.
        p_better_low, p_better_high: its 95 % interval, see `share_better`.
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
    ties: int
    infinite: int
    difference: float
    low: float
    high: float
    iqm: float
    p: float
    p_adjusted: float
    p_together: float
    p_better: float
    p_better_low: float
    p_better_high: float
    detectable: float
    verdict: str
    reason: str


@dataclass(frozen=True)
class Crowd:
    """A cell of so many labels that no pair of them could get a verdict.

    To test the best of them alone would not help: they are the best of these very runs, so
    chance has had a try with every label.

    Attributes:
        cell: the problem.
        labels: how many there are.
        pairs: how many pairs they make, more than `MOST_PAIRS`.
    """

    cell: str
    labels: int
    pairs: int


def crowds(histories: Iterable[Trained]) -> list[Crowd]:
    """The cells in which `verdicts` compares nothing, as they have too many labels."""
    labels = {cell: len(by_label(runs)) for cell, runs in by_cell(histories).items()}
    found = (Crowd(cell, count, math.comb(count, 2)) for cell, count in labels.items())
    return [crowd for crowd in found if crowd.pairs > MOST_PAIRS]


def verdicts(
    histories: Iterable[Trained],
    targets: Sequence[Target] | None = None,
    resamples: int = RESAMPLES,
) -> list[Verdict]:
    """The verdict on every pair of labels of a cell, for each metric; none in `crowds`.

    Args:
        histories: runs of any number of cells and labels; their order decides no number.
        targets: fixed before the runs; by default the `ACCURACIES` on test data, on training
            data where there is none.
        resamples: of the bootstrap.
    """
    histories = [*histories]
    crowded = {crowd.cell for crowd in crowds(histories)}
    return [
        verdict
        for cell, runs in by_cell(histories).items()
        if cell not in crowded
        for verdict in _cell_verdicts(cell, list(questions(runs, targets)), resamples)
    ]


def _cell_verdicts(
    cell: str, asked: Sequence[tuple[Measure, Values]], resamples: int
) -> list[Verdict]:
    """The verdict on every pair of labels by every measure, measure by measure."""
    tables = _comparisons(asked, resamples)
    pairs = list(tables[0])
    together = paired.holm(
        np.array([_together([table[pair] for table in tables]) for pair in pairs])
    )
    verdicts = []
    for (measure, _), table in zip(asked, tables, strict=True):
        p = paired.holm(np.array([table[pair].p for pair in pairs]))
        adjusted = zip(p.tolist(), together.tolist(), strict=True)
        for pair, p_values in zip(pairs, adjusted, strict=True):
            tests = _Tests(*p_values, pairs=len(pairs))
            verdicts.append(_verdict(cell, pair, measure, table[pair], tests))
    return verdicts


@dataclass(frozen=True)
class _Tests:
    """What the test of a pair by a metric is worth among all tests of the cell."""

    p_adjusted: float
    p_together: float
    pairs: int


def _together(metrics: Sequence[Comparison]) -> float:
    """The p of one pair over all metrics that could tell it apart.

    Where almost all seeds are ties, as for a target that neither label reaches, no test can be
    significant; to count it would only weaken the others (Tarone, A Modified Bonferroni Method
    for Discrete Data, 1990).
    """
    telling = [each.p for each in metrics if paired.smallest_p(each.n - each.ties) < ALPHA]
    return paired.simes(np.array(telling))


def _verdict(
    cell: str, pair: tuple[str, str], measure: Measure, found: Comparison, tests: _Tests
) -> Verdict:
    """The verdict on one pair by one measure."""
    word, reason = _judged(measure, found, tests)
    return Verdict(
        cell=cell,
        a=pair[0],
        b=pair[1],
        metric=measure.name,
        unit=measure.unit,
        **vars(found),
        p_adjusted=tests.p_adjusted,
        p_together=tests.p_together,
        verdict=word,
        reason=reason,
    )


def _comparisons(
    asked: Sequence[tuple[Measure, Values]], resamples: int
) -> list[dict[tuple[str, str], Comparison]]:
    """By each measure every pair of labels at the seeds that both have.

    Pairs of equally many seeds go together.
    """
    measures, tables = [measure for measure, _ in asked], [values for _, values in asked]
    seeds = {
        (a, b): sorted(tables[0][a].keys() & tables[0][b].keys())
        for a, b in itertools.combinations(tables[0], 2)
    }
    found = [dict.fromkeys(seeds, NOTHING) for _ in asked]
    for n in {len(each) for each in seeds.values()} - {0}:
        pairs = [pair for pair in seeds if len(seeds[pair]) == n]
        a, b = (
            np.array(
                [[[v[pair[side]][seed] for seed in seeds[pair]] for pair in pairs] for v in tables]
            )
            for side in (0, 1)
        )
        compared = compare_all(measures, a, b, ALPHA / len(seeds), resamples)
        for table, comparisons in zip(found, compared, strict=True):
            table |= zip(pairs, comparisons, strict=True)
    return found


def _judged(measure: Measure, found: Comparison, tests: _Tests) -> tuple[str, str]:
    """The word of a verdict and its reason."""
    if not found.n:
        return NO_VERDICT, "no seed in common"
    if found.n < MIN_SEEDS:
        seeds = "1 seed" if found.n == 1 else f"{found.n} seeds"
        return NO_VERDICT, f"{seeds}: below {MIN_SEEDS} no test can give p < {ALPHA}"
    if found.ties == found.n:
        return NOT_DISTINGUISHABLE, "equal at every seed"
    a_leads = (found.difference > 0) == measure.higher
    doubts = _doubts(found, tests)
    if not doubts and measure.miss is not None and (found.p_better > 0.5) != a_leads:
        doubts.append("the one that is sooner at more seeds is later on average")
    if doubts:
        shown = _would_show(measure, found, tests.pairs)
        return NOT_DISTINGUISHABLE, f"{' and '.join(doubts)}; {found.n} seeds {shown}"
    reason = f"the interval leaves out 0 and the adjusted p is {tests.p_adjusted:.2g}"
    return A_BETTER if a_leads else B_BETTER, reason


def _doubts(found: Comparison, tests: _Tests) -> list[str]:
    """What speaks against a win; empty if nothing does."""
    doubts = []
    if found.low <= 0 <= found.high:
        doubts.append("the interval contains 0")
    if tests.p_adjusted >= ALPHA:
        doubts.append(f"the adjusted p is {tests.p_adjusted:.2g}")
    elif tests.p_together >= ALPHA:
        doubts.append(f"over all metrics together p is {tests.p_together:.2g}")
    return doubts


def _would_show(measure: Measure, found: Comparison, pairs: int) -> str:
    """What so many seeds would have shown."""
    if math.isinf(found.detectable):
        return f"cannot give an adjusted p < {ALPHA} among {pairs} pairs"
    if measure.miss is not None:
        return f"would have shown that one is sooner at {found.detectable:.0%} of them"
    if measure.unit == LOG_RATIO:
        return f"would have shown a factor of {math.exp(found.detectable):.3g}"
    return f"would have shown a difference of {found.detectable:.2g}"
