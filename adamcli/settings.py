"""Settings: the dataclass fields that a user may write in an experiment file.

A rule, a dataset, a schedule or a model is a frozen dataclass whose fields are declared
with `setting`. That one declaration is the YAML key, its default, its range and its
explanation; the config schema, the printed help and the tables all draw from it.
"""

from __future__ import annotations

import dataclasses
from dataclasses import MISSING, dataclass
from functools import cache
from typing import Any


@dataclass(frozen=True)
class Search:
    """Where tuning looks for a number: evenly on a log scale.

    Attributes:
        low, high: the ends of the space.
        from_one: whether the scale is that of 1 - x, as for a decay such as 0.999.
        trials: the smallest budget at which the number is tuned at all; below it the default
            stands (PROTOCOL: lr first, then momentum, then eps, then the second decay).
    """

    low: float
    high: float
    from_one: bool = False
    trials: int = 1

    def __str__(self) -> str:
        return f"{_short(self.low)} to {_short(self.high)}"


@dataclass(frozen=True)
class Setting:
    """One user-visible field: what may be written there and what it means.

    Attributes:
        kind: `float`, `int`, `bool` or `str`; with `many`, a list of them.
        default: the value when the key is absent; `MISSING` when it must be given.
        doc: one phrase, printed in help and in the schema.
        gt, ge, lt, le: bounds of a number, or of every number in a list.
        choices: the words allowed for a `str`.
        optional: whether `null` is allowed.
        many: whether the value is a non-empty list.
        count: how many values a list must have; None for any number.
        search: where tuning looks for it; None for what is not tuned.
        stacks: whether a rule takes a column of it, one value per run, in place of a float.
    """

    name: str
    kind: type
    default: Any
    doc: str
    gt: float | None = None
    ge: float | None = None
    lt: float | None = None
    le: float | None = None
    choices: tuple[str, ...] = ()
    optional: bool = False
    many: bool = False
    count: int | None = None
    search: Search | None = None
    stacks: bool = True

    @property
    def required(self) -> bool:
        """Whether an experiment file must give the key."""
        return self.default is MISSING

    @property
    def range(self) -> str:
        """The allowed values as a reader writes them, such as `0 <= x < 1`."""
        if self.choices:
            return ", ".join(self.choices)
        low = f"{_limit(self.ge)} <= " if self.ge is not None else ""
        low = f"{_limit(self.gt)} < " if self.gt is not None else low
        high = f" <= {_limit(self.le)}" if self.le is not None else ""
        high = f" < {_limit(self.lt)}" if self.lt is not None else high
        return f"{low}x{high}" if low or high else ""


def setting(default: Any, doc: str, *, kind: type | None = None, **limits: Any) -> Any:
    """Declare a dataclass field that users may set.

    Args:
        default: its default, or `MISSING` when the user must give it.
        doc: what it is, one phrase.
        kind: the type of a value; taken from the default where that is not None or a tuple.
        **limits: `gt`, `ge`, `lt`, `le`, `choices`, `optional`, `many`, `count`, `search`,
            `stacks` of `Setting`.
    """
    kind = kind or type(default)
    metadata = {"setting": {"kind": kind, "doc": doc, **limits}}
    if default is MISSING:
        return dataclasses.field(metadata=metadata)
    return dataclasses.field(default=default, metadata=metadata)


@cache
def settings_of(cls: type) -> tuple[Setting, ...]:
    """The settings that a dataclass declares, in order."""
    return tuple(
        Setting(name=f.name, default=f.default, **f.metadata["setting"])
        for f in dataclasses.fields(cls)
        if "setting" in f.metadata
    )


def _short(value: float) -> str:
    """A number as one would write it: `0.05`, `1e-4`."""
    text = f"{value:g}" if value > 1e-3 else f"{value:.6e}"
    mantissa, _, exponent = text.partition("e")
    return f"{float(mantissa):g}e{int(exponent)}" if exponent else text


def _limit(value: float) -> str:
    """A bound as one would write it, exactly: `4294967296`, not `4.29497e+09`."""
    return str(int(value)) if float(value).is_integer() else f"{value:g}"
