"""What `--dry-run` estimates, beside what the training then takes.

    python tests/benchmarks/estimate.py [words]

Each case trains in a process of its own, on one core; with `words` only those whose name
holds them. Processor time is taken, not the clock's, so that other work on the machine counts
little, and the peak of the resident memory. Prints estimate / measured for both: 1 is right.
The constants in `adamcli/problems/costs.py` were fitted to these cases by least squares.
"""

from __future__ import annotations

import os

for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[_name] = "1"

import json
import resource
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

from adamcli import config
from adamcli.runner import estimate, train_runs

CASES: dict[str, list[str]] = {
    "1 run": ["train.seeds=1", "train.epochs=8"],
    "4 runs": ["train.seeds=4", "train.epochs=8"],
    "32 runs": ["train.seeds=32", "train.epochs=8"],
    "float32": ["train.seeds=32", "train.epochs=8", "train.dtype=float32"],
    "tanh": ["train.seeds=16", "train.epochs=8", "model.activation=tanh"],
    "gelu": ["train.seeds=16", "train.epochs=8", "model.activation=gelu"],
    "narrow": ["train.seeds=16", "train.epochs=10", "model.hidden=[4]"],
    "128 wide": ["train.seeds=8", "train.epochs=4", "model.hidden=[128, 128]"],
    "512 wide": ["train.seeds=2", "train.epochs=1", "model.hidden=[512, 512]"],
    "deep": ["train.seeds=8", "train.epochs=4", "model.hidden=[32, 32, 32, 32, 32, 32]"],
    "batch of 1": ["train.seeds=2", "train.epochs=1", "train.batch_size=1"],
    "batch of 500": ["train.seeds=8", "train.epochs=8", "train.batch_size=500"],
    "rarely evaluated": ["train.seeds=16", "train.epochs=20", "train.eval_every=20"],
    "no test set": ["train.seeds=16", "train.epochs=8", "dataset.test_samples=0"],
    "large test set": ["train.seeds=8", "train.epochs=4", "dataset.test_samples=20000"],
    "large data": ["train.seeds=4", "train.epochs=1", "dataset.samples=200000"],
    "8 classes": ["train.seeds=16", "train.epochs=8", "dataset={name: blobs, blobs: 8}"],
    "many evaluations": ["train.seeds=64", "train.epochs=1000", "dataset.samples=64"],
    "a sweep": ["train.seeds=4", "train.epochs=4", "sweep.adam.lr={log: [1e-4, 1], n: 32}"],
    "traces": ["train.epochs=300", "model.hidden=[4]", 'trace.params=["W1[0,0]", "b1[0]"]'],
}


def measure(sets: list[str]) -> dict[str, float]:
    """Estimated and measured seconds and bytes of one case, in this process."""
    runs = config.load(ROOT / "configs/spiral.yaml", sets, optimizers=["adam"]).runs
    planned = estimate(runs, jobs=1)
    taken = []
    for _ in range(2):
        start = time.process_time()
        deque(train_runs(runs, jobs=1), maxlen=0)
        taken.append(time.process_time() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {
        "seconds": min(taken),
        "bytes": peak,
        "time": planned.seconds / min(taken),
        "memory": planned.bytes / peak,
    }


def main() -> None:
    """Print a line per case."""
    if sys.argv[1:2] == ["--case"]:
        print(json.dumps(measure(CASES[sys.argv[2]])))
        return
    print(f"{'case':20} {'seconds':>8} {'MiB':>6} {'time':>6} {'memory':>7}")
    for name in CASES:
        if all(word in name for word in sys.argv[1:]):
            command = [sys.executable, __file__, "--case", name]
            got = json.loads(subprocess.check_output(command))
            print(
                f"{name:20} {got['seconds']:8.3f} {got['bytes'] / 2**20:6.0f} "
                f"{got['time']:6.2f} {got['memory']:7.2f}"
            )


if __name__ == "__main__":
    main()
