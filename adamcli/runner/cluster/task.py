"""On a worker of a cluster: training one task, and telling how it goes."""

from __future__ import annotations

import pickle
import threading
import time
import traceback

from distributed import Worker, get_worker

from adamcli.runner.cluster.versions import installed
from adamcli.runner.executor import light, training
from adamcli.runner.work import Assignment, Checkpoint, Progress, one_blas_thread

_TOLD = 1.0  # seconds between two reports of a block

# A process that dies in its first moments is not started anew by its nanny, which does not
# know yet that it was there; so no worker trains at once.
_SETTLED = time.monotonic() + 0.5

_TURN = threading.Lock()
"""Held by the task that trains, whatever number of threads the worker has."""


def train(task: str, topic: str, payload: bytes) -> bytes:
    """Train an assignment to its next checkpoint or its end.

    What goes over the network is pickled here, so that an array arrives with its axes in the
    order in memory that it had.

    Returns:
        The last news; the traceback of an exception; None if nobody waits for any.
    """
    worker = get_worker()
    with _TURN, one_blas_thread():
        began = {"worker": worker.address, "versions": installed()}
        worker.log_event(topic, {"task": task, **began})
        time.sleep(max(0.0, _SETTLED - time.monotonic()))
        try:
            news = _last_news(worker, task, topic, pickle.loads(payload))
        except Exception:
            return pickle.dumps(traceback.format_exc())
        return pickle.dumps(news)


def _last_news(
    worker: Worker, task: str, topic: str, assignment: Assignment
) -> Progress | Checkpoint | None:
    """As `train`; what comes before the last news is told in events."""
    due = 0.0
    for news in training(assignment):
        if not _wanted(worker, task):
            return None
        if isinstance(news, Checkpoint) or news.finished:
            return light(news)
        if time.monotonic() >= due:
            worker.log_event(topic, {"task": task, "progress": pickle.dumps(light(news))})
            due = time.monotonic() + _TOLD
    return None


def _wanted(worker: Worker, task: str) -> bool:
    """Whether the result of a task is waited for; it is not when the driver has ended."""
    state = worker.state.tasks.get(task)
    return state is not None and state.state != "cancelled"
