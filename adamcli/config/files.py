"""The experiment file itself: found, and read as text without waiting or trusting its size."""

from __future__ import annotations

import difflib
import os
import stat
from pathlib import Path

from adamcli.errors import ConfigError
from adamcli.text import safe

MAX_BYTES = 2**20


def find(path: Path) -> Path:
    """The experiment file of that name; `configs/...` falls back to the shipped ones.

    Raises:
        ConfigError: there is none; the fix names the nearest.
    """
    if os.path.lexists(path):
        return path
    shipped = _shipped()
    if path.parts[:1] == ("configs",) and (shipped.parent / path).is_file():
        return shipped.parent / path
    raise ConfigError(
        "no such experiment file", where=safe(str(path), 200), fix=_nearest(path, shipped)
    )


def read_text(path: Path) -> str:
    """The text of a regular file of at most 1 MiB, as UTF-8.

    Raises:
        ConfigError: it is something else, or not to be read.
    """
    name = safe(str(path), 200)
    content = _read_bytes(path, name)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        lines = content[: error.start].split(b"\n")
        raise ConfigError(
            f"not UTF-8: byte 0x{content[error.start]:02x}",
            where=f"{name}:{len(lines)}:{len(lines[-1]) + 1}",
            fix="save the file as UTF-8",
        ) from error


def _read_bytes(path: Path, name: str) -> bytes:
    """The bytes of the file, once its kind and size are known to be bearable."""
    try:
        # Without O_NONBLOCK, opening a FIFO would wait for its writer.
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ConfigError("not a regular file", where=name, fix="give a YAML file")
            if status.st_size > MAX_BYTES:
                raise ConfigError("larger than 1 MiB", where=name, fix="give an experiment file")
            return _first_bytes(descriptor, MAX_BYTES)
        finally:
            os.close(descriptor)
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from error


def _first_bytes(descriptor: int, most: int) -> bytes:
    """All that can be read, up to a number of bytes."""
    content = b""
    while len(content) < most and (chunk := os.read(descriptor, most - len(content))):
        content += chunk
    return content


def _unreadable(name: str, error: Exception) -> ConfigError:
    """Why a file cannot be opened."""
    reason = getattr(error, "strerror", None) or str(error)
    what = "cannot be read" if isinstance(error, PermissionError) else "not a regular file"
    return ConfigError(f"{what} ({safe(reason)})", where=name, fix="check the file and its rights")


def _shipped() -> Path:
    """The experiments that come with adamcli: in the package, or beside it in a checkout."""
    package = Path(__file__).parents[1]
    inside = package / "configs"
    return inside if inside.is_dir() else package.parent / "configs"


def _nearest(path: Path, shipped: Path) -> str:
    """A hint at files whose names are near, here or among the shipped ones."""
    places = ((path.parent, path.parent), (Path("configs"), shipped))
    known = {name: str(shown / name) for shown, folder in places for name in _yaml_names(folder)}
    stems = {Path(name).stem: full for name, full in known.items()}
    near = difflib.get_close_matches(path.stem, stems, n=1, cutoff=0.6)
    if near:
        return f"did you mean {safe(stems[near[0]], 200)}?"
    return f"use one of {safe(', '.join(stems.values()), 200)}" if stems else "check the path"


def _yaml_names(folder: Path) -> list[str]:
    """The YAML files of a folder; none where it cannot be listed."""
    try:
        return sorted(p.name for p in folder.iterdir() if p.suffix in (".yaml", ".yml"))[:200]
    except (OSError, ValueError):
        return []
