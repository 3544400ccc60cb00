"""Standard output and standard error, whatever they are: a closed one, a full one, a pipe."""

from __future__ import annotations

import contextlib
import errno
import os
import sys
from collections.abc import Iterator

from adamcli.errors import StorageError

# What a write to an open file may end with; everything else is not about the stream.
_WRITE_ERRORS = (errno.ENOSPC, errno.EIO, errno.EFBIG, errno.EDQUOT)


def make_robust() -> None:
    """What a stream cannot show becomes an escape; what is closed swallows all it gets."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        if getattr(sys, name) is None:
            # Otherwise the next file to be opened would get its number, and be written to.
            _point_nowhere(number)
            setattr(sys, name, open(number, "w", encoding="utf-8", closefd=False))  # noqa: SIM115
        if hasattr(getattr(sys, name), "reconfigure"):
            getattr(sys, name).reconfigure(errors="backslashreplace")


@contextlib.contextmanager
def printing() -> Iterator[None]:
    """For printing on stdout: flushed at the end, and a reader who has left is no error.

    Raises:
        StorageError: stdout goes to a file that cannot be written.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        _point_nowhere(sys.stdout.fileno())
    except OSError as error:
        if error.errno not in _WRITE_ERRORS or error.filename is not None:
            raise
        _point_nowhere(sys.stdout.fileno())
        raise StorageError(
            f"cannot print the result ({error.strerror or error})",
            where="standard output",
            fix="free some space, or send it elsewhere",
        ) from error


def settle_stderr() -> None:
    """Flush stderr; what it does not take is lost, and no reason to fail."""
    try:
        sys.stderr.flush()
    except OSError:
        _point_nowhere(sys.stderr.fileno())


def show_cursor() -> None:
    """Show the terminal's cursor again, which a live table hides; nothing is buffered."""
    with contextlib.suppress(OSError):
        if os.isatty(2):
            os.write(2, b"\x1b[?25h\r\n")


def _point_nowhere(number: int) -> None:
    """Let a descriptor swallow everything, so that Python's flush at exit cannot fail."""
    null = os.open(os.devnull, os.O_WRONLY)
    if null != number:
        os.dup2(null, number)
        os.close(null)
