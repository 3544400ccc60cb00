"""A file of plain facts and arrays in which any damage shows.

The first line is `adamcli sealed 1`, the length of the header and its SHA-256. The header is
JSON: the facts, where each array lies, and the SHA-256 of all that follows it. Then come the
arrays, axis by axis as they lay in memory, since sums depend on that order. Nothing is ever
unpickled.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from adamcli.errors import DamagedError
from adamcli.history import Memory, memory_axes
from adamcli.layout import Array
from adamcli.store import files

_MAGIC = "adamcli sealed 1"
_NUMBERS = "biuf"


class _Place(NamedTuple):
    """Where an array lies and how.

    Attributes:
        axes: its axes from the outermost in memory to the innermost.
        shape: in that order.
        start: its first byte after the header.
    """

    name: str
    dtype: str
    axes: list[int]
    shape: list[int]
    start: int

    @property
    def size(self) -> int:
        """How many bytes it takes."""
        return np.dtype(self.dtype).itemsize * math.prod(self.shape)


def write(path: Path, memory: Memory) -> None:
    """Write facts and arrays.

    Raises:
        StorageError: the operating system refused.
        ValueError: an array is not of plain numbers.
    """
    places, pieces, start = [], [], 0
    for name, array in memory.arrays.items():
        if array.dtype.kind not in _NUMBERS:
            raise ValueError(f"{name} is not of numbers but of {array.dtype}")
        axes = [*memory_axes(array)]
        piece = np.ascontiguousarray(array.transpose(axes)) if array.ndim else array.reshape(1)
        place = _Place(name, array.dtype.str, axes, [array.shape[axis] for axis in axes], start)
        places.append(place)
        pieces.append(piece.reshape(-1).view(np.uint8).data)
        start += place.size
    digest = hashlib.sha256()
    for data in pieces:
        digest.update(data)
    said = {"facts": memory.facts, "arrays": places, "sha256": digest.hexdigest()}
    header = json.dumps(said, allow_nan=True).encode()
    with files.writing(path) as file:
        line = f"{_MAGIC} {len(header)} {hashlib.sha256(header).hexdigest()}\n"
        file.write(line.encode())
        file.write(header)
        for data in pieces:
            file.write(data)


class Arrays:
    """The arrays of a sealed file, each read when it is asked for.

    Args:
        path: of the file.
        start: the byte at which they begin.
        places: where in it they lie.
    """

    def __init__(self, path: Path, start: int, places: Iterable[_Place]) -> None:
        self._path, self._start = path, start
        self._places = {place.name: place for place in places}

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def whole(self, name: str) -> Array:
        """One array, new and writable."""
        place = self._places[name]
        return self._read(place, place.start, place.shape).transpose(np.argsort(place.axes))

    def part(self, name: str, first: int, count: int) -> Array:
        """Some entries of an array along its first axis, which is the outermost in memory."""
        place = self._places[name]
        size = place.size // place.shape[0] if place.shape[0] else 0
        return self._read(place, place.start + first * size, [count, *place.shape[1:]])

    def _read(self, place: _Place, start: int, shape: list[int]) -> Array:
        """Numbers from a byte on."""
        array = np.empty(shape, place.dtype)
        try:
            with self._path.open("rb") as file:
                file.seek(self._start + start)
                got = file.readinto(array.reshape(-1).view(np.uint8).data)
        except OSError as error:
            raise damaged(self._path) from error
        if got != array.nbytes:
            raise damaged(self._path)
        return array


class Sealed:
    """A sealed file whose header has been read and is as it was written.

    Attributes:
        facts: what it says.
        arrays: its arrays.

    Raises:
        DamagedError: it is not.
        FileNotFoundError: there is no such file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            with path.open("rb") as file:
                line = file.readline(200)
                magic, length, digest = line.decode("ascii").rstrip("\n").rsplit(" ", 2)
                header = file.read(int(length))
                self._start = file.tell()
            if magic != _MAGIC or hashlib.sha256(header).hexdigest() != digest:
                raise damaged(path)
            said = json.loads(header)
            self.facts: dict[str, Any] = said["facts"]
            self.arrays = Arrays(path, self._start, (_Place(*place) for place in said["arrays"]))
            self._sha256: str = said["sha256"]
        except FileNotFoundError:
            raise
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise damaged(path) from error

    def check(self) -> None:
        """Read it all.

        Raises:
            DamagedError: the arrays are not what was written.
            FileNotFoundError: the file is gone.
        """
        digest = hashlib.sha256()
        try:
            with self.path.open("rb") as file:
                file.seek(self._start)
                while piece := file.read(2**20):
                    digest.update(piece)
        except FileNotFoundError:
            raise
        except OSError as error:
            raise damaged(self.path) from error
        if digest.hexdigest() != self._sha256:
            raise damaged(self.path)


def read(path: Path) -> Memory:
    """All that a sealed file holds.

    Raises:
        DamagedError: it is not what was written.
        FileNotFoundError: there is no such file.
    """
    sealed = Sealed(path)
    sealed.check()
    return Memory(sealed.facts, {name: sealed.arrays.whole(name) for name in sealed.arrays})


def damaged(path: Path) -> DamagedError:
    """What to say of a sealed file that is not what was written."""
    fix = "run the same command again, which trains these runs anew"
    return DamagedError("not what was saved (SHA-256 differs)", where=str(path), fix=fix)
