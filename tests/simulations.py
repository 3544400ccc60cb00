"""Experiments whose truth is known: how often intervals cover it, and verdicts are right."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from statistics import NormalDist

import numpy as np

from adamcli import stats
from adamcli.history import RunHistory
from adamcli.layout import Array
from adamcli.seeding import generator

Draw = Callable[[np.random.Generator, tuple[int, ...]], Array]

VALUES: dict[str, Draw] = {
    "normal": lambda rng, shape: rng.normal(size=shape),
    "skewed": lambda rng, shape: rng.lognormal(size=shape),
    "heavy-tailed": lambda rng, shape: rng.standard_t(3, size=shape),
}
"""How values are drawn: normal, lognormal with sigma 1, Student's t with 3 degrees of freedom."""

Interval = Callable[[Array], tuple[Array, Array]]
"""The interval of each row: (K, n) to (K,) and (K,)."""

_CHUNK = 250


def intervals(resamples: int) -> dict[str, tuple[Interval, str]]:
    """The intervals that are printed or decide, and those that they improve on.

    Returns:
        By name, the interval and the parameter that it is to cover: mean or IQM.
    """

    def percentile(values: Array, statistic: stats.Statistic, level: float = 0.95) -> Ends:
        return stats.bootstrap_interval(values, statistic, rng(), resamples, level)

    def bca(values: Array, level: float = 0.95) -> Ends:
        return stats.bca_interval([values], stats.mean, rng(), resamples, level)

    def rng() -> np.random.Generator:
        return generator(0, "bootstrap")

    def wide(values: Array) -> float:
        return stats.widened(0.95, [values.shape[-1]])

    return {
        "mean, percentile": (lambda x: percentile(x, stats.mean), "mean"),
        "mean, percentile, widened": (lambda x: percentile(x, stats.mean, wide(x)), "mean"),
        "mean, BCa": (bca, "mean"),
        "mean, BCa, widened": (lambda x: bca(x, wide(x)), "mean"),
        "IQM, percentile": (lambda x: percentile(x, stats.iqm), "iqm"),
    }


Ends = tuple[Array, Array]


def coverage(interval: Interval, parameter: str, kind: str, n: int, samples: int) -> float:
    """The share of intervals from n values of a kind that contain the true parameter."""
    rng = np.random.default_rng([n, [*VALUES].index(kind)])
    truth, covered = true(parameter, kind, n), 0
    for _ in range(samples // _CHUNK):
        low, high = interval(VALUES[kind](rng, (_CHUNK, n)))
        covered += np.count_nonzero((low <= truth) & (truth <= high))
    return covered / (samples // _CHUNK * _CHUNK)


def true(parameter: str, kind: str, n: int) -> float:
    """The mean or IQM of a kind of values; the IQM is cut where that of n values is."""
    if kind != "skewed":
        return 0.0
    normal, cut = NormalDist(), n // 4 / n if parameter == "iqm" else 0.0
    edge = -normal.inv_cdf(cut) if cut else math.inf
    return math.exp(0.5) * (normal.cdf(edge - 1) - normal.cdf(-edge - 1)) / (1 - 2 * cut)


EPOCHS = 48
_SPREAD = 0.3
_POINTS = 2000


def experiment(
    rng: np.random.Generator,
    n: int,
    *,
    labels: Sequence[str] = "ab",
    paired: bool = True,
    noise: str = "normal",
    lead: float = 0.0,
    diverging: float = 0.0,
) -> Iterator[RunHistory]:
    """Learning curves of optimizers that are equal but for a lead of the first.

    The logarithm of the loss falls from 0 towards a floor near -4; half of the runs reach an
    accuracy of 0.99. Floor and speed vary with the seed and from run to run, alike.

    Args:
        rng: of the experiment.
        n: seeds.
        labels: the optimizers.
        paired: whether all optimizers at a seed share what the seed decides.
        noise: one of `VALUES`, of what varies from run to run.
        lead: how much lower the log loss of the first label ends, and how much larger the
            logarithm of its speed is, in standard deviations of the paired difference of two
            labels with normal noise.
        diverging: the chance of a run to diverge.
    """
    shape = (2, len(labels), n)
    seeds = rng.normal(size=(2, 1 if paired else len(labels), n))
    floors, speeds = _SPREAD * (seeds + VALUES[noise](rng, shape))
    ahead = lead * _SPREAD * math.sqrt(2 if paired else 4) * (np.arange(len(labels)) == 0)
    floors, speeds = floors - ahead[:, None], speeds + ahead[:, None]
    stops = rng.random(size=floors.shape) < diverging
    for (row, seed), floor in np.ndenumerate(floors):
        curve = _curve(floor, speeds[row, seed])
        yield _run(labels[row], seed, curve, diverged=bool(stops[row, seed]))


def _curve(floor: float, speed: float) -> Array:
    """The loss at every evaluation, (E,)."""
    epochs = np.arange(1, EPOCHS + 1)
    fallen = -np.expm1(-0.08 * epochs * math.exp(np.clip(speed, -5, 5)))
    fallen[-1] = 1.0  # so that the final loss is the floor
    return np.exp((floor - 4) * fallen)


def _run(label: str, seed: int, losses: Array, diverged: bool) -> RunHistory:
    """A run with these losses and the accuracies on so many points that go with them."""
    accuracies = np.round(_POINTS * (1 - np.minimum(losses, 1) / 2)) / _POINTS
    epochs = np.arange(1, EPOCHS + 1)
    return RunHistory(
        label=label,
        optimizer=label,
        cell="",
        seed=seed,
        diverged_at=32 * EPOCHS if diverged else None,
        epochs=epochs,
        steps=32 * epochs,
        metrics={"train_loss": losses, "test_loss": losses, "test_accuracy": accuracies},
    )


Wanted = Callable[[stats.Verdict], bool]


def any_winner(verdict: stats.Verdict) -> bool:
    """Whether either label is called better."""
    return verdict.verdict in (stats.A_BETTER, stats.B_BETTER)


def a_beats_b(verdict: stats.Verdict) -> bool:
    """Whether the label `a` is called better than `b`."""
    return (verdict.a, verdict.b, verdict.verdict) == ("a", "b", stats.A_BETTER)


def called(
    experiments: Iterable[Iterable[RunHistory]], wanted: Wanted, resamples: int = 1000
) -> dict[str, float]:
    """The share of experiments with such a verdict, by metric; `any` is on any metric."""
    counts: Counter[str] = Counter()
    total = 0
    for runs in experiments:
        found = stats.verdicts(runs, resamples=resamples)
        metrics = {verdict.metric for verdict in found if wanted(verdict)}
        counts.update(dict.fromkeys((verdict.metric for verdict in found), 0))
        counts.update([*metrics, "any"] if metrics else [])
        total += 1
    return {metric: count / total for metric, count in counts.items()}


def lead_of(factor: float) -> float:
    """The `lead` of an `experiment`, paired, whose first label is better by a factor of loss."""
    return math.log(factor) / (_SPREAD * math.sqrt(2))


def decided(
    experiments: Iterable[Iterable[RunHistory]], claim: stats.Hypothesis, resamples: int = 1000
) -> Counter[str]:
    """What becomes of a claim: in how many experiments it is called what."""
    runs = ([*each] for each in experiments)
    return Counter(stats.judged(claim, each, each, resamples=resamples).verdict for each in runs)
