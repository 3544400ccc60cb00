"""Training runs: which executor, and what is done about blocks that it loses."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from adamcli.config import Run
from adamcli.errors import WorkerError
from adamcli.runner.executor import Executor, InProcess, Lost, assignments
from adamcli.runner.planning import plan, suitable_jobs
from adamcli.runner.processes import Workers
from adamcli.runner.work import Progress


def train_runs(runs: Sequence[Run], jobs: int | None = None) -> Iterator[Progress]:
    """Train runs and report as they go; a run's bits depend on nothing but the run.

    Closing the generator stops the training after the epoch under way.

    Args:
        runs: what to train, in any order.
        jobs: processes; None for one per core when the work takes longer than a second.

    Raises:
        WorkerError: a worker process died; what was reported before stands.
    """
    jobs = jobs or suitable_jobs(runs)
    blocks = plan(runs, jobs)
    executor: Executor = Workers(jobs) if jobs > 1 and len(blocks) > 1 else InProcess()
    with executor:
        for assignment in assignments(runs, blocks):
            executor.submit(assignment)
        for news in executor.news():
            if isinstance(news, Lost):
                fix = "run the same command to train what is missing, perhaps with --jobs 1"
                raise WorkerError(news.reason, fix=fix)
            if isinstance(news, Progress):
                yield news
