"""Which runs train together, and where: blocks of rows over the cores of this machine."""

from __future__ import annotations

import os
import queue
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from adamcli.config import Run
from adamcli.history import RunHistory, StackHistory
from adamcli.layout import Layout
from adamcli.problems import NetworkStack, layout_of, row_bytes, stack_key
from adamcli.training import Snapshot, Trainee, kind, train

# Around 16 rows keep a stack's working set in the second-level cache and make the cost of
# NumPy calls per row small; more rows gain nothing (tests/benchmarks/engine.py).
_BLOCK_ROWS = 16
_BLOCK_BYTES = 512 * 2**20

# Threads pay once a block spends its time inside NumPy and the work is worth dividing.
_FLOPS_PER_SECOND = 5e9
_SERIAL_SECONDS = 1.0

Block = tuple[int, ...]
"""Places of runs, in the list given to `train_runs`, that train as one stack."""


@dataclass(frozen=True)
class Progress:
    """News of one block.

    Attributes:
        block: which runs it has, as places in the list given to `train_runs`.
        snapshot: where they stand, a row for each.
        finished: what is kept of each run once the block is done, else empty.
    """

    block: Block
    snapshot: Snapshot
    finished: tuple[RunHistory, ...] = ()


def train_runs(runs: Sequence[Run], jobs: int | None = None) -> Iterator[Progress]:
    """Train runs and report as they go; a run's bits depend on nothing but the run.

    Closing the generator stops the training after the epoch under way.

    Args:
        runs: what to train, in any order.
        jobs: threads; None for one per core when the work takes longer than a second.
    """
    jobs = jobs or (_cores() if seconds(runs) > _SERIAL_SECONDS else 1)
    blocks = plan(runs, jobs)
    # The bits of a product may depend on the number of BLAS threads, so it is always one.
    with threadpool_limits(limits=1, user_api="blas"):
        if jobs == 1 or len(blocks) == 1:
            for block in blocks:
                yield from _train_block(runs, block)
        else:
            yield from _train_threaded(runs, blocks, jobs)


def plan(runs: Sequence[Run], jobs: int = 1) -> list[Block]:
    """Divide runs into blocks that can train as stacks, a multiple of `jobs` where it helps.

    Runs of the same seed stay close together, so that all labels advance evenly; within a
    block runs of the same rule are neighbours.
    """
    groups: dict[object, list[int]] = {}
    for place, run in enumerate(runs):
        groups.setdefault((stack_key(run.task), run.eval_every), []).append(place)
    blocks: list[Block] = []
    for places in groups.values():
        places.sort(key=lambda place: runs[place].seed)
        rows = max(1, min(_BLOCK_ROWS, _BLOCK_BYTES // row_bytes(runs[places[0]].task)))
        count = -(-len(places) // rows)
        count = min(len(places), -(-count // jobs) * jobs)
        blocks += [_by_rule(runs, piece) for piece in np.array_split(places, count)]
    return blocks


def seconds(runs: Sequence[Run]) -> float:
    """A rough estimate of how long one core trains these runs."""
    work = 0.0
    for run in runs:
        task = run.task
        samples = task.epochs * (3 * task.dataset.train_size + task.dataset.test_samples)
        work += 2 * layout_of(task).size * samples
    return work / _FLOPS_PER_SECOND


def _cores() -> int:
    """The processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _by_rule(runs: Sequence[Run], places: np.ndarray) -> Block:
    """The places with runs of one kind of rule next to each other, otherwise in order."""
    kinds: dict[object, list[int]] = {}
    for place in places.tolist():
        kinds.setdefault(kind(runs[place].rule), []).append(place)
    return tuple(place for group in kinds.values() for place in group)


def _train_block(runs: Sequence[Run], block: Block) -> Iterator[Progress]:
    """Train one stack."""
    members = [runs[place] for place in block]
    problem = NetworkStack([run.task for run in members])
    trainees = [_trainee(run, problem.layout) for run in members]
    kept = StackHistory(len(members))
    first = members[0]
    for snapshot in train(problem, trainees, epochs=first.task.epochs, eval_every=first.eval_every):
        kept.append(snapshot.epoch, snapshot.step, snapshot.metrics, snapshot.traces)
        done = snapshot.epoch == first.task.epochs or bool(snapshot.diverged_at.all())
        finished = _histories(members, kept, snapshot, problem.layout) if done else ()
        yield Progress(block, snapshot, finished)


def _trainee(run: Run, layout: Layout) -> Trainee:
    """How a run's row is trained."""
    places = tuple(layout.index(param) for param in run.traced)
    return Trainee(run.rule, run.schedule, run.clip_norm, places)


def _histories(
    members: Sequence[Run], kept: StackHistory, last: Snapshot, layout: Layout
) -> tuple[RunHistory, ...]:
    """What is kept of each run of a finished stack."""
    histories = []
    arrays = {tensor.name: layout.view(last.params, tensor.name) for tensor in layout.tensors}
    for row, run in enumerate(members):
        epochs, steps, metrics = kept.times(row)
        diverged_at = int(last.diverged_at[row]) or None
        histories.append(
            RunHistory(
                label=run.label,
                optimizer=run.optimizer,
                cell=run.cell,
                seed=run.seed,
                diverged_at=diverged_at,
                epochs=epochs,
                steps=steps,
                metrics=metrics,
                params={name: values[row].copy() for name, values in arrays.items()},
                traces=_traces(run, kept, row, last.step if not diverged_at else diverged_at - 1),
            )
        )
    return tuple(histories)


def _traces(run: Run, kept: StackHistory, row: int, steps: int) -> dict[str, dict[str, np.ndarray]]:
    """The recorded and the derived series of every traced parameter of a run, (steps,) each."""
    if not run.traced:
        return {}
    recorded = kept.trace(row, steps)
    lr, t = recorded.pop("lr")[:, 0], np.arange(1, steps + 1)
    traces = {}
    for k, param in enumerate(run.traced):
        series = {name: np.ascontiguousarray(values[:, k]) for name, values in recorded.items()}
        traces[param] = series | run.rule.trace(series, lr, t)
    return traces


def _train_threaded(runs: Sequence[Run], blocks: list[Block], jobs: int) -> Iterator[Progress]:
    """Train blocks on threads, which NumPy lets run side by side, and report in one."""
    news: queue.SimpleQueue[Progress | Exception | None] = queue.SimpleQueue()
    stop = threading.Event()

    def work(block: Block) -> None:
        try:
            for progress in _train_block(runs, block):
                if stop.is_set():
                    return
                news.put(progress)
        except Exception as error:
            news.put(error)
        finally:
            news.put(None)

    with ThreadPoolExecutor(jobs) as pool:
        try:
            for block in blocks:
                pool.submit(work, block)
            left = len(blocks)
            while left:
                item = news.get()
                if isinstance(item, Exception):
                    raise item
                if item is None:
                    left -= 1
                else:
                    yield item
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)
