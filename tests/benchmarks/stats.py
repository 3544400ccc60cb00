"""How long the statistics of an experiment take: 20 seeds, 10,000 bootstrap resamples.

    python tests/benchmarks/stats.py [rounds]

In this process, on one thread; the median of the rounds and the best of them. (It is not
called statistics.py, for the standard library's module of that name would be hidden.)
"""

from __future__ import annotations

import os

for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[_name] = "1"

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

sys.path[:0] = [str(Path(__file__).resolve().parents[k]) for k in (1, 2)]

from simulations import experiment

from adamcli import stats
from adamcli.seeding import generator

SEEDS = 20


def main() -> None:
    """Measure in rounds and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    works: dict[str, Callable[[], object]] = {}
    for count in (3, 10):
        runs = list(experiment(np.random.default_rng(0), SEEDS, labels="abcdefghij"[:count]))
        works[f"{count} optimizers: summaries"] = lambda runs=runs: stats.summarize(runs)
        works[f"{count} optimizers: verdicts"] = lambda runs=runs: stats.verdicts(runs)
    strata = list(np.random.default_rng(0).random((12, 10, SEEDS)))
    works["10 optimizers: IQM over 12 problems"] = lambda: stats.stratified_interval(
        strata, stats.iqm, generator(0, "bootstrap")
    )
    times: dict[str, list[float]] = {name: [] for name in works}
    for done in range(rounds + 1):
        for name, work in works.items():
            start = time.perf_counter()
            work()
            if done:  # the first round warms up
                times[name].append(time.perf_counter() - start)
    for name, values in times.items():
        print(f"{name:38}{statistics.median(values):7.3f} s  (best {min(values):.3f})")
    total = sum(min(times[f"10 optimizers: {what}"]) for what in ("summaries", "verdicts"))
    print(f"{'10 optimizers: both':38}{total:7.3f} s at best    goal 0.5")


if __name__ == "__main__":
    main()
