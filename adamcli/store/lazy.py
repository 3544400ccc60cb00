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

    def once(self) -> Mapping[str, V]:
        """The same mapping; made for this use alone if nobody has asked for anything yet."""
        made: Mapping[str, V] | None = self.__dict__.get("_made")
        return self._make() if made is None else made


def once(mapping: Mapping[str, V]) -> Mapping[str, V]:
    """A mapping to be used once: a `Lazy` keeps nothing of it, so that thousands can be read."""
    return mapping.once() if isinstance(mapping, Lazy) else mapping
