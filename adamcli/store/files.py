"""Writing files so that a reader, or a crash, sees the old content or the new, never half."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path

from adamcli.errors import StorageError


@contextlib.contextmanager
def storage_errors(path: Path) -> Iterator[None]:
    """Turn what the operating system refuses into a StorageError about `path`."""
    try:
        yield
    except OSError as error:
        raise StorageError(
            f"cannot write ({error.strerror or error})",
            where=str(path),
            fix="free some space, check the permissions, or choose another place with --out",
        ) from error


def write(path: Path, content: bytes) -> None:
    """Replace a file: a temporary file beside it, flushed to disk, then renamed over it.

    Raises:
        StorageError: the operating system refused; `path` is as it was before.
    """
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    with storage_errors(path):
        try:
            with temporary.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _sync_directory(path.parent)


def remove(path: Path) -> None:
    """Remove a file, if it is there.

    Raises:
        StorageError: the operating system refused.
    """
    with storage_errors(path):
        path.unlink(missing_ok=True)


def make_directory(path: Path) -> None:
    """Create a directory and its parents where they are missing.

    Raises:
        StorageError: the operating system refused.
    """
    with storage_errors(path):
        path.mkdir(parents=True, exist_ok=True)


def point(link: Path, name: str) -> None:
    """Make `link` a symbolic link to its sibling `name`; a plain file with that name where
    the file system has no links.

    Raises:
        StorageError: the operating system refused both.
    """
    temporary = link.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        temporary.symlink_to(name, target_is_directory=True)
        temporary.replace(link)
    except OSError:
        temporary.unlink(missing_ok=True)
        write(link, f"{name}\n".encode())


def _sync_directory(directory: Path) -> None:
    """Flush the names in a directory to disk, where directories can be opened (not on Windows)."""
    if os.name == "nt":
        return
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
