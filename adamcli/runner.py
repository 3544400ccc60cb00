"""Which runs train together, and where: blocks of rows, in this process or in workers."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import traceback
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import cast

import numpy as np
from threadpoolctl import threadpool_limits

from adamcli.config import Run
from adamcli.errors import RuleError, WorkerError
from adamcli.history import LAYER_SERIES, Failure, RunHistory, StackHistory
from adamcli.layout import Layout
from adamcli.problems import kept_bytes, stack_bytes, stack_seconds, traced_bytes
from adamcli.recorder import Records
from adamcli.training import Snapshot, Trainee, kind, train

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


def train_runs(runs: Sequence[Run], jobs: int | None = None) -> Iterator[Progress]:
    """Train runs and report as they go; a run's bits depend on nothing but the run.

    Closing the generator stops the training after the epoch under way.

    Args:
        runs: what to train, in any order.
        jobs: processes; None for one per core when the work takes longer than a second.

    Raises:
        WorkerError: a worker process died; what was reported before stands.
    """
    jobs = jobs or _suitable_jobs(runs)
    blocks = plan(runs, jobs)
    if jobs > 1 and len(blocks) > 1:
        yield from _train_in_processes(runs, blocks, jobs)
        return
    with _one_blas_thread():
        for block in blocks:
            yield from _train_block(runs, block)


def plan(runs: Sequence[Run], jobs: int = 1) -> list[Block]:
    """Divide runs into blocks that can train as stacks, a multiple of `jobs` where it helps.

    Runs of the same seed stay close together, so that all labels advance evenly; within a
    block runs of the same rule are neighbours.
    """
    groups: dict[object, list[int]] = {}
    for place, run in enumerate(runs):
        groups.setdefault((run.task.stack_key, run.eval_every), []).append(place)
    blocks: list[Block] = []
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
    jobs = jobs or _suitable_jobs(runs)
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


def _block_seconds(runs: Sequence[Run], block: Block) -> float:
    """An estimate of how long one core trains a stack."""
    first = runs[block[0]]
    groups = len({kind(runs[place].rule, runs[place].wrapping) for place in block})
    return stack_seconds(first.task, first.eval_every, len(block), groups)


def _suitable_jobs(runs: Sequence[Run]) -> int:
    """How many processes train these runs soonest."""
    return _cores() if seconds(runs) > _SERIAL_SECONDS else 1


def _cores() -> int:
    """The processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _by_rule(runs: Sequence[Run], places: np.ndarray) -> Block:
    """The places with runs of one kind of rule next to each other, otherwise in order."""
    kinds: dict[object, list[int]] = {}
    for place in places.tolist():
        kinds.setdefault(kind(runs[place].rule, runs[place].wrapping), []).append(place)
    return tuple(place for group in kinds.values() for place in group)


def _train_block(runs: Sequence[Run], block: Block) -> Iterator[Progress]:
    """Train one stack."""
    members = [runs[place] for place in block]
    problem = members[0].task.stacked([run.task for run in members])
    trainees = [_trainee(run, problem.layout) for run in members]
    kept = StackHistory(len(members))
    first = members[0]
    for snapshot in train(problem, trainees, epochs=first.task.epochs, eval_every=first.eval_every):
        recorded = snapshot.traces, snapshot.layers
        kept.append(snapshot.epoch, snapshot.step, snapshot.metrics, *recorded)
        done = snapshot.epoch == first.task.epochs or snapshot.all_stopped
        finished = _histories(members, kept, snapshot, problem.layout) if done else ()
        yield Progress(block, snapshot, finished)


def _trainee(run: Run, layout: Layout) -> Trainee:
    """How a run's row is trained."""
    records = Records(tuple(layout.index(param) for param in run.traced), run.layers)
    return Trainee(run.rule, run.schedule, run.clip_norm, records, run.wrapping)


def _histories(
    members: Sequence[Run], kept: StackHistory, last: Snapshot, layout: Layout
) -> tuple[RunHistory, ...]:
    """What is kept of each run of a finished stack."""
    histories = []
    arrays = {tensor.name: layout.view(last.params, tensor.name) for tensor in layout.tensors}
    for row, run in enumerate(members):
        epochs, steps, metrics = kept.times(row)
        failure, diverged_at = last.failed.get(row), int(last.diverged_at[row]) or None
        stopped_at = failure.step if failure else diverged_at
        taken = last.step if stopped_at is None else max(0, stopped_at - 1)
        try:
            traces = _traces(run, kept, row, taken) if taken or not failure else {}
        except RuleError as error:
            traces, failure = {}, Failure(taken, str(error), error.log)
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
                traces=traces,
                layers=_layers(run, kept, row, taken, [*arrays]),
                failure=failure,
            )
        )
    return tuple(histories)


