"""A mapping that is read from disk when it is first asked for something."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import Generic, TypeVar

V = TypeVar("V")


class Lazy(Mapping[str, V], Generic[V]):
    """A mapping that is made when it is first asked for something.

    Args:
        make: makes it.
    """

    def __init__(self, make: Callable[[], Mapping[str, V]]) -> None:
        self._make = make

    @cached_property
    def _made(self) -> Mapping[str, V]:
        return self._make()

    def __getitem__(self, key: str) -> V:
        return self._made[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._made)

    def __len__(self) -> int:
        return len(self._made)

    def __repr__(self) -> str:
        return f"Lazy({dict(self._made)!r})"
