"""The experiment file itself: found, and read as text without waiting or trusting its size."""

from __future__ import annotations

import difflib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from adamcli.errors import ConfigError
from adamcli.reading import UnsuitableError, regular_bytes
from adamcli.text import safe

MAX_BYTES = 2**20


class Kind(NamedTuple):
    """A kind of file that the user names: what it is called, and where the shipped ones are."""

    noun: str
    endings: tuple[str, ...]
    folder: Path


EXPERIMENT = Kind("experiment file", (".yaml", ".yml"), Path("configs"))
CLAIM = Kind("claim file", (".yaml", ".yml"), Path("configs/claims"))
PLUGIN = Kind("plug-in", (".py",), Path("configs/plugins"))


def find(path: Path, kind: Kind = EXPERIMENT) -> Path:
    """The file of that name; `configs/...` falls back to what adamcli ships.

    Raises:
        ConfigError: there is none; the fix names the nearest.
    """
    if os.path.lexists(path):
        return path
    shipped = _shipped()
    if path.parts[:1] == ("configs",) and os.path.isfile(shipped.parent / path):
        return shipped.parent / path
    fix = _nearest(path, shipped, kind)
    raise ConfigError(f"no such {kind.noun}", where=safe(str(path), 200), fix=fix)


def from_root(path: Path | str) -> str:
    """The path from the root, links as they are.

    Raises:
        ConfigError: it starts from a current folder that has been removed.
    """
    try:
        return os.path.abspath(path)
    except OSError as error:
        raise ConfigError(
            "the current folder is not there any more",
            where=safe(str(path), 200),
            fix="change to another folder",
        ) from error


def shipped(kind: Kind) -> list[Path]:
    """The files of a kind that come with adamcli, as `find` takes them, by name."""
    names = _names(_shipped().parent / kind.folder, kind.endings)
    return [kind.folder / name for name in names]


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
        return regular_bytes(path, MAX_BYTES)
    except UnsuitableError as error:
        raise ConfigError(str(error), where=name, fix="give an experiment file (YAML)") from error
    except (OSError, ValueError) as error:
        raise _unreadable(name, error) from error


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


def _nearest(path: Path, shipped: Path, kind: Kind) -> str:
    """A hint at files whose names are near, here or among the shipped ones."""
    places = ((path.parent, path.parent), (kind.folder, shipped.parent / kind.folder))
    known = {
        name: str(shown / name) for shown, folder in places for name in _names(folder, kind.endings)
    }
    stems = {Path(name).stem: full for name, full in known.items()}
    near = difflib.get_close_matches(path.stem, stems, n=1, cutoff=0.6)
    if near:
        return f"did you mean {safe(stems[near[0]], 200)}?"
    return f"use one of {safe(', '.join(stems.values()), 200)}" if stems else "check the path"


def _names(folder: Path, endings: Sequence[str]) -> list[str]:
    """The files of a folder with one of these endings; none where it cannot be listed."""
    try:
        return sorted(p.name for p in folder.iterdir() if p.suffix in endings)[:200]
    except (OSError, ValueError):
        return []
