"""Reading a file that somebody named, without waiting for it or trusting its size."""

from __future__ import annotations

import os
import stat
from pathlib import Path


class UnsuitableError(Exception):
    """A file that is no regular file, or too large; the message says which."""


def regular_bytes(path: Path, most: int) -> bytes:
    """The bytes of a regular file.

    Args:
        most: how many there may be.

    Raises:
        UnsuitableError: it is no regular file, or larger.
        OSError, ValueError: it cannot be opened.
    """
    # Without O_NONBLOCK, opening a FIFO would wait for its writer.
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
    try:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnsuitableError("not a regular file")
        if status.st_size > most:
            raise UnsuitableError(f"larger than {most // 2**20} MiB")
        return _first_bytes(descriptor, most)
    finally:
        os.close(descriptor)


def _first_bytes(descriptor: int, most: int) -> bytes:
    """All that can be read, up to a number of bytes."""
    content = b""
    while len(content) < most and (chunk := os.read(descriptor, most - len(content))):
        content += chunk
    return content
