"""Your own data: a CSV or NPZ file read as numbers, or refused with its line and column."""

from __future__ import annotations

import csv
import hashlib
import io
import math
import tokenize
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import MISSING, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from adamcli.errors import DataError
from adamcli.layout import Array
from adamcli.problems.datasets import HeldOut, Split, standardized
from adamcli.seeding import Streams
from adamcli.settings import setting
from adamcli.text import quoted

MAX_BYTES = 256 * 2**20
MAX_CLASSES = 100

# What a damaged zip or npy file makes NumPy raise (measured on mutated files).
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    tokenize.TokenError,
    NotImplementedError,
    RuntimeError,
    EOFError,
    KeyError,
    OSError,
    SyntaxError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True)
class Table:
    """A data file as read.

    Attributes:
        x: (n, F) float64, all finite.
        y: (n,) classes 0 to K - 1.
        labels: what stands in the file for each class, in order.
        content: the file's bytes, for a copy beside the results.
        sha256: of those bytes.
    """

    x: Array
    y: Array
    labels: tuple[str, ...]
    content: bytes = field(repr=False)
    sha256: str


@dataclass(frozen=True, kw_only=True)
class File:
    """Your own data: a CSV with a header, or an NPZ with X (n, F) and y (n,).

    In a CSV every column but the target must hold finite numbers. The target's distinct
    values, numbers or words, are the classes in sorted order. Each seed shuffles the rows,
    holds out the first `test_samples` of them, then `validation_samples`, and trains on the
    rest.
    """

    path: str = setting(MISSING, "CSV or NPZ file, relative to the experiment file", kind=str)
    target: str = setting("target", "the column of the classes in a CSV")
    samples: int | None = setting(
        None, "training points; null: all that are not held out", kind=int, ge=2, optional=True
    )
    test_samples: int = setting(0, "held-out points, 0 for none", ge=0)
    validation_samples: int = setting(
        0, "held-out points for tuning, neither trained on nor tested", ge=0
    )
    standardize: bool = setting(
        False, "shift and scale each input to mean 0, deviation 1 over the training set"
    )

    @property
    def table(self) -> Table:
        """The file's contents; read once in a process."""
        return read_table(self.path, self.target)

    @property
    def features(self) -> int:
        """The number of columns that are not the target."""
        return self.table.x.shape[1]

    @property
    def classes(self) -> int:
        """The number of distinct targets."""
        return len(self.table.labels)

    @property
    def train_size(self) -> int:
        """The rows that are not held out, or as many of them as asked for.

        Raises:
            DataError: the file has fewer rows than asked for.
        """
        rows = len(self.table.y)
        held_out = self.test_samples + self.validation_samples
        if held_out + (self.samples or 2) > rows:
            raise DataError(
                f"{rows} rows cannot give {held_out} held-out points and "
                f"{self.samples or 'at least 2'} to train on",
                where=self.path,
                fix="lower dataset.test_samples, dataset.validation_samples or dataset.samples",
            )
        return self.samples or rows - held_out

    def split(self, streams: Streams, held_out: HeldOut = "test") -> Split:
        """Held-out rows and training rows in the order of one permutation of the test stream."""
        table = self.table
        order = streams.test.permutation(len(table.y))
        ends = [self.test_samples, self.test_samples + self.validation_samples]
        test, validation, train = np.split(order, ends)
        train, held = train[: self.train_size], test if held_out == "test" else validation
        split = Split(table.x[train], table.y[train], table.x[held], table.y[held])
        return standardized(split) if self.standardize else split


@lru_cache(maxsize=32)
def read_table(path: str, target: str) -> Table:
    """Read a `.csv` or `.npz` file.

    Raises:
        DataError: with the line and column of the first thing that is wrong.
    """
    content = _read_bytes(Path(path))
    if path.lower().endswith(".npz"):
        x, raw = _parse_npz(content, path)
    else:
        x, raw = _parse_csv(content, path, target)
    y, labels = _classes(raw, path)
    return Table(x, y, labels, content, hashlib.sha256(content).hexdigest())


def _read_bytes(path: Path) -> bytes:
    """The bytes of a regular file of bearable size."""
    try:
        if not path.exists():
            raise DataError("no such data file", where=str(path), fix="check dataset.path")
        if not path.is_file():
            raise DataError("not a regular file", where=str(path), fix="give a CSV or NPZ file")
        if path.stat().st_size > MAX_BYTES:
            raise DataError(
                f"larger than {MAX_BYTES // 2**20} MiB", where=str(path), fix="take a sample of it"
            )
        return path.read_bytes()
    except (OSError, ValueError) as error:
        raise DataError(
            f"cannot read the data file ({error})", where=str(path), fix="check dataset.path"
        ) from error


