"""What the functions of a plug-in may return."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from adamcli.layout import Array, Layout
from adamcli.optimizers import Panel
from adamcli.plugins.blame import MisdeedError
from adamcli.text import quoted, safe

_RECORDED = ("grad", "update", "lr")
"""Series that are recorded of every run, so that no slot can be called so."""


def check_array(got: Any, like: Array) -> None:
    """Refuse what is not an array of the shape and dtype of another."""
    if type(got) is not np.ndarray or (got.shape, got.dtype) != (like.shape, like.dtype):
        what = f"returned {kind(got)}, expected {words(like.shape, like.dtype)}"
        raise MisdeedError(what, fix=_shape_fix(got, like))


def _shape_fix(got: Any, like: Array) -> str:
    """How to come by the expected array."""
    if not isinstance(got, np.ndarray):
        return "end it with `return` and an array like its first argument"
    if got.shape != like.shape:
        return "keep the axes: the first one counts runs, the second one parameters"
    return f"keep the dtype, such as with .astype({like.dtype})"


def check_finite(update: Array, grads: Array, layout: Layout) -> None:
    """Refuse an update that is not finite where the gradient is."""
    finite = np.isfinite(update)
    if finite.all() or not np.isfinite(grads).all():
        return
    place = int(np.argmin(finite[0]))
    tensor = layout.tensors[layout.tensor_at(place)]
    entry = ",".join(map(str, np.unravel_index(place - tensor.start, tensor.shape)))
    what = f"returned {update[0, place]} for {tensor.name}[{entry}] although the gradient is finite"
    raise MisdeedError(what, fix="look for a division by zero or a root of a negative number")


def check_slots(slots: Any) -> None:
    """Refuse what cannot be a state of one run."""
    if not isinstance(slots, dict):
        fix = "return a dict of arrays, {} for no slots"
        raise MisdeedError(f"returned {kind(slots)}, expected a dict of slots", fix=fix)
    for name, slot in slots.items():
        if not isinstance(name, str) or not name.isidentifier() or name in _RECORDED:
            what = f"called a slot {safe(repr(name), 60)}"
            fix = f"use a word, and none of {', '.join(_RECORDED)}, which are recorded anyway"
            raise MisdeedError(what, fix=fix)
        if type(slot) is not np.ndarray or slot.shape[:1] != (1,) or not _is_real(slot):
            what = f"made the slot {name} {kind(slot)}, expected real numbers of shape (1, ...)"
            raise MisdeedError(what, fix="make it like the parameters: np.zeros_like(params)")


def check_series(derived: Any, recorded: Mapping[str, Array], steps: int) -> None:
    """Refuse what are no series of a trace."""
    if not isinstance(derived, dict):
        what = f"returned {kind(derived)}, expected a dict of series"
        raise MisdeedError(what, fix="return {} for no series")
    for name, values in derived.items():
        if not isinstance(name, str) or not name.isidentifier() or name in recorded:
            what = f"called a series {safe(repr(name), 60)}"
            raise MisdeedError(what, fix="use a word that no recorded series has")
        if type(values) is not np.ndarray or values.shape != (steps,) or not _is_real(values):
            what = f"gave {kind(values)} for {name}, expected real numbers of shape ({steps},)"
            raise MisdeedError(what, fix="give one value for each step")


def check_panels(panels: tuple[Panel, ...], known: set[str]) -> None:
    """Refuse panels of series that there are not."""
    for panel in panels:
        for name in panel.series:
            if name not in known:
                what = f"gives no series {quoted(name, 60)}, which a panel is to show"
                fix = f"show some of {', '.join(sorted(known))}"
                raise MisdeedError(what, fix=fix)


def _is_real(array: Array) -> bool:
    """Whether an array holds real numbers."""
    return array.dtype.kind in "fiub"


def kind(value: Any) -> str:
    """What a value is, in words."""
    if type(value) is np.ndarray:
        return words(value.shape, value.dtype)
    return "None" if value is None else f"a {safe(type(value).__name__, 60)}"


def words(shape: tuple[int, ...], dtype: np.dtype[Any]) -> str:
    """An array in words: `float64 of shape (1, 99)`."""
    return f"{dtype} of shape {shape}"


def names(slots: Mapping[Any, Any]) -> str:
    """The names of slots, listed."""
    return safe(", ".join(map(str, slots)), 120) or "none"
