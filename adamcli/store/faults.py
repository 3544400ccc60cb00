"""A hook before every operation on files, so that tests can make each of them fail.

`ADAMCLI_FAULT=KILL:7` in the environment kills the process before its seventh operation,
`ENOSPC:7` lets that one fail with this error, `ENOSPC:7+` every one from there on, and
`EIO:2:fsync` the second operation called fsync. Without it the hook does nothing.
"""

from __future__ import annotations

import errno
import os
import signal
from collections.abc import Callable
from pathlib import Path

VARIABLE = "ADAMCLI_FAULT"

KILL = "KILL"


class Fault:
    """What happens before which operation.

    Args:
        text: the value of the variable.

    Raises:
        ValueError: it is none of those that the module describes.
    """

    def __init__(self, text: str) -> None:
        self._kind, place, self._operation = [*text.split(":"), ""][:3]
        self._for_ever = place.endswith("+")
        self._left = int(place.removesuffix("+"))
        if self._kind != KILL and self._kind not in errno.errorcode.values():
            raise ValueError(f"no fault {self._kind!r}")

    def __call__(self, operation: str, path: Path) -> None:
        """Count an operation, and let it fail if it is due."""
        if self._operation not in ("", operation):
            return
        self._left -= 1
        if self._left == 0 or (self._for_ever and self._left < 0):
            self._strike(path)

    def _strike(self, path: Path) -> None:
        """Be what the fault is."""
        if self._kind == KILL:
            os.kill(os.getpid(), signal.SIGKILL)
        number = int(getattr(errno, self._kind))
        raise OSError(number, os.strerror(number), str(path))


def _nothing(operation: str, path: Path) -> None:
    """The hook of everyday."""


before: Callable[[str, Path], None] = (
    Fault(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else _nothing
)
"""Called with the name of an operation and its path before it is done. The names are open,
write, fsync, rename, sync_directory, unlink, mkdir, rmdir, link, lock."""