def _parse_csv(content: bytes, path: str, target: str) -> tuple[Array, list[str]]:
    """Inputs (n, F) and the target as written (n)."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise DataError(
            f"byte {error.start} is not UTF-8", where=f"{path}:{line}:1", fix="save it as UTF-8"
        ) from error
    rows = _csv_rows(text, path)
    line, header = next(rows, (1, []))
    names = [name.strip() for name in header]
    at = _target_column(names, target, f"{path}:{line}")
    values: list[list[float]] = []
    targets: list[str] = []
    for line, cells in rows:
        if len(cells) != len(names):
            raise DataError(
                f"{len(cells)} columns where the header has {len(names)}",
                where=f"{path}:{line}:{min(len(cells), len(names)) + 1}",
                fix="give every row one value for each column",
            )
        values.append([_number(cells, i, names, path, line) for i in range(len(names)) if i != at])
        targets.append(_target(cells[at], f"{path}:{line}:{at + 1}"))
    if len(values) < 2:
        raise DataError(f"{len(values)} rows of data", where=path, fix="give at least 2 rows")
    return np.array(values), targets


def _target_column(names: list[str], target: str, where: str) -> int:
    """The index of the target among the columns, each of which has a name of its own."""
    if target not in names:
        raise DataError(
            f"no column {target!r} in the header ({', '.join(names) or 'which is empty'})",
            where=f"{where}:1",
            fix="name the column of the classes with dataset.target; separate columns by commas",
        )
    if len(names) < 2:
        raise DataError(
            "no column of inputs beside the target",
            where=f"{where}:1",
            fix="give every input a column; separate columns by commas",
        )
    twice = next((i for i, name in enumerate(names) if name in names[:i]), None)
    if twice is not None:
        raise DataError(
            f"column {quoted(names[twice])} twice",
            where=f"{where}:{twice + 1}",
            fix="give every column its own name",
        )
    return names.index(target)


def _csv_rows(text: str, path: str) -> Iterator[tuple[int, list[str]]]:
    """The line number and cells of each row that is not blank."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    while True:
        line = reader.line_num + 1
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error as error:
            raise DataError(
                f"not CSV ({error})", where=f"{path}:{line}:1", fix="check the quotes in this row"
            ) from error
        if any(cell.strip() for cell in cells):
            yield line, cells


def _number(cells: list[str], i: int, names: list[str], path: str, line: int) -> float:
    """The finite number in one cell."""
    try:
        value = float(cells[i])
        if "_" in cells[i]:
            raise ValueError
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise DataError(
            f"column {names[i]!r} has {cells[i][:40]!r} where a finite number belongs",
            where=f"{path}:{line}:{i + 1}",
            fix="write a number with a decimal point, or drop the row",
        )
    return value


def _target(cell: str, where: str) -> str:
    """The target of a row as written, which must not be empty."""
    text = cell.strip()
    if not text or text.lower() in ("nan", "inf", "-inf"):
        raise DataError(f"the target is {cell!r}", where=where, fix="give every row its class")
    return text


def _parse_npz(content: bytes, path: str) -> tuple[Array, list[Any]]:
    """Inputs (n, F) and the targets (n), checked by their headers before they are loaded."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            shapes = {name: _npy_header(archive, f"{name}.npy", path) for name in ("X", "y")}
        (rows, _), (targets,) = shapes["X"], shapes["y"]
        if rows != targets or rows < 2:
            raise DataError(
                f"X has {rows} rows and y has {targets}", where=path, fix="give 2 or more to both"
            )
        with np.load(io.BytesIO(content), allow_pickle=False) as arrays:
            x = np.ascontiguousarray(arrays["X"], dtype=np.float64)
            y = arrays["y"]
    except _UNREADABLE as error:
        raise DataError(
            "not a readable NPZ file with the arrays X and y",
            where=path,
            fix="write it with numpy.savez(path, X=..., y=...)",
        ) from error
    for name, array in (("X", x), ("y", y)):
        if array.dtype.kind == "f" and not np.isfinite(array).all():
            place = [int(i) for i in np.argwhere(~np.isfinite(array))[0]]
            raise DataError(
                f"{name}{place} is not finite", where=path, fix="drop the rows with NaN or infinity"
            )
    return x, y.tolist()


def _npy_header(archive: zipfile.ZipFile, name: str, path: str) -> tuple[int, ...]:
    """The shape an array claims, if it is one we can use and its size is bearable."""
    with archive.open(name) as member:
        version = np.lib.format.read_magic(member)
        read = (
            np.lib.format.read_array_header_1_0
            if version == (1, 0)
            else np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = read(member)
    dimensions, kinds, wanted = (
        (2, "iuf", "numbers of shape (n, F)")
        if name == "X.npy"
        else (1, "iufbU", "classes of shape (n,)")
    )
    if dtype.kind not in kinds or len(shape) != dimensions:
        raise DataError(
            f"{name[0]} has shape {shape} and dtype {dtype}",
            where=path,
            fix=f"{name[0]} must hold {wanted}",
        )
    if math.prod(shape) * dtype.itemsize > MAX_BYTES or 0 in shape:
        raise DataError(
            f"{name[0]} claims the shape {shape}",
            where=path,
            fix=f"give at least one row and at most {MAX_BYTES // 2**20} MiB",
        )
    return shape


def _classes(raw: list[Any], path: str) -> tuple[Array, tuple[str, ...]]:
    """Classes 0 to K - 1 (n,) and what each stands for; numbers sort as numbers."""
    try:
        keys: list[Any] = [float(value) for value in raw]
    except ValueError:
        keys = [str(value) for value in raw]
    distinct = sorted(set(keys))
    if not 2 <= len(distinct) <= MAX_CLASSES:
        raise DataError(
            f"the target has {len(distinct)} distinct value{'s' * (len(distinct) != 1)}",
            where=path,
            fix=f"classification needs 2 to {MAX_CLASSES} classes",
        )
    number = {key: k for k, key in enumerate(distinct)}
    labels = tuple(f"{key:g}" if isinstance(key, float) else key for key in distinct)
    return np.array([number[key] for key in keys]), labels
