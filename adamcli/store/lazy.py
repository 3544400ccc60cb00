"""Mappings that take little room until they are asked for something."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Generic, TypeVar

from adamcli.layout import Array

V = TypeVar("V")


class Lazy(Mapping[str, V], Generic[V]):
    """A mapping that is made when it is first asked for something.

    Args:
        make: makes it.
        *args: what it is called with.
    """

    __slots__ = ("_args", "_known", "_make")

    def __init__(self, make: Callable[..., Mapping[str, V]], *args: Any) -> None:
        self._make, self._args = make, args
        self._known: Mapping[str, V] | None = None

    @property
    def held(self) -> bool:
        """Whether it is made, and in memory as long as this is."""
        return self._known is not None

    @property
    def _made(self) -> Mapping[str, V]:
        if self._known is None:
            self._known = self._make(*self._args)
        return self._known

    def __getitem__(self, key: str) -> V:
        return self._made[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)

    def __repr__(self) -> str:
        return f"Lazy({dict(self._made)!r})"

    def once(self) -> Mapping[str, V]:
        """The same mapping; made for this use alone if nobody has asked for anything yet."""
        return self._make(*self._args) if self._known is None else self._known


def once(mapping: Mapping[str, V]) -> Mapping[str, V]:
    """A mapping to be used once: a `Lazy` keeps nothing of it, so that thousands can be read."""
    return mapping.once() if isinstance(mapping, Lazy) else mapping


class Rows(Mapping[str, Array]):
    """Some entries of columns that many runs share, cut out when they are asked for.

    Args:
        columns: arrays of one length.
        here: which entries.
    """

    __slots__ = ("_columns", "_here")

    def __init__(self, columns: Mapping[str, Array], here: slice) -> None:
        self._columns, self._here = columns, here

    def __getitem__(self, key: str) -> Array:
        cut: Array = self._columns[key][self._here]
        return cut

    def __iter__(self) -> Iterator[str]:
        return iter(self._columns)

    def __len__(self) -> int:
        return len(self._columns)

    def __contains__(self, key: object) -> bool:
        return key in self._columns