def _traces(run: Run, kept: StackHistory, row: int, steps: int) -> dict[str, dict[str, np.ndarray]]:
    """The recorded and the derived series of every traced parameter of a run, (steps,) each."""
    if not run.traced:
        return {}
    recorded = kept.trace(row, steps)
    lr = recorded.pop("lr")[:, 0]
    t = np.arange(1, len(lr) + 1)
    traces = {}
    for k, param in enumerate(run.traced):
        series = {name: np.ascontiguousarray(values[:, k]) for name, values in recorded.items()}
        # What a rule divides by may be zero, as a gradient is, or have overflowed.
        with np.errstate(all="ignore"):
            traces[param] = series | run.rule.trace(series, lr, t)
    return traces


def _layers(
    run: Run, kept: StackHistory, row: int, steps: int, names: Sequence[str]
) -> dict[str, dict[str, np.ndarray]]:
    """The `LAYER_SERIES` of every named array of a run, (steps,) each, if they are recorded."""
    if not run.layers:
        return {}
    norms = kept.norms(row, steps)
    with np.errstate(divide="ignore", invalid="ignore"):  # an array may be zero, as biases are
        norms["ratio"] = norms["update"] / norms["weight"]
    return {
        array: {name: np.ascontiguousarray(norms[name][:, k]) for name in LAYER_SERIES}
        for k, array in enumerate(names)
    }


def _train_in_processes(
    runs: Sequence[Run], blocks: Sequence[Block], jobs: int
) -> Iterator[Progress]:
    """Train blocks in `jobs` worker processes, each getting the next block when it is done."""
    left = iter(blocks)
    workers: dict[Connection, BaseProcess] = {}
    try:
        for _, block in zip(range(jobs), left, strict=False):
            connection, process = _start_worker(runs)
            workers[connection] = process
            connection.send(block)
        busy = set(workers)
        while busy:
            for connection in cast(list[Connection], wait([*busy])):
                news = _receive(connection)
                if isinstance(news, Progress):
                    yield news
                elif block := next(left, ()):
                    connection.send(block)
                else:
                    busy.remove(connection)
    finally:
        for connection, process in workers.items():
            connection.close()
            process.terminate()
            process.join()


def _start_worker(runs: Sequence[Run]) -> tuple[Connection, BaseProcess]:
    """A new worker process and our end of the pipe to it."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_work, args=(theirs, runs), daemon=True)
    process.start()
    theirs.close()
    return ours, process


def _receive(connection: Connection) -> Progress | None:
    """A worker's news of its block, or None when the block is done.

    Raises:
        WorkerError: the worker has died or its training raised an exception.
    """
    try:
        news = connection.recv()
    except (EOFError, OSError) as error:
        raise WorkerError(
            "a worker process has died (killed, or out of memory)",
            fix="run the same command to train what is missing, perhaps with --jobs 1",
        ) from error
    if isinstance(news, str):
        raise WorkerError(f"a worker process failed:\n{news}", fix="report it")
    return news


def _work(connection: Connection, runs: Sequence[Run]) -> None:
    """The life of a worker: train the blocks that come, until the pipe closes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which ends us
    with contextlib.suppress(EOFError, OSError), _one_blas_thread():
        while True:
            block = connection.recv()
            try:
                for progress in _train_block(runs, block):
                    connection.send(_light(progress))
            except Exception:
                connection.send(traceback.format_exc())
            connection.send(None)


def _light(progress: Progress) -> Progress:
    """The same without the arrays that only the training itself needs."""
    snapshot = progress.snapshot
    bare = replace(snapshot, params=snapshot.params[:0], traces={}, layers={})
    return replace(progress, snapshot=bare)


def _one_blas_thread() -> AbstractContextManager[object]:
    """The bits of a product may depend on the number of BLAS threads, so it is always one."""
    limits: AbstractContextManager[object] = threadpool_limits(limits=1, user_api="blas")
    return limits
