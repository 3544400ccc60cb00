"""Notes of what happens at every step to some parameters and named arrays of some runs."""

from __future__ import annotations

from array import array as numbers
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from adamcli.history import Memory
from adamcli.layout import Array, Layout
from adamcli.optimizers import State, Step

NORMS = ("weight", "grad", "update")
"""Of which arrays the norms are recorded."""


@dataclass(frozen=True)
class Records:
    """What is recorded of a run at every step.

    Attributes:
        places: of traced parameters in the flat vector.
        layers: whether the norms of every named array are recorded.
    """

    places: tuple[int, ...] = ()
    layers: bool = False


class Recorder:
    """Notes what is asked for of some rows of a stack after each step.

    Args:
        first: the first of these rows.
        records: what to note of each.
        grads: (R, P), of these rows, which one rule updates.
        state: the slots of the rule.
        at: its step; `at.out` is what is added to the parameters.
    """

    def __init__(
        self, first: int, records: Sequence[Records], grads: Array, state: State, at: Step
    ) -> None:
        self._first = first
        places = {row: wanted.places for row, wanted in enumerate(records) if wanted.places}
        layers = [row for row, wanted in enumerate(records) if wanted.layers]
        self._series = _Series(places, grads, state, at) if places else None
        self._norms = _Norms(layers, grads, at) if layers else None

    def record(self) -> None:
        """Note the step just taken."""
        if self._series is not None:
            self._series.record()
        if self._norms is not None:
            self._norms.record()

    def take_series(self) -> dict[int, dict[str, Array]]:
        """For each traced row of the stack its series since the last call.

        Each is (steps, K) float64 for the row's K places: `lr`, of which K is 1, `grad`,
        `update` and every slot that can be traced.
        """
        return self._by_row(self._series.take()) if self._series is not None else {}

    def take_norms(self) -> dict[int, dict[str, Array]]:
        """For each row that asks for layers its `NORMS` since the last call.

        Each is (steps, T) float64 for T named arrays.
        """
        return self._by_row(self._norms.take()) if self._norms is not None else {}

    def memory(self) -> Memory:
        """What was noted since the last calls of both."""
        parts = {"series": self._series, "norms": self._norms}
        return Memory.joined({name: part.memory() for name, part in parts.items() if part})

    def recall(self, memory: Memory) -> None:
        """Have the notes that another recorder of the same rows had at its `memory`.

        Raises:
            ValueError: they are of something else.
        """
        if self._series is not None:
            self._series.recall(memory.part("series"))
        if self._norms is not None:
            self._norms.recall(memory.part("norms"))

    def _by_row(self, taken: dict[int, dict[str, Array]]) -> dict[int, dict[str, Array]]:
        """The same by the rows' numbers in the stack."""
        return {self._first + row: series for row, series in taken.items()}


