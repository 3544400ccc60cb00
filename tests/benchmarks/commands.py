"""How long whole commands take, start-up and figures included.

    python tests/benchmarks/commands.py [rounds]

Every command is a process of its own with a new output directory. Pairs are run in turn and
compared round by round, since machines drift.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
ADAMCLI = [sys.executable, "-m", "adamcli"]


def seconds(command: list[str]) -> float:
    """Wall time of one process, which must succeed."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=environment)
    return time.perf_counter() - start


def run(config: str, *options: str) -> float:
    """`adamcli run` of a shipped experiment into a new directory."""
    with tempfile.TemporaryDirectory() as out:
        return seconds([*ADAMCLI, "run", f"configs/{config}.yaml", "--out", out, *options])


def plain_article() -> float:
    """The article's program in tutorial style."""
    with tempfile.TemporaryDirectory() as out:
        return seconds([sys.executable, str(ROOT / "tests/benchmarks/plain_article.py"), out])


def compare() -> float:
    """Three optimizers on 20 seeds."""
    with tempfile.TemporaryDirectory() as out:
        return seconds([*ADAMCLI, "compare", "sgdm", "rmsprop", "adam", "--out", out])


def main() -> None:
    """Measure in rounds and print medians."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 5
    works = {
        "adamcli --help": lambda: seconds([*ADAMCLI, "--help"]),
        "adamcli run configs/spiral.yaml": lambda: run("spiral"),
        "adamcli run configs/article.yaml": lambda: run("article"),
        "the article's program, plain": plain_article,
        "adamcli compare sgdm rmsprop adam": compare,
    }
    times: dict[str, list[float]] = {name: [] for name in works}
    for done in range(rounds + 1):
        for name, work in works.items():
            elapsed = work()
            if done:  # the first round warms up
                times[name].append(elapsed)
    for name, values in times.items():
        print(f"{name:36}{statistics.median(values):7.2f} s  (best {min(values):.2f})")
    article, plain = (times[name] for name in [*works][2:4])
    ratios = [mine / theirs for mine, theirs in zip(article, plain, strict=True)]
    print(f"{'article: adamcli / plain':36}{statistics.median(ratios):7.2f}    goal 0.6")


if __name__ == "__main__":
    main()
