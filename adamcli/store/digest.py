"""One SHA-256 over all recorded numbers: equal for equal results, however they came about.

Names, shapes and bits count, and the order of the runs, which is that of the experiment.
Times, versions and dates do not, nor whether the numbers lie in parts or in the final files.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from adamcli.history import RunHistory
from adamcli.layout import Array
from adamcli.store import formats
from adamcli.store.lazy import once


def result_hash(histories: Iterable[RunHistory]) -> str:
    """The hash of some runs, of which one at a time is in memory.

    Args:
        histories: in the order of the experiment.

    Returns:
        64 hexadecimal digits.

    Raises:
        DamagedError: a file cannot be read.
    """
    digest = hashlib.sha256()
    for history in histories:
        digest.update(_line(_facts(history)))
        for name, values in _arrays(history):
            numbers = _canonical(values)
            digest.update(_line([name, numbers.dtype.kind, numbers.shape]))
            digest.update(numbers.data)
    return digest.hexdigest()


def _facts(history: RunHistory) -> list[Any]:
    """What a run is and how it ended, and its metrics before the first step."""
    return [
        *(history.label, history.optimizer, history.cell, history.seed),
        *(history.status, history.diverged_at, history.failure and history.failure.step),
        sorted((name, float(value)) for name, value in history.initial.items()),
    ]


def _arrays(history: RunHistory) -> Iterator[tuple[str, Array]]:
    """All arrays of a run that hold numbers, in an order that is the same wherever they lie."""
    series = {"epoch": history.epochs, "step": history.steps, **history.metrics}
    for kind, arrays in (
        ("series", series),
        ("param", once(history.params)),
        ("steps", dict(formats.recorded(history))),
    ):
        yield from (
            (f"{kind} {name}", arrays[name]) for name in sorted(arrays) if arrays[name].size
        )


def _canonical(values: Array) -> Array:
    """Numbers as float64 or int64, little endian, the first axis outermost, with one NaN.

    The shorter types of numbers are among these, so that nothing is rounded.
    """
    numbers: Array = np.array(values, "<f8" if values.dtype.kind == "f" else "<i8", order="C")
    if numbers.dtype.kind == "f":
        numbers[np.isnan(numbers)] = np.nan
    return numbers


def _line(facts: Any) -> bytes:
    """Facts on a line of their own; floats are written with `repr`, which no two share."""
    return f"{json.dumps(facts)}\n".encode()
