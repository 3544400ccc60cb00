"""Sweeps as written: lists and ranges by dotted path, and groups whose values go together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from adamcli.config.axes import Axis, Factor, canonical
from adamcli.config.grammar import Grammar
from adamcli.config.mistakes import checked, expected
from adamcli.config.models import dumped
from adamcli.config.nodes import (
    Node,
    Path,
    PlacedError,
    brief,
    inserted,
    mistake_at,
    plain,
)
from adamcli.config.ranges import GROUPS, MAX_VALUES, Range, read_range, read_whole
from adamcli.config.sections import with_defaults
from adamcli.config.targets import overlap, part_of, targets_of
from adamcli.halton import halton
from adamcli.seeding import generator
from adamcli.settings import Setting

_LIST_FIX = "write its values, such as [0.1, 0.2], or a range, such as {log: [1.0e-4, 1.0], n: 16}"
_GROUP_FIX = {
    "halton": "write n and a range for each setting, as {n: 16, adam.lr: {log: [1.0e-4, 1.0]}}",
    "together": "write a list for each setting, such as {adam.lr: [1, 2], adam.beta1: [0.9, 0.5]}",
}


def factors_of(root: Node, grammar: Grammar) -> tuple[list[Factor], list[PlacedError]]:
    """The factors of a tree with defaults, in order, and all that is wrong with them.

    A sweep that is no mapping is told by the model of the whole.
    """
    reader = _Reader(root, grammar)
    factors = [reader.factor(key, node) for key, node in root.children["sweep"].children.items()]
    return [factor for factor in factors if factor is not None], reader.mistakes


def resolved_sweep(factors: Sequence[Factor]) -> dict[str, Any]:
    """What `sweep:` says, every value written out."""
    tree: dict[str, Any] = {}
    for factor in factors:
        values = {axis.key: list(axis.values) for axis in factor.axes}
        tree |= {"together": values} if factor.together else values
    return tree


class _Reader:
    """Reads the keys of a sweep one after another and gathers what is wrong."""

    def __init__(self, root: Node, grammar: Grammar) -> None:
        self.mistakes: list[PlacedError] = []
        self._root, self._grammar = root, grammar
        self._swept: list[tuple[str, Path]] = []
        self._group = ""

    def factor(self, key: str, node: Node) -> Factor | None:
        """What a key of the sweep multiplies; None where that cannot be said."""
        if key in GROUPS:
            return self._grouped(key, node)
        targets = self._targets(key, node)
        axis = self._axis(key, targets, node) if targets else None
        return Factor((axis,)) if axis else None

    def _axis(self, key: str, targets: Sequence[Path], node: Node) -> Axis | None:
        """A setting with a list or a range of values of its own."""
        if isinstance(node.value, dict):
            return self._divided(key, targets, node)
        values = self._listed(targets, node, "a non-empty list or a range", _LIST_FIX)
        self._refuse_repeated(node, values)
        return self._made(key, targets, node.value, values) if values else None

    def _divided(self, key: str, targets: Sequence[Path], node: Node) -> Axis | None:
        """A setting with the values that divide a range evenly."""
        span = self._range(targets, node, ("n",))
        count, wrong = read_whole(node, "n", least=2, most=MAX_VALUES)
        self.mistakes += wrong
        if span is None or wrong:
            return None
        values = self._fitting(targets, span.divided(count))
        return self._made(key, targets, _nodes(node, dict.fromkeys(values)))

    def _grouped(self, group: str, node: Node) -> Factor | None:
        """Settings whose values go together."""
        if self._group:
            what = f"{group} beside {self._group} in one sweep"
            self._refuse(node, what, "keep one of them", at_key=True)
            return None
        self._group = group
        members = {k: v for k, v in node.children.items() if group != "halton" or k not in _OWN}
        if not members:
            got = "no setting" if node.children else brief(node.value)
            self._refuse(node, f"expected settings to sweep together, got {got}", _GROUP_FIX[group])
            return None
        targets = {key: self._targets(key, under) for key, under in members.items()}
        self._refuse_mixture(group, members, targets)
        read = self._halton if group == "halton" else self._together
        axes = read(node, {k: t for k, t in targets.items() if t})
        return Factor(tuple(axes), together=True) if len(axes) == len(members) else None

    def _together(self, node: Node, targets: dict[str, tuple[Path, ...]]) -> list[Axis]:
        """The axes of lists of one length."""
        axes: list[Axis] = []
        for key, places in targets.items():
            under = node.children[key]
            values = self._listed(places, under, "a non-empty list", _GROUP_FIX["together"])
            if axes and values and len(values) != len(axes[0].values):
                what = f"{_count(values)} of {brief(key)} beside {_count(axes[0].values)} of "
                fix = "give all of them the same number of values"
                self._refuse(under, what + brief(axes[0].key), fix)
            elif values:
                axes.append(self._made(key, places, under.value, values))
        return axes

    def _halton(self, node: Node, targets: dict[str, tuple[Path, ...]]) -> list[Axis]:
        """The axes of points that fill the ranges together; each optimizer has all the bases."""
        count, no_count = read_whole(node, "n", least=1, most=MAX_VALUES)
        seed, no_seed = read_whole(node, "seed", least=0, most=2**32 - 1, default=0)
        self.mistakes += [*no_count, *no_seed]
        spans = {key: self._range(places, node.children[key]) for key, places in targets.items()}
        if no_count or no_seed or not spans or not all(spans.values()):
            return []
        dimension = _dimensions(targets)
        points = halton(count, max(dimension.values()) + 1, generator(seed, "halton"))
        axes = []
        for key, span in spans.items():
            assert span is not None
            values = self._fitting(targets[key], span.at(points[:, dimension[key]].tolist()))
            axes.append(self._made(key, targets[key], _nodes(node.children[key], values)))
        return axes

    def _made(
        self,
        key: str,
        targets: Sequence[Path],
        items: Sequence[Node],
        values: Sequence[Any] | None = None,
    ) -> Axis:
        """The axis of these values."""
        understood = tuple(item.value for item in items) if values is None else tuple(values)
        sections = self._grammar.registry_at(targets[0]) or {}
        return Axis(key, tuple(targets), tuple(items), understood, sections)

    def _listed(self, targets: Sequence[Path], node: Node, wanted: str, fix: str) -> list[Any]:
        """The values of a list as the sections understand them; none where one is wrong."""
        if not isinstance(node.value, list) or not node.value:
            got = "an empty list" if node.value == [] else brief(node.value)
            self._refuse(node, f"expected {wanted}, got {got}", fix)
            return []
        values, fine = [], True
        for item in node.value:
            value, wrong = self._value(targets, item)
            self.mistakes += wrong
            fine = fine and not wrong
            values.append(value)
        return values if fine else []

    def _range(
        self, targets: Sequence[Path], node: Node, others: Sequence[str] = ()
    ) -> Range | None:
        """The range of a mapping, both its ends allowed for the setting; None where it is not."""
        if not isinstance(node.value, dict):
            self._refuse(node, f"expected a range, got {brief(node.value)}", _GROUP_FIX["halton"])
            return None
        span, wrong = read_range(node, others)
        wrong += self._no_number(targets[0], node)
        if span is not None and not wrong:
            wrong = [error for end in span.ends for error in self._value(targets, end)[1]]
        self.mistakes += wrong
        return None if wrong else span

    def _no_number(self, path: Path, node: Node) -> list[PlacedError]:
        """What is wrong with a range for a setting that is no number."""
        setting = self._setting(path)
        several = setting is not None and setting.many and not isinstance(path[-1], int)
        if setting is None or (setting.kind in (int, float) and not several):
            return []
        what = f"a range for {brief(path[-1])}, which takes {expected(setting)}"
        return [mistake_at(node, what, "list the values to sweep")]

    def _fitting(self, targets: Sequence[Path], values: Sequence[float]) -> list[float]:
        """The values of a range, rounded where the setting takes integers."""
        setting = self._setting(targets[0])
        return [*map(round, values)] if setting is not None and setting.kind is int else [*values]

    def _setting(self, path: Path) -> Setting | None:
        """The setting of a value, or of the list that it is in; None where it is not known."""
        path = path[:-1] if isinstance(path[-1], int) else path
        section = self._grammar.section_at(self._root, path[:-1])
        return section.settings.get(str(path[-1])) if section else None

    def _value(self, targets: Sequence[Path], item: Node) -> tuple[Any, list[PlacedError]]:
        """An item as the sections understand it, and what they find wrong with it."""
        value = plain(item)
        for path in targets:
            tree = with_defaults(inserted(self._root, path, item))
            part = part_of(path)
            model, found = checked(self._grammar, tree, part)
            own = [error for place, error in found if overlap(place, path)]
            if own:
                return value, own
            if model is not None:  # else something else in this part is wrong, and told elsewhere
                value = _dig(dumped(model), path[len(part) :])
        return value, []

    def _targets(self, key: str, node: Node) -> tuple[Path, ...]:
        """The places that a key stands for, none where one is forbidden or swept already."""
        try:
            targets = targets_of(self._root, self._grammar, key, node)
            self._refuse_swept(key, targets, node)
        except PlacedError as error:
            self.mistakes.append(error)
            return ()
        self._swept += [(key, path) for path in targets]
        return targets

    def _refuse_swept(self, key: str, targets: Sequence[Path], node: Node) -> None:
        """A setting is swept by one key only."""
        for other, place in self._swept:
            if any(overlap(place, path) for path in targets):
                what = f"{brief(key)} sweeps the same setting as {brief(other)}"
                raise mistake_at(node, what, "keep one of them", at_key=True)

    def _refuse_repeated(self, node: Node, values: Sequence[Any]) -> None:
        """A list has each value once."""
        seen: set[str] = set()
        for item, value in zip(node.value if values else (), values, strict=True):
            if canonical(value) in seen:
                self._refuse(item, f"{_shown(item)} twice in the list", "remove one")
            seen.add(canonical(value))

    def _refuse_mixture(
        self, group: str, members: dict[str, Node], targets: dict[str, tuple[Path, ...]]
    ) -> None:
        """What goes together belongs to optimizers, or to the problem."""
        first = next((path[0] for paths in targets.values() for path in paths), "")
        for key, paths in targets.items():
            if any((path[0] == "optimizers") != (first == "optimizers") for path in paths):
                what = f"{group} sweeps settings of the problem and of optimizers together"
                fix = f"sweep {key} outside of it"
                self._refuse(members[key], what, fix, at_key=True)

    def _refuse(self, node: Node, what: str, fix: str, *, at_key: bool = False) -> None:
        """Note a mistake at a node."""
        self.mistakes.append(mistake_at(node, what, fix, at_key=at_key))


_OWN = ("n", "seed")


def _dimensions(targets: dict[str, tuple[Path, ...]]) -> dict[str, int]:
    """The coordinate of each key: every optimizer counts those of its own from 0."""
    owners = {key: {part_of(path)[1:] for path in paths} for key, paths in targets.items()}
    dimension: dict[str, int] = {}
    for key in targets:
        shared = [dimension[other] for other in dimension if owners[other] & owners[key]]
        dimension[key] = max(shared, default=-1) + 1
    return dimension


def _nodes(node: Node, values: Iterable[float]) -> list[Node]:
    """Values that stand where a range was written."""
    return [replace(node, value=value) for value in values]


def _dig(tree: Any, path: Path) -> Any:
    """The value at a path of plain values."""
    for part in path:
        tree = tree[part]
    return tree


def _shown(item: Node) -> str:
    """A value as an error shows it."""
    return brief(item.value) if not isinstance(item.value, list) else str(plain(item))


def _count(values: Sequence[Any]) -> str:
    """`1 value`, `4 values`."""
    return "1 value" if len(values) == 1 else f"{len(values)} values"
