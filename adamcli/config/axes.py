"""The axes of a sweep as read: what values a setting takes, and all combinations of them."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from adamcli.config.models import Section
from adamcli.config.nodes import Node, Path, brief, inserted
from adamcli.config.sections import with_defaults

_FEW, _MOST = 4, 17  # significant digits: of a short number, of any float64


@dataclass(frozen=True)
class Axis:
    """One key of `sweep:`.

    Attributes:
        key: the dotted path as written.
        targets: the places in the tree that take its values.
        items: the values as written.
        values: the values as the sections understand them.
        sections: the models of values that are mappings told apart by `name`.
    """

    key: str
    targets: tuple[Path, ...]
    items: tuple[Node, ...]
    values: tuple[Any, ...]
    sections: Mapping[str, type[Section]] = field(default_factory=dict)

    @property
    def entries(self) -> frozenset[int]:
        """The optimizers that it belongs to; empty when it belongs to the problem."""
        return frozenset(int(p[1]) for p in self.targets if p[0] == "optimizers")

    def tag(self, i: int) -> str:
        """The part of a label that tells the value: `noise=0.1`."""
        parts = [str(part) for part in self.targets[0]]
        last = ".".join(parts[-2:]) if parts[-1].isdecimal() else parts[-1]
        return f"{last}={self._words[i]}"

    def applied(self, root: Node, i: int) -> Node:
        """The tree with the value of item `i`."""
        for path in self.targets:
            root = inserted(root, path, self.items[i])
        return with_defaults(root)

    @cached_property
    def _words(self) -> tuple[str, ...]:
        """Every value as it stands in labels: short, but different values differ."""
        different = len({*map(canonical, self.values)})
        for digits in range(_FEW - 1, _MOST):
            words = tuple(_written(value, self.sections, digits) for value in self.values)
            if len({*words}) == different:
                return words
        return tuple(_written(value, self.sections, _MOST) for value in self.values)


@dataclass(frozen=True)
class Factor:
    """What a sweep multiplies: one axis, or several of one length that go together."""

    axes: tuple[Axis, ...]
    together: bool = False

    def of(self, entry: int | None) -> Factor:
        """The part that belongs to an optimizer, or to the problem for None; may be empty."""
        own = (axis for axis in self.axes if _belongs(axis, entry))
        return Factor(tuple(own), self.together)

    @cached_property
    def places(self) -> tuple[int, ...]:
        """The places of distinct values; one place that changes nothing where it is empty."""
        if not self.axes:
            return (0,)
        first: dict[str, int] = {}
        for i, values in enumerate(zip(*(axis.values for axis in self.axes), strict=True)):
            first.setdefault(canonical(values), i)
        return tuple(first.values())


def combinations(
    root: Node, factors: Sequence[Factor], entry: int | None
) -> Iterator[tuple[Node, dict[str, str]]]:
    """Each tree of the product, the last factor fastest, with the tags of its values by key.

    Args:
        entry: the optimizer whose factors are multiplied, or None for those of the problem.
    """
    own = [factor.of(entry) for factor in factors]
    for places in itertools.product(*(factor.places for factor in own)):
        tree, tags = root, {}
        for factor, i in zip(own, places, strict=True):
            for axis in factor.axes:
                tree = axis.applied(tree, i)
                tags[axis.key] = axis.tag(i)
        yield tree, tags


def size(factors: Sequence[Factor], entry: int | None) -> int:
    """The number of combinations."""
    return math.prod(len(factor.of(entry).places) for factor in factors)


def canonical(value: Any) -> str:
    """A value as text that equal values share."""
    return json.dumps(value, sort_keys=True)


def _belongs(axis: Axis, entry: int | None) -> bool:
    """Whether an axis belongs to an optimizer, or to the problem for None."""
    return not axis.entries if entry is None else entry in axis.entries


def _written(value: Any, sections: Mapping[str, type[Section]], digits: int) -> str:
    """A value as it stands in a label; `cosine(floor=0.1)` for a mapping told by its name."""
    if isinstance(value, list):
        return f"[{', '.join(_written(item, {}, digits) for item in value)}]"
    if isinstance(value, float):
        return brief(_rounded(value, digits))
    if not isinstance(value, dict):
        return value if isinstance(value, str) else brief(value)
    settings = sections[value["name"]].settings
    changed = [
        f"{key}={_written(v, {}, digits)}" for key, v in value.items() if v != settings[key].default
    ]
    return f"{value['name']}({', '.join(changed)})" if changed else str(value["name"])


def _rounded(value: float, digits: int) -> float:
    """The number with so many digits, unless a few are enough for all of it."""
    return value if float(f"{value:.{_FEW}g}") == value else float(f"{value:.{digits}g}")
