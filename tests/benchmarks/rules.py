"""What a step of every rule costs, beside Adam's and beside the rule's plain allocating form.

    python tests/benchmarks/rules.py [rounds]

All run in this process, in turn, on one thread, on 32 stacked runs of the article's network
(1185 parameters each, float64). Machines drift, so each round measures all of them and the
median of the rounds' ratios is printed. `minimum` is Adam's update as the fewest NumPy passes
that compute it, on the same arrays, with nothing around them.
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

sys.path[:0] = [str(Path(__file__).resolve().parents[2]), str(Path(__file__).resolve().parents[1])]

import plain_rules

from adamcli.layout import Layout
from adamcli.optimizers import RULES, Step
from adamcli.optimizers.passes import arithmetic

LAYOUT = Layout.of(
    {"W1": (2, 32), "b1": (32,), "W2": (32, 32), "b2": (32,), "W3": (32, 1), "b3": (1,)}
)
RUNS, STEPS = 32, 20


def arrays() -> tuple[np.ndarray, np.ndarray]:
    """Parameters and gradients, (R, P) each."""
    rng = np.random.default_rng(0)
    shape = (RUNS, LAYOUT.size)
    return rng.normal(size=shape), 0.1 * rng.normal(size=shape)


def engine(name: str) -> Callable[[], object]:
    """Steps of a rule as the engine takes them."""
    rule = RULES[name]()
    params, grads = arrays()
    state = rule.init(params, LAYOUT)
    scratch = [np.empty_like(params) for _ in range(3)]
    curvature = np.abs(grads)
    at = Step(0, rule.lr, params, LAYOUT, *scratch, lambda: curvature)

    def run() -> None:
        with arithmetic():
            for _ in range(STEPS):
                at.t += 1
                rule.update(grads, state, at)

    return run


def plain(name: str) -> Callable[[], object]:
    """Steps of a rule's plain form."""
    rule = RULES[name]()
    params, grads = arrays()
    state: dict[str, object] = {}
    done = [0]

    def run() -> None:
        for _ in range(STEPS):
            done[0] += 1
            plain_rules.step(name, rule, params, grads, state, done[0], LAYOUT)

    return run


def minimum() -> Callable[[], object]:
    """Adam's update in its eleven passes."""
    params, grads = arrays()
    m, v, out = (np.zeros_like(params) for _ in range(3))

    def run() -> None:
        for _ in range(STEPS):
            np.multiply(m, 0.9, out=m)
            np.multiply(grads, 0.1, out=out)
            np.add(m, out, out=m)
            np.multiply(v, 0.999, out=v)
            np.multiply(grads, grads, out=out)
            np.multiply(out, 0.001, out=out)
            np.add(v, out, out=v)
            np.sqrt(v, out=out)
            np.add(out, 1e-8, out=out)
            np.divide(m, out, out=out)
            np.multiply(out, -0.001, out=out)

    return run


def nanoseconds(work: Callable[[], object]) -> float:
    """Wall time per step and parameter."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) / (STEPS * RUNS * LAYOUT.size) * 1e9


def main() -> None:
    """Measure in rounds and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    works = {"minimum": minimum(), **{name: engine(name) for name in RULES}}
    works |= {f"plain {name}": plain(name) for name in RULES if name in plain_rules.PLAIN}
    times: dict[str, list[float]] = {name: [] for name in works}
    for done in range(rounds + 1):
        for name, work in works.items():
            elapsed = nanoseconds(work)
            if done:  # the first round warms up
                times[name].append(elapsed)
    report(times)


def report(times: dict[str, list[float]]) -> None:
    """A line per rule."""
    print(f"{'':20}{'ns per step':>12}{'times':>8}{'times the':>11}")
    print(f"{'':20}{'and parameter':>12}{'Adam':>7}{'plain form':>11}")
    for name, values in times.items():
        if name.startswith("plain "):
            continue
        plainly = times.get(f"plain {name}")
        beside = f"{ratio(values, plainly):11.2f}" if plainly else " " * 11
        print(
            f"{name:20}{statistics.median(values):12.2f}{ratio(values, times['adam']):8.2f}{beside}"
        )


def ratio(above: list[float], below: list[float]) -> float:
    """The median over rounds of a ratio of two times."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


if __name__ == "__main__":
    main()
