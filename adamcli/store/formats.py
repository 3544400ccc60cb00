"""The bytes of every data file in a run directory, and back.

Floats are written with `repr`, which reads back to the same bits.
"""

from __future__ import annotations

import csv
import io
import sys
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property, lru_cache
from itertools import groupby, islice
from pathlib import Path
from typing import IO, Any, NamedTuple, Self, cast

import numpy as np

from adamcli.errors import DamagedError
from adamcli.history import METRICS, VALIDATION, Failure, RunHistory
from adamcli.layout import Array
from adamcli.store.files import Writing
from adamcli.store.lazy import Lazy, Rows, once
from adamcli.store.manifest import DAMAGED_FIX, Key

_HEAD = ("label", "optimizer", "seed", "epoch", "step")

_LINES = 10_000  # of a table that are held as text

Nested = dict[str, dict[str, Array]]


def to_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """A CSV with a header; None is an empty cell."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    """A value as csv should print it."""
    return repr(float(value)) if isinstance(value, float) else "" if value is None else value


def metric_names(histories: Sequence[RunHistory]) -> list[str]:
    """The metrics that are columns of metrics.csv: those of validation where there are any."""
    tuning = any(name in history.metrics for history in histories for name in VALIDATION)
    return [name for name in METRICS if tuning or name not in VALIDATION]


def metrics_head(names: Sequence[str]) -> bytes:
    """The first line of metrics.csv."""
    return to_csv([*_HEAD, *names], [])


def metric_lines(history: RunHistory, names: Sequence[str]) -> bytes:
    """The lines of metrics.csv of one run, one for each evaluation."""
    count = len(history.epochs)
    columns = [
        [repr(value) for value in history.metrics[name].tolist()]
        if name in history.metrics
        else [""] * count
        for name in names
    ]
    head = [[text] * count for text in (history.label, history.optimizer, history.seed)]
    text = io.StringIO(newline="")
    rows = zip(*head, history.epochs.tolist(), history.steps.tolist(), *columns, strict=True)
    csv.writer(text, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


class Evaluations(NamedTuple):
    """The evaluations of many runs, end to end.

    Attributes:
        epochs: (N,), as of a `RunHistory`.
        steps: (N,)
        metrics: (N,) each.
    """

    epochs: Array
    steps: Array
    metrics: Mapping[str, Array]


def read_metrics(file: IO[str]) -> tuple[Evaluations, dict[Key, slice]]:
    """The columns of metrics.csv, and which of their entries are whose.

    A metric that a run has not is NaN throughout. Some lines at a time are held as text.

    Args:
        file: opened without a translation of newlines.
    """
    reader = csv.reader(file)
    names = next(reader)
    metrics = [name for name in METRICS if name in names]
    times: list[Array] = [np.empty((2, 0), np.int64)]
    values: list[Array] = [np.empty((len(metrics), 0))]
    places: dict[Key, slice] = {}
    end = 0
    while lines := [*islice(reader, _LINES)]:
        columns = dict(zip(names, zip(*lines, strict=True), strict=True))
        times.append(np.array([[*map(int, columns[name])] for name in ("epoch", "step")]))
        values.append(np.array([[float(v or "nan") for v in columns[name]] for name in metrics]))
        for (label, seed), own in groupby(zip(columns["label"], columns["seed"], strict=True)):
            key, first = (label, int(seed)), end
            end += sum(1 for _ in own)
            places[key] = slice(places[key].start if key in places else first, end)
    epochs, steps = np.concatenate(times, axis=1)
    columns_of = dict(zip(metrics, np.concatenate(values, axis=1), strict=True))
    return Evaluations(epochs, steps, columns_of), places


def only(evaluations: Evaluations, measured: Sequence[str]) -> Evaluations:
    """The same with some metrics alone, those that are not there without entries."""
    known = {name: evaluations.metrics.get(name, np.empty(0)) for name in measured}
    return evaluations._replace(metrics=known)


Wanted = Callable[[str], bool]
"""Whether an array is to be read, by its name."""


def history_from(
    entry: Mapping[str, Any],
    evaluations: Evaluations,
    here: slice,
    params: Callable[..., Mapping[str, Array]],
    steps: Callable[..., Mapping[str, Array]],
    place: tuple[Any, ...],
) -> RunHistory:
    """A run as it was saved. It shares what it can with others: there may be many.

    Args:
        entry: how a manifest or a part lists it.
        evaluations: of all runs.
        here: which of them are its own.
        params: reads its final parameters, given `place`, when they are asked for.
        steps: given `place` and a `Wanted`, reads some of what `recorded` gave.
        place: where these are.
    """
    failure = entry.get("failure")
    return RunHistory(
        label=sys.intern(entry["label"]),
        optimizer=sys.intern(entry["optimizer"]),
        cell=sys.intern(entry["cell"]),
        seed=entry["seed"],
        diverged_at=entry["diverged_at"],
        epochs=evaluations.epochs[here],
        steps=evaluations.steps[here],
        metrics=Rows(evaluations.metrics, here),
        params=Lazy(params, *place),
        traces=Lazy(_traces, steps, place),
        layers=Lazy(_layers, steps, place),
        failure=Failure(**failure) if failure else None,
        initial=entry.get("initial", {}),  # older directories have none
    )


def _traces(steps: Callable[..., Mapping[str, Array]], place: tuple[Any, ...]) -> Nested:
    """What was recorded of parameters."""
    return _nested(steps(*place, _is_of_a_parameter))


def _layers(steps: Callable[..., Mapping[str, Array]], place: tuple[Any, ...]) -> Nested:
    """What was recorded of named arrays."""
    return _nested(steps(*place, lambda path: not _is_of_a_parameter(path)))


def recorded(history: RunHistory) -> Iterator[tuple[str, Array]]:
    """What was recorded of a run at every step, by `what/series`.

    What is a parameter, as in `W1[0,0]/m_hat`, or a named array, `W1/ratio`.
    """
    for what, series in (*once(history.traces).items(), *once(history.layers).items()):
        yield from ((f"{what}/{name}", values) for name, values in series.items())


def _is_of_a_parameter(path: str) -> bool:
    """Whether `what/series` is of one parameter, as in `W1[0,0]/m_hat`."""
    return "[" in path.rpartition("/")[0]


def _nested(arrays: Mapping[str, Array]) -> Nested:
    """Arrays named `what/series` as a mapping of mappings."""
    nested: Nested = {}
    for path, values in arrays.items():
        what, _, name = path.rpartition("/")
        nested.setdefault(what, {})[name] = values
    return nested


class NpzWriter:
    """Writes an uncompressed npz without pickles, array by array.

    Args:
        file: what is written to; it need not be able to go back.
    """

    def __init__(self, file: Writing) -> None:
        self._archive = zipfile.ZipFile(cast(IO[bytes], file), "w")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self._archive.close()

    def add(self, name: str, values: Array) -> None:
        """Append an array."""
        content = io.BytesIO()
        np.lib.format.write_array(content, values, allow_pickle=False)
        # An entry made by its name alone would have the time of day in it.
        self._archive.writestr(zipfile.ZipInfo(f"{name}.npy"), content.getbuffer())


_MAGIC = np.lib.format.MAGIC_LEN  # the bytes before the length of a header


@lru_cache(maxsize=1024)
def _header(content: bytes) -> tuple[tuple[int, ...], bool, np.dtype]:
    """The shape, whether it is in Fortran order, and the dtype that an npy begins with."""
    file = io.BytesIO(content)
    if np.lib.format.read_magic(file) != (1, 0):
        raise ValueError("of another version than we write")
    return np.lib.format.read_array_header_1_0(file)


class Archive:
    """The arrays of an npz by run, read when they are asked for.

    They are named `label/seed/...`; a label may contain slashes, what follows the seed too.

    Args:
        path: of the file.
        depth: how many names follow the seed.
    """

    def __init__(self, path: Path, depth: int) -> None:
        self._path, self._depth = path, depth

    def of(self, label: str, seed: int, wanted: Wanted = lambda name: True) -> dict[str, Array]:
        """The arrays of one run, or those that are wanted, by what follows label and seed."""
        try:
            names = self._names.get((label, str(seed)), {})
            return {name: self._array(whole) for name, whole in names.items() if wanted(name)}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            what = "cannot read a saved file"
            raise DamagedError(what, where=str(self._path), fix=DAMAGED_FIX) from error

    @cached_property
    def _zip(self) -> zipfile.ZipFile:
        return zipfile.ZipFile(self._path)

    def _array(self, name: str) -> Array:
        """One array, as `np.load` would read it; of thousands many have the same header."""
        content = self._zip.read(name)
        start = _MAGIC + 2 + int.from_bytes(content[_MAGIC : _MAGIC + 2], "little")
        shape, fortran_order, dtype = _header(content[:start])
        array = np.frombuffer(content, dtype, offset=start).copy()
        return array.reshape(shape, order="F" if fortran_order else "C")

    @cached_property
    def _names(self) -> dict[tuple[str, str], dict[str, str]]:
        runs: dict[tuple[str, str], dict[str, str]] = {}
        for whole in self._zip.namelist():
            label, seed, *rest = whole.removesuffix(".npy").rsplit("/", self._depth + 1)
            runs.setdefault((label, seed), {})["/".join(rest)] = whole
        return runs