class _Series:
    """Gradient, update, learning rate and slots of traced parameters.

    Args:
        places: those of each row that has some.
        grads, state, at: of the rule.
    """

    def __init__(
        self, places: Mapping[int, tuple[int, ...]], grads: Array, state: State, at: Step
    ) -> None:
        self._grads, self._state, self._at = grads, state, at
        found = {
            (row, name): [row * array.shape[1] + column for column in columns]
            for row, traced in places.items()
            for name, array in self._arrays().items()
            if (columns := _columns(array, traced, at.layout))
        }
        self._rows = tuple(places)
        self._found = {key: len(items) for key, items in found.items()}
        self._items = [(name, item) for (_, name), items in found.items() for item in items]
        self._start()

    def _start(self) -> None:
        """Empty notes; unboxed, since there may be millions of numbers between evaluations."""
        self._lrs, self._notes = numbers("d"), numbers("d")

    def _arrays(self) -> dict[str, Array]:
        """Everything that may be traced, by name."""
        return {"grad": self._grads, "update": self._at.out, **self._state}

    def record(self) -> None:
        """Note the step just taken, number by number: for a few, that is the fastest way."""
        arrays, lr = self._arrays(), self._at.lr
        self._notes.extend([arrays[name].item(item) for name, item in self._items])
        column = isinstance(lr, np.ndarray)
        self._lrs.extend([lr.item(row) if column else lr for row in self._rows])

    def take(self) -> dict[int, dict[str, Array]]:
        """For each row its series since the last call, each (steps, K) for its K places."""
        lrs, notes = self._noted()
        taken = {row: {"lr": lrs[:, [k]]} for k, row in enumerate(self._rows)}
        ends = np.cumsum([*self._found.values()])
        for (row, name), series in zip(
            self._found, np.split(notes, ends[:-1], axis=1), strict=True
        ):
            taken[row][name] = series
        self._start()
        return taken

    def _noted(self) -> tuple[Array, Array]:
        """Learning rates and everything else since the last call of `take`, a row per step."""
        lrs = np.array(self._lrs).reshape(-1, len(self._rows))
        return lrs, np.array(self._notes).reshape(-1, len(self._items))

    def memory(self) -> Memory:
        """The notes since the last call of `take`."""
        lrs, notes = self._noted()
        return Memory(arrays={"lrs": lrs, "notes": notes})

    def recall(self, memory: Memory) -> None:
        """Notes to go on with."""
        _check_notes(memory, like=self.memory())
        self._start()
        self._lrs.frombytes(memory.arrays["lrs"].tobytes())
        self._notes.frombytes(memory.arrays["notes"].tobytes())


def _columns(array: Array, traced: tuple[int, ...], layout: Layout) -> list[int]:
    """Which columns have the values of traced parameters; none for odd shapes."""
    width = array.shape[1] if array.ndim == 2 else 0
    if width == layout.size:
        return [*traced]
    if width == len(layout.tensors):
        return [layout.tensor_at(place) for place in traced]
    return [0] * len(traced) if width == 1 else []


class _Norms:
    """The Euclidean norm of every named array of parameters, gradients and updates.

    Args:
        rows: whose, usually the first ones or all.
        grads, at: of the rule.
    """

    def __init__(self, rows: list[int], grads: Array, at: Step) -> None:
        self._rows = rows
        span = slice(rows[0], rows[-1] + 1)
        self._arrays = [array[span] for array in (at.params, grads, at.out)]
        # In one piece, since on a single row a call costs more than its work.
        self._squares = np.empty((len(NORMS), *self._arrays[0].shape))
        self._starts = np.array([tensor.start for tensor in at.layout.tensors])
        self._sums: list[Array] = []

    def record(self) -> None:
        """Note the step just taken."""
        squares = self._squares
        for array, copy in zip(self._arrays, squares, strict=True):
            np.copyto(copy, array)
        np.multiply(squares, squares, out=squares)
        self._sums.append(np.add.reduceat(squares, self._starts, axis=2))

    def take(self) -> dict[int, dict[str, Array]]:
        """For each row its norms since the last call, each (steps, T) for T named arrays."""
        norms = np.sqrt(self._noted())
        self._sums = []
        return {
            row: {name: norms[:, i, row - self._rows[0]] for i, name in enumerate(NORMS)}
            for row in self._rows
        }

    def _noted(self) -> Array:
        """The sums of squares since the last call of `take`, (steps, NORMS, rows, T)."""
        shape = len(self._sums), *self._squares.shape[:2], len(self._starts)
        return np.array(self._sums).reshape(shape)

    def memory(self) -> Memory:
        """The notes since the last call of `take`."""
        return Memory(arrays={"sums": self._noted()})

    def recall(self, memory: Memory) -> None:
        """Notes to go on with."""
        _check_notes(memory, like=self.memory())
        self._sums = list(memory.arrays["sums"].copy())


def _check_notes(memory: Memory, like: Memory) -> None:
    """Refuse notes of other things than those of a recorder that has none yet."""
    Memory(arrays={name: notes[:0] for name, notes in memory.arrays.items()}).check(like.arrays)
