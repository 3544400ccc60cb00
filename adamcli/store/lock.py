"""One process owns a run directory; the kernel frees it at death."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from adamcli.errors import InUseError
from adamcli.store import faults
from adamcli.store.files import storage_errors

if sys.platform != "win32":
    import fcntl

LOCK_NAME = ".lock"
_NAMING_SECONDS = 0.05
_PATIENCE = 40


@contextlib.contextmanager
def owned(directory: Path) -> Iterator[None]:
    """Own a directory for the duration; opening the lock also shows that it can be written.

    Raises:
        InUseError: another process owns it; names its PID and host.
        StorageError: the directory cannot be written.
    """
    path = directory / LOCK_NAME
    with storage_errors(directory):
        faults.before("lock", path)
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        _lock(descriptor, directory)
        with storage_errors(directory):
            os.ftruncate(descriptor, 0)
            os.write(descriptor, f"process {os.getpid()} on {socket.gethostname()}".encode())
        yield
        with contextlib.suppress(OSError):
            os.ftruncate(descriptor, 0)  # the next owner's name is awaited, not ours read
    finally:
        os.close(descriptor)


def _lock(descriptor: int, directory: Path) -> None:
    """Take the lock or say who has it."""
    if sys.platform == "win32":
        return  # directories are not protected there
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise InUseError(
            f"in use by {_owner(descriptor)}",
            where=str(directory),
            fix="wait until it is done, or stop that process",
        ) from error


def _owner(descriptor: int) -> str:
    """Who has the lock; an owner that has just come may not have written its name yet."""
    for _ in range(_PATIENCE):
        time.sleep(_NAMING_SECONDS)
        if name := os.pread(descriptor, 200, 0).decode(errors="replace"):
            return name
    return "another process"
