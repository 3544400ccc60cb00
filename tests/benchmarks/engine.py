"""How fast the engine is, as ratios to a plain program and to the bare matrix products.

    python tests/benchmarks/engine.py [rounds]

All run in this process, in turn, on one thread: the article's network (2-32-32-1, batch 64,
2000 training and 2000 held-out points, Adam), with everything recorded that `adamcli run`
records. A run-step is one step of one run, evaluations included. Machines drift, so each
round measures all of them and the median of the rounds' ratios is printed.
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

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from adamcli.optimizers import RULES
from adamcli.problems import MLP, NetworkStack, NetworkTask
from adamcli.problems.datasets import Spiral
from adamcli.recorder import Records
from adamcli.schedules import Constant
from adamcli.seeding import generator
from adamcli.training import Trainee, train
from tests.benchmarks import plain

EPOCHS = 20
STEPS = EPOCHS * 32
GOALS = {"float64 x 32": 6.0, "float32 x 32": 10.0, "float64 x 1": 2.5}


def engine(runs: int, dtype: str) -> Callable[[], object]:
    """A training of so many stacked runs, all seeds, the first one traced."""
    tasks = [
        NetworkTask(
            dataset=Spiral(),
            model=MLP(),
            batch_size=64,
            epochs=EPOCHS,
            dtype=dtype,
            random="paired",
            seed=seed,
        )
        for seed in range(runs)
    ]
    trainees = [
        Trainee(RULES["adam"](lr=0.005), Constant(), records=Records(() if seed else (0,)))
        for seed in range(runs)
    ]
    return lambda: [s.metrics for s in train(NetworkStack(tasks), trainees, epochs=EPOCHS)]


def tutorial(dtype: type = np.float64, *, every_step: bool = True) -> Callable[[], object]:
    """The plain program's training of one run."""

    def run() -> object:
        rng = np.random.default_rng(0)
        data, test = ([a.astype(dtype) for a in plain.spirals(rng)] for _ in range(2))
        params = {k: p.astype(dtype) for k, p in plain.initial_weights(rng).items()}
        return plain.train(
            "adam", params, data, test, rng, epochs=EPOCHS, measure_every_step=every_step
        )

    return run


def products(runs: int, dtype: str) -> Callable[[], object]:
    """Only the seven matrix products of a step, on arrays of the engine's shapes."""
    widths = [3, 33, 33, 1]
    rng = generator(0, "data")
    signals = [rng.random((runs, w, 64)).astype(dtype) for w in widths[:3]]
    weights = [rng.random((runs, a, b)).astype(dtype) for a, b in ((3, 32), (33, 32), (33, 1))]
    deltas = [rng.random((runs, w, 64)).astype(dtype) for w in (32, 32, 1)]
    grads = [np.empty_like(w) for w in weights]
    outs = [np.empty_like(d) for d in deltas]

    def run() -> None:
        for _ in range(STEPS):
            for k in range(3):
                np.matmul(weights[k].transpose(0, 2, 1), signals[k], out=outs[k])
                np.matmul(signals[k], deltas[k].transpose(0, 2, 1), out=grads[k])
            for k in (1, 2):
                np.matmul(weights[k][:, :-1], deltas[k], out=outs[k - 1])

    return run


def microseconds(work: Callable[[], object], runs: int) -> float:
    """Wall time per run-step."""
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) / (runs * STEPS) * 1e6


def main() -> None:
    """Measure in rounds and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 7
    works: dict[str, tuple[Callable[[], object], int]] = {
        "plain float64": (tutorial(), 1),
        "plain float32": (tutorial(np.float32), 1),
        "lean float64": (tutorial(every_step=False), 1),
    }
    for dtype in ("float64", "float32"):
        for runs in (1, 4, 16, 32, 64):
            works[f"{dtype} x {runs}"] = (engine(runs, dtype), runs)
        works[f"products {dtype}"] = (products(32, dtype), 32)
    times: dict[str, list[float]] = {name: [] for name in works}
    for done in range(rounds + 1):
        for name, (work, runs) in works.items():
            elapsed = microseconds(work, runs)
            if done:  # the first round warms up
                times[name].append(elapsed)
    report(times)


def report(times: dict[str, list[float]]) -> None:
    """A line per measurement: median time, and medians of the rounds' ratios."""
    print(f"{'':18}{'us per':>9}{'times faster than plain':>26}{'times the':>12}")
    print(f"{'':18}{'run-step':>9}{'float64':>15}{'same dtype':>11}{'products':>12}")
    for name, values in times.items():
        dtype = "float32" if "float32" in name else "float64"
        line = f"{name:18}{statistics.median(values):9.1f}"
        for other in ("plain float64", f"plain {dtype}"):
            line += f"{ratio(times[other], values):{15 if other == 'plain float64' else 11}.1f}"
        line += f"{ratio(values, times[f'products {dtype}']):12.1f}"
        print(line + (f"   goal {GOALS[name]}" if name in GOALS else ""))


def ratio(above: list[float], below: list[float]) -> float:
    """The median over rounds of a ratio of two times."""
    return statistics.median(a / b for a, b in zip(above, below, strict=True))


if __name__ == "__main__":
    main()
