"""Writing files so that a reader, or a crash, sees the old content or the new, never half.

All that adamcli writes goes through here, and every operation passes `faults.before`.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from adamcli.errors import StorageError
from adamcli.store import faults

_ATTEMPTS = 3
_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.tmp")


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


class Writing:
    """A file that is being written, piece by piece."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path, self._file = path, file
        self._hash = hashlib.sha256()

    def write(self, piece: bytes | memoryview) -> int:
        """Append bytes; how many."""
        faults.before("write", self._path)
        self._hash.update(piece)
        return self._file.write(piece)

    def flush(self) -> None:
        """Nothing: what is written is flushed at the end, all at once."""

    @property
    def sha256(self) -> str:
        """The SHA-256 of what is written so far, in hexadecimal."""
        return self._hash.hexdigest()


@contextlib.contextmanager
def writing(path: Path) -> Iterator[Writing]:
    """Replace a file by what is written in the block: a temporary file beside it, flushed to
    disk, then renamed over it; nothing of it stays if the block ends with an exception.

    Raises:
        StorageError: the operating system refused; `path` is as it was before.
    """
    temporary = _temporary(path)
    with storage_errors(path):
        try:
            faults.before("open", temporary)
            with temporary.open("xb") as file:
                yield Writing(temporary, file)
                file.flush()
                faults.before("fsync", temporary)
                os.fsync(file.fileno())
            faults.before("rename", path)
            temporary.replace(path)
        except BaseException:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            raise
        _sync_directory(path.parent)


def write(path: Path, content: bytes) -> str:
    """Replace a file by some bytes, as `writing` does.

    Returns:
        Their SHA-256.

    Raises:
        StorageError: the operating system refused; `path` is as it was before.
    """
    with writing(path) as file:
        file.write(content)
    return file.sha256


def sha256(path: Path) -> str:
    """The SHA-256 of a file, read in pieces.

    Raises:
        OSError: it cannot be read.
    """
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def remove(path: Path) -> None:
    """Remove a file, if it is there.

    Raises:
        StorageError: the operating system refused.
    """
    with storage_errors(path):
        faults.before("unlink", path)
        path.unlink(missing_ok=True)


def remove_directory(path: Path) -> None:
    """Remove a directory of files, if it is there.

    Raises:
        StorageError: the operating system refused, or it holds directories.
    """
    with storage_errors(path), contextlib.suppress(FileNotFoundError):
        for each in sorted(path.iterdir()):
            remove(each)
        faults.before("rmdir", path)
        path.rmdir()
        _sync_directory(path.parent)


def listed(directory: Path) -> list[Path]:
    """What a directory holds, by name; nothing if it is gone or is none."""
    try:
        return sorted(directory.iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return []


def is_temporary(path: Path) -> bool:
    """Whether a file is one that a killed process may have left half written."""
    return _TEMPORARY.fullmatch(path.name) is not None


def clear_temporary(directory: Path) -> None:
    """Remove the temporary files that a killed process left in a directory which we own.

    Raises:
        StorageError: the operating system refused.
    """
    with storage_errors(directory):
        left = [path for path in directory.iterdir() if is_temporary(path)]
    for path in left:
        remove(path)


def make_directory(path: Path, *, parents: bool = True) -> None:
    """Create a directory where it is missing.

    Args:
        parents: whether those above it are made too. Not within a run directory: one that
            was removed is not to come back half.

    Raises:
        StorageError: the operating system refused.
    """
    with storage_errors(path):
        if not path.is_dir():
            faults.before("mkdir", path)
            path.mkdir(parents=parents, exist_ok=True)
            _sync_directory(path.parent)


def point(link: Path, name: str) -> None:
    """Make `link` a symbolic link to its sibling `name`; a plain file with that name where
    the file system has no links.

    Raises:
        StorageError: the operating system refused both.
    """
    with contextlib.suppress(OSError):  # links of killed processes; none owns this directory
        for path in link.parent.iterdir():
            if is_temporary(path) and path.is_symlink():
                path.unlink(missing_ok=True)
    for _ in range(_ATTEMPTS):
        try:
            _link(link, name)
            return
        except FileNotFoundError:
            continue  # another process has taken our link for one of a killed process
        except OSError:
            break
    write(link, f"{name}\n".encode())


def _link(link: Path, name: str) -> None:
    """Replace `link` by a symbolic link to its sibling `name`."""
    temporary = _temporary(link)
    try:
        faults.before("link", link)
        temporary.symlink_to(name, target_is_directory=True)
        faults.before("rename", link)
        temporary.replace(link)
    except OSError:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise


def _temporary(path: Path) -> Path:
    """A name beside a file that nobody else has, of a length that does not depend on it."""
    return path.with_name(f".{secrets.token_hex(8)}.tmp")


def _sync_directory(directory: Path) -> None:
    """Flush the names in a directory to disk, where directories can be opened (not on Windows)."""
    if os.name == "nt":
        return
    faults.before("sync_directory", directory)
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
