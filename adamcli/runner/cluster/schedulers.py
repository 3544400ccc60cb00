"""A scheduler and its workers: of our own on this machine, or some that are there."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import dask
from distributed import Client, LocalCluster
from distributed.utils import LoopRunner

from adamcli.errors import UsageError, WorkerError
from adamcli.runner.processes import no_interrupt

_PATIENCE = 10.0  # seconds in which a scheduler has to answer
_STARTING = 60.0  # seconds that workers of a cluster of our own have to start
_GRACE = 1.0  # seconds that a cluster of our own has to end
_FAILURES = "distributed.scheduler.allowed-failures"
_RESTARTED = "distributed.deploy.lost-worker-timeout"


@contextlib.contextmanager
def own(jobs: int) -> Iterator[Client]:
    """A scheduler and workers on this machine, which no other machine can reach."""
    with (
        tempfile.TemporaryDirectory(prefix="adamcli-", ignore_cleanup_errors=True) as folder,
        # What is done about a task whose worker died is decided by us.
        dask.config.set({_FAILURES: 0, _RESTARTED: "30 s", "temporary-directory": folder}),
        _children() as kill,
        _loop() as loop,
        _cluster(loop, folder) as cluster,
        Client(cluster, set_as_default=False) as client,
    ):
        try:
            cluster.scale(jobs)
            _await_workers(client, jobs)
            yield client
        finally:
            for nanny in cluster.workers.values():
                nanny.auto_restart = False
            kill()


def _await_workers(client: Client, jobs: int) -> None:
    """Wait until workers of our own have started.

    Raises:
        WorkerError: they do not.
    """
    try:
        client.wait_for_workers(jobs, timeout=_STARTING)
    except TimeoutError as error:
        what = f"{jobs} workers did not start within {_STARTING:.0f} s"
        raise WorkerError(what, fix="train with --jobs instead of --engine dask") from error


@contextlib.contextmanager
def _cluster(loop: Any, folder: str) -> Iterator[LocalCluster]:
    """A scheduler on this machine whose workers are still to come."""
    cluster = LocalCluster(
        loop=loop,
        n_workers=0,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
        memory_limit=0,  # as without dask, nothing is stopped for its size
        local_directory=folder,
        silence_logs=logging.CRITICAL,
    )
    cluster.shutdown_on_close = False  # we close it; at exit it would wait ten seconds more
    try:
        yield cluster
    finally:
        with contextlib.suppress(TimeoutError):
            cluster.close(timeout=_GRACE)


@contextlib.contextmanager
def _loop() -> Iterator[Any]:
    """An event loop in a thread of its own, whose child processes Ctrl-C does not reach."""
    runner = LoopRunner(asynchronous=False)
    with no_interrupt():
        runner.start()
    try:
        yield runner.loop
    finally:
        runner.stop()


@contextlib.contextmanager
def _children() -> Iterator[Callable[[], None]]:
    """Gives a way to kill the processes that were started meanwhile; at the end none is left.

    Asked to end, a worker would first train its block; and one that still starts is known to
    nobody but this process, whose child it is.
    """
    others = multiprocessing.active_children()

    def kill() -> None:
        for child in multiprocessing.active_children():
            if child not in others:
                child.kill()
                child.join(_GRACE)

    try:
        yield kill
    finally:
        kill()


@contextlib.contextmanager
def there(address: str | None, file: Path | None) -> Iterator[Client]:
    """A scheduler that somebody else has started.

    Raises:
        UsageError: it does not answer.
    """
    where = address or str(file)
    if file is not None and not file.is_file():
        fix = "give the file that `dask scheduler --scheduler-file` writes"
        raise UsageError("no such scheduler file", where=where, fix=fix)
    given = {"address": address} if file is None else {"scheduler_file": str(file)}
    client = Client.__new__(Client)  # so that it can be closed although it was not made
    try:
        client.__init__(**given, set_as_default=False, timeout=_PATIENCE)
    except (OSError, ValueError, TypeError, KeyError, RuntimeError) as error:
        _abandon(client)
        fix = "start one with `dask scheduler`, and check address, firewall and TLS settings"
        raise UsageError("no scheduler answers", where=where, fix=fix) from error
    with client:
        yield client


def _abandon(client: Client) -> None:
    """Close what has no connection; when Python forgets it, it must not try for 20 s again."""
    with contextlib.suppress(TimeoutError):
        client.close(timeout=_GRACE)
    client.status = "closed"


@contextlib.contextmanager
def silence() -> Iterator[None]:
    """Keep what `distributed` logs and warns of from the terminal; its errors are ours to tell."""
    for name in [*logging.root.manager.loggerDict]:
        if name.partition(".")[0] == "distributed":
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    with warnings.catch_warnings(action="ignore"):
        yield
