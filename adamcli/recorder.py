"""Notes of what happens at every step to some parameters and named arrays of one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from adamcli.layout import Array, Layout
from adamcli.optimizers import State, Step


@dataclass(frozen=True)
class Records:
    """What is recorded of a run at every step; false when it is nothing.

    Attributes:
        places: of traced parameters in the flat vector.
        layers: whether the norms of every named array are recorded.
    """

    places: tuple[int, ...] = ()
    layers: bool = False

    def __bool__(self) -> bool:
        return bool(self.places) or self.layers


class Recorder:
    """Notes gradient, update, learning rate and slots of one run after each step.

    Args:
        row: of the stack; not used here, it names the recorder.
        member: the row of the arrays that are given.
        grads: (R, P), of the rows that one rule updates.
        state: the slots of the rule.
        at: its step; `at.out` is what is added to the parameters.
        records: what to note.
    """

    def __init__(
        self, row: int, member: int, grads: Array, state: State, at: Step, records: Records
    ) -> None:
        self.row = row
        self._member = member
        self._grads, self._state, self._at = grads, state, at
        self._layers = records.layers
        self._starts = [tensor.start for tensor in at.layout.tensors]
        every = {name: _places(a, member, records.places, at.layout) for name, a in self._arrays()}
        self._places = {name: places for name, places in every.items() if places}
        self._start()
        self._start_layers()

    def _start(self) -> None:
        """Empty notes for every series."""
        self._notes: dict[str, list[list[float]]] = {n: [] for n in ("lr", *self._places)}

    def _start_layers(self) -> None:
        """Empty notes for every norm."""
        self._norms: dict[str, list[Array]] = {n: [] for n in ("weight", "grad", "update")}

    def _arrays(self) -> list[tuple[str, Array]]:
        """Everything that may be traced, by name."""
        return [("grad", self._grads), ("update", self._at.out), *self._state.items()]

    def record(self) -> None:
        """Note the step just taken; single items, since this runs at every step."""
        lr, notes = self._at.lr, self._notes
        notes["lr"].append([lr if isinstance(lr, float) else lr.item(self._member)])
        for name, array in self._arrays():
            if name in notes:
                notes[name].append([array.item(place) for place in self._places[name]])
        if self._layers:
            for name, array in self._matrices():
                row = array[self._member].astype(np.float64)
                self._norms[name].append(np.sqrt(np.add.reduceat(row * row, self._starts)))

    def _matrices(self) -> list[tuple[str, Array]]:
        """Parameters, gradients and updates, (R, P) each."""
        return [("weight", self._at.params), ("grad", self._grads), ("update", self._at.out)]

    def take(self) -> dict[str, Array]:
        """The series since the last call, each (steps, K) for K places, float64."""
        series = {name: np.array(values, dtype=np.float64) for name, values in self._notes.items()}
        self._start()
        return series

    def take_layers(self) -> dict[str, Array]:
        """Euclidean norms since the last call, each (steps, T) for T named arrays, float64."""
        norms = {name: np.array(values) for name, values in self._norms.items()}
        self._start_layers()
        return norms


def _places(array: Array, member: int, traced: Sequence[int], layout: Layout) -> list[int]:
    """Where an array has the values of traced parameters of a row; empty for odd shapes."""
    width = array.shape[1] if array.ndim == 2 else 0
    if width == layout.size:
        columns = list(traced)
    elif width == len(layout.tensors):
        columns = [layout.tensor_at(place) for place in traced]
    else:
        columns = [0] * len(traced) if width == 1 else []
    return [member * width + column for column in columns]
