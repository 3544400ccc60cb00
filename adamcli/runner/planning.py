"""Which runs train together, in how many processes, and what that takes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adamcli.config import Run
from adamcli.problems import kept_bytes, stack_bytes, stack_seconds, traced_bytes
from adamcli.training import kind

# From 16 rows on the cost of a NumPy call is small beside its work, and more rows gain
# little (tests/benchmarks/engine.py).
_BLOCK_ROWS = 32
_BLOCK_BYTES = 512 * 2**20

# Worker processes take about 0.4 s to start. Threads start at once, but two of them gave
# only 1.4 times the speed of one where two processes gave 1.8: a stack's NumPy calls are too
# short for the interpreter lock.
_SERIAL_SECONDS = 1.0
_START_SECONDS = 0.4
_GAIN = 0.9  # of a process beside others

Block = tuple[int, ...]
"""Places of runs, in the list given to `train_runs`, that train as one stack."""


@dataclass(frozen=True)
class Estimate:
    """What a training would take.

    Attributes:
        runs: how many runs it has.
        stacks: in how many stacks they train.
        jobs: in how many processes.
        seconds: how long it takes, drawing figures not included.
        bytes: the memory of all processes at their largest.
    """

    runs: int
    stacks: int
    jobs: int
    seconds: float
    bytes: int

    def then(self, other: Estimate) -> Estimate:
        """What it takes to train this and after it another."""
        jobs, size = max(self.jobs, other.jobs), max(self.bytes, other.bytes)
        runs, stacks = self.runs + other.runs, self.stacks + other.stacks
        return Estimate(runs, stacks, jobs, self.seconds + other.seconds, size)


def plan(runs: Sequence[Run], jobs: int = 1, known: Sequence[Block] = ()) -> list[Block]:
    """Divide runs into blocks that can train as stacks, a multiple of `jobs` where it helps.

    Runs of the same seed stay close together, so that all labels advance evenly; within a
    block runs of the same rule are neighbours.

    Args:
        runs: what to divide.
        jobs: how many blocks train at the same time.
        known: blocks that there are already; they come first and stay as they are.
    """
    taken = {place for block in known for place in block}
    groups: dict[object, list[int]] = {}
    for place, run in enumerate(runs):
        if place not in taken:
            groups.setdefault((run.task.stack_key, run.eval_every), []).append(place)
    blocks = [*known]
    for places in groups.values():
        places.sort(key=lambda place: runs[place].seed)
        rows = max(1, min(_BLOCK_ROWS, _BLOCK_BYTES // runs[places[0]].task.row_bytes))
        count = -(-len(places) // rows)
        count = min(len(places), -(-count // jobs) * jobs)
        blocks += [_by_rule(runs, piece) for piece in np.array_split(places, count)]
    return blocks


def seconds(runs: Sequence[Run]) -> float:
    """An estimate of how long one core trains these runs."""
    return sum(_block_seconds(runs, block) for block in plan(runs))


def estimate(runs: Sequence[Run], jobs: int | None = None) -> Estimate:
    """What it would take to train these runs, as `train_runs` does."""
    jobs = jobs or suitable_jobs(runs)
    blocks = plan(runs, jobs)
    jobs = max(1, min(jobs, len(blocks)))
    work = sum(_block_seconds(runs, block) for block in blocks)
    kept = sum(
        kept_bytes(run.task, run.eval_every)
        + traced_bytes(run.task, len(run.traced), layers=run.layers)
        for run in runs
    )
    stacks = sorted(stack_bytes(runs[block[0]].task, len(block)) for block in blocks)
    elapsed = work if jobs == 1 else work / (jobs * _GAIN) + _START_SECONDS
    return Estimate(len(runs), len(blocks), jobs, elapsed, kept + sum(stacks[-jobs:]))


def suitable_jobs(runs: Sequence[Run]) -> int:
    """How many processes train these runs soonest."""
    return cores() if seconds(runs) > _SERIAL_SECONDS else 1


def _block_seconds(runs: Sequence[Run], block: Block) -> float:
    """An estimate of how long one core trains a stack."""
    first = runs[block[0]]
    groups = len({kind(runs[place].rule, runs[place].wrapping) for place in block})
    return stack_seconds(first.task, first.eval_every, len(block), groups)


def cores() -> int:
    """The processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _by_rule(runs: Sequence[Run], places: np.ndarray) -> Block:
    """The places with runs of one kind of rule next to each other, otherwise in order."""
    kinds: dict[object, list[int]] = {}
    for place in places.tolist():
        kinds.setdefault(kind(runs[place].rule, runs[place].wrapping), []).append(place)
    return tuple(place for group in kinds.values() for place in group)
