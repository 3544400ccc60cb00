"""Training runs: which executor, and what is done about blocks that it loses."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from adamcli.config import Run
from adamcli.errors import UsageError, WorkerError
from adamcli.history import Failure, RunHistory, metrics_of
from adamcli.runner.executor import Executor, InProcess, Lost
from adamcli.runner.planning import Block, cores, plan, suitable_jobs
from adamcli.runner.processes import Workers
from adamcli.runner.work import Assignment, Checkpoint, Progress
from adamcli.training import Snapshot

_ATTEMPTS = 2


def train_runs(
    runs: Sequence[Run],
    jobs: int | None = None,
    *,
    known: Sequence[Checkpoint] = (),
    every: float = math.inf,
    engine: Executor | None = None,
) -> Iterator[Progress | Checkpoint]:
    """Train runs and report as they go; a run's bits depend on nothing but the run.

    A block that is lost, with the process that trained it, is trained once more, from its last
    checkpoint if there is one. Lost again, its runs fail; the others go on. Closing the
    generator stops the training after the epoch under way.

    Args:
        runs: what to train, in any order.
        jobs: processes; None for one per core when the work takes longer than a second.
        known: checkpoints of an earlier training; their blocks train as they are.
        every: seconds between two checkpoints of a block.
        engine: where to train instead of here.

    Raises:
        WorkerError: no process is left to train in, or one found a bug; what was reported
            before stands.
    """
    blocks = [checkpoint.block for checkpoint in known]
    with engine or _local(runs, jobs or suitable_jobs(runs), blocks) as executor:
        undone = _Undone(executor)
        memories = {checkpoint.block: checkpoint.memory for checkpoint in known}
        for block in plan(runs, executor.jobs, blocks):
            members = tuple(runs[place] for place in block)
            undone.submit(Assignment(block, members, memories.get(block), every))
        yield from undone.news()


def executor_for(
    engine: str, scheduler: str | None, file: Path | None, jobs: int | None
) -> Executor | None:
    """Where a command line wants its runs trained; None for this machine's processes.

    Args:
        engine: `processes` or `dask`.
        scheduler: the address of one that is there.
        file: names its address instead.
        jobs: workers of a cluster of our own, if there is no such scheduler.

    Raises:
        UsageError: dask is not installed.
    """
    if engine == "processes":
        return None
    if find_spec("distributed") is None:
        fix = "pip install 'adamcli[dask]'"
        raise UsageError("dask is not installed", where="--engine dask", fix=fix)
    from adamcli.runner.cluster import Cluster

    if scheduler is None and file is None:
        return Cluster.local(jobs or cores())
    return Cluster.joined(scheduler, file)


def _local(runs: Sequence[Run], jobs: int, known: Sequence[Block]) -> Executor:
    """Processes where there is something for several, else this one."""
    several = jobs > 1 and len(plan(runs, jobs, known)) > 1
    return Workers(jobs) if several else InProcess()


class _Undone:
    """The assignments that an executor has not done yet, and what they need to be given again."""

    def __init__(self, executor: Executor) -> None:
        self._executor = executor
        self._assignments: dict[Block, Assignment] = {}
        self._steps: dict[Block, int] = {}
        self._losses: dict[Block, list[Lost]] = {}

    def submit(self, assignment: Assignment) -> None:
        """Have an assignment trained."""
        self._assignments[assignment.block] = assignment
        self._executor.submit(assignment)

    def news(self) -> Iterator[Progress | Checkpoint]:
        """All news of the executor, but for losses: these it mends or tells as failures."""
        for news in self._executor.news():
            if isinstance(news, Lost):
                yield from self._after(news)
            else:
                self._note(news)
                yield news

    def _note(self, news: Progress | Checkpoint) -> None:
        """Remember how far a block is."""
        if isinstance(news, Checkpoint):
            again = self._assignments[news.block]._replace(memory=news.memory)
            self._assignments[news.block] = again
        elif news.finished:
            del self._assignments[news.block]
        else:
            self._steps[news.block] = news.snapshot.step

    def _after(self, loss: Lost) -> Iterator[Progress]:
        """Submit a lost block again or, the second time, give it up."""
        losses = self._losses.setdefault(loss.block, [])
        losses.append(loss)
        if len(losses) == _ATTEMPTS:
            assignment = self._assignments.pop(loss.block)
            yield _given_up(assignment, losses, self._steps.get(loss.block, 0))
        else:
            self.submit(self._assignments[loss.block])


def _given_up(assignment: Assignment, losses: Sequence[Lost], step: int) -> Progress:
    """What is said of a block that cannot be trained; `step` is the last that is known of."""
    error = WorkerError(
        "the process that trained this run and those stacked with it died, twice: "
        + ", then ".join(loss.reason for loss in losses),
        fix="run the same command to train them again, perhaps with fewer --jobs",
    )
    failure = Failure(step, str(error), lost=True)
    rows = len(assignment.members)
    snapshot = Snapshot(
        epoch=0,
        step=0,
        metrics={name: np.full(rows, np.nan) for name in assignment.members[0].task.metrics},
        diverged_at=np.zeros(rows, dtype=np.int64),
        params=np.empty((0, 0)),
        traces={},
        failed=dict.fromkeys(range(rows), failure),
    )
    finished = tuple(_failed(run, failure) for run in assignment.members)
    return Progress(assignment.block, snapshot, finished)


def _failed(run: Run, failure: Failure) -> RunHistory:
    """What is kept of a run of which nothing is known but its failure."""
    return RunHistory(
        label=run.label,
        optimizer=run.optimizer,
        cell=run.cell,
        seed=run.seed,
        diverged_at=None,
        epochs=np.empty(0, dtype=np.int64),
        steps=np.empty(0, dtype=np.int64),
        metrics={name: np.empty(0) for name in metrics_of(run.task.metrics)},
        failure=failure,
    )
