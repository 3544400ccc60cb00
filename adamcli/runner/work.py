"""Training one block: a stack from its first step to the histories of its runs."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from threadpoolctl import threadpool_limits

from adamcli.config import Run
from adamcli.errors import RuleError
from adamcli.history import LAYER_SERIES, Failure, Memory, RunHistory, StackHistory
from adamcli.layout import Layout
from adamcli.problems import Problem
from adamcli.recorder import Records
from adamcli.runner.planning import Block
from adamcli.training import Snapshot, Trainee, Training


@dataclass(frozen=True)
class Progress:
    """News of one block.

    Attributes:
        block: which runs it has, as places in the list given to `train_runs`.
        snapshot: where they stand, a row for each.
        finished: what is kept of each run once the block is done, else empty.
        processor: the name of the one that trained it, once the block is done.
    """

    block: Block
    snapshot: Snapshot
    finished: tuple[RunHistory, ...] = ()
    processor: str = ""


@dataclass(frozen=True)
class Checkpoint:
    """News of a block that can be taken up from here.

    Attributes:
        block: which runs it has, as places in the list given to `train_runs`.
        memory: of its training, to be handed to it again.
    """

    block: Block
    memory: Memory


class Assignment(NamedTuple):
    """A block to train, complete: it can be sent anywhere.

    Attributes:
        block: what the news of it are called.
        members: its runs.
        memory: of an earlier training of it, from which it goes on.
        every: seconds between two checkpoints.
    """

    block: Block
    members: tuple[Run, ...]
    memory: Memory | None = None
    every: float = math.inf


def train_block(assignment: Assignment) -> Iterator[Progress | Checkpoint]:
    """Train one stack in this process, from its memory on if it has one.

    A checkpoint comes after the first epoch, but the last, that ends `every` seconds after
    the start or the one before. There are none where a rule has state besides its slots.

    Raises:
        ValueError: the memory is not one of these runs; the message says what differs.
    """
    block, members, memory, every = assignment
    first = members[0]
    problem = first.task.stacked([run.task for run in members])
    trainees = [_trainee(run, problem.layout) for run in members]
    kept, initial = StackHistory(len(members)), _initial(problem)
    training = Training(problem, trainees, epochs=first.task.epochs, eval_every=first.eval_every)
    if memory is not None:
        kept.recall(memory.part("history"))
        training.recall(memory.part("training"))
    since = time.monotonic()
    while not training.done:
        snapshot = training.advance()
        if snapshot is not None:
            recorded = snapshot.traces, snapshot.layers
            kept.append(snapshot.epoch, snapshot.step, snapshot.metrics, *recorded)
            finished = (
                _histories(members, initial, kept, snapshot, problem.layout)
                if training.done
                else ()
            )
            yield Progress(block, snapshot, finished)
        if not training.done and time.monotonic() - since >= every:
            yield from _checkpoints(block, training, kept)
            since = time.monotonic()


def _checkpoints(block: Block, training: Training, kept: StackHistory) -> Iterator[Checkpoint]:
    """One checkpoint, or none where the training cannot be remembered."""
    memory = training.memory()
    if memory is not None:
        yield Checkpoint(block, Memory.joined({"training": memory, "history": kept.memory()}))


def one_blas_thread() -> AbstractContextManager[object]:
    """The bits of a product may depend on the number of BLAS threads, so it is always one."""
    limits: AbstractContextManager[object] = threadpool_limits(limits=1, user_api="blas")
    return limits


def _trainee(run: Run, layout: Layout) -> Trainee:
    """How a run's row is trained."""
    records = Records(tuple(layout.index(param) for param in run.traced), run.layers)
    return Trainee(run.rule, run.schedule, run.clip_norm, records, run.wrapping)


def _initial(problem: Problem) -> dict[str, np.ndarray]:
    """The metrics of every run before the first step, each (R,)."""
    with np.errstate(all="ignore"):  # the first layers of a network may overflow
        return problem.evaluate(problem.start())


def _histories(
    members: Sequence[Run],
    initial: dict[str, np.ndarray],
    kept: StackHistory,
    last: Snapshot,
    layout: Layout,
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
                initial={n: float(v[row]) for n, v in initial.items() if np.isfinite(v[row])},
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
