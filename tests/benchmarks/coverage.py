"""How often intervals cover, equal optimizers get a winner, claims and better ones are found.

    python tests/benchmarks/coverage.py [samples]

Prints the tables that `adamcli.stats` and its `claims` quote, in percent. A cell of the first has
`samples` samples (4000 by default), one of the others a quarter of that.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[k]) for k in (1, 2)]

from simulations import (
    VALUES,
    Wanted,
    a_beats_b,
    any_winner,
    called,
    coverage,
    decided,
    experiment,
    intervals,
    lead_of,
)

from adamcli import stats
from adamcli.history import RunHistory

SIZES = (6, 8, 10, 15, 20, 30, 50)
RESAMPLES = 2000
EQUAL: dict[str, dict[str, object]] = {
    "paired": {},
    "paired, 3 labels": {"labels": "abc"},
    "paired, 5 labels": {"labels": "abcde"},
    "unpaired": {"paired": False},
    "unpaired, 3 labels": {"paired": False, "labels": "abc"},
    "heavy-tailed": {"noise": "heavy-tailed"},
    "skewed": {"noise": "skewed"},
    "one run in ten diverges": {"diverging": 0.1},
}
LEADS = (0.5, 0.66, 0.75, 1.0, 1.5)
METRICS = {
    "loss": "test_loss",
    "acc": "test_accuracy",
    "to .9": "steps to test_accuracy 0.9",
    "to .95": "steps to test_accuracy 0.95",
    "to .99": "steps to test_accuracy 0.99",
    "any": "any",
}

MARGIN = 1.2
STEPS = "steps to test_accuracy 0.95"


def experiments(
    count: int, n: int, settings: Mapping[str, object]
) -> Iterator[Iterator[RunHistory]]:
    """So many experiments of n seeds, always the same ones."""
    return (experiment(np.random.default_rng([n, k]), n, **settings) for k in range(count))


def line(name: str, cells: Sequence[object]) -> None:
    """Print a row of a table."""
    print(f"    {name:28}" + "".join(f"{cell:>7}" for cell in cells), flush=True)


def percent(shares: Sequence[float]) -> list[str]:
    """Shares as they are printed."""
    return [f"{100 * share:.1f}" for share in shares]


def print_coverage(samples: int) -> None:
    """Nominal 95 % intervals, by the number of values."""
    print(f"coverage of 95 % intervals, {samples} samples each")
    for kind in VALUES:
        line(f"{kind}, n =", SIZES)
        for name, (interval, parameter) in intervals(RESAMPLES).items():
            shares = [coverage(interval, parameter, kind, n, samples) for n in SIZES]
            line(f"  {name}", percent(shares))


def print_called(
    title: str, cases: Mapping[str, Mapping[str, object]], wanted: Wanted, count: int
) -> None:
    """In how many experiments there is such a verdict, by metric."""
    print(f"{title}, n = 20, {count} experiments each")
    line("", list(METRICS))
    for name, settings in cases.items():
        shares = called(experiments(count, 20, settings), wanted)
        line(name, percent([shares.get(metric, 0.0) for metric in METRICS.values()]))


def print_decided(count: int) -> None:
    """How often a claim is decided that is true, or false, by nothing."""
    print(f"claims at their margin called supported and refuted, n = 20, {count} experiments each")
    line("", ["loss", "", f"by {MARGIN}", "", "steps", ""])
    for name, settings in EQUAL.items():
        labels = str(settings.get("labels", "ab"))
        cells = []
        for metric, margin in (("test_loss", 1.0), ("test_loss", MARGIN), (STEPS, 1.0)):
            aspect = stats.aspect_of(metric)
            assert aspect is not None
            claim = stats.Hypothesis("a", tuple(labels[1:]), aspect, stats.LESS, margin)
            # What is not paired varies more, so that the same factor is a smaller lead.
            lead = lead_of(margin) / (1 if settings.get("paired", True) else math.sqrt(2))
            words = decided(experiments(count, 20, {**settings, "lead": lead}), claim)
            cells += [words[word] / count for word in (stats.SUPPORTED, stats.REFUTED)]
        line(name, percent(cells))


def main() -> None:
    """Print all tables; the standard error of 5 % among them first."""
    samples = int(sys.argv[1]) if len(sys.argv) > 1 else 4000
    errors = [100 * math.sqrt(0.05 * 0.95 / count) for count in (samples, samples // 4)]
    print("standard errors at 5 %: {:.1f} and {:.1f}".format(*errors))
    print_coverage(samples)
    print_called("any winner among equal labels", EQUAL, any_winner, samples // 4)
    print_decided(samples // 4)
    leads = {
        f"{len(labels)} labels, d = {lead}": {"labels": labels, "lead": lead}
        for labels in ("ab", "abc")
        for lead in LEADS
    }
    print_called("a found better than b by d standard deviations", leads, a_beats_b, samples // 4)


if __name__ == "__main__":
    main()
