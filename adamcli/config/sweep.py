"""Sweeps: lists of values by dotted path, checked item by item, then multiplied out."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from adamcli.config.grammar import Grammar
from adamcli.config.mistakes import checked
from adamcli.config.models import Section, dumped
from adamcli.config.nodes import (
    Node,
    Path,
    PlacedError,
    brief,
    inserted,
    items_of,
    lookup,
    mistake_at,
    plain,
)
from adamcli.config.paths import UnknownPathError, resolve
from adamcli.config.sections import SUBJECTS, subjects_of, with_defaults
from adamcli.text import suggestion


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
        return f"{last}={_written(self.values[i], self.sections)}"

    def applied(self, root: Node, i: int) -> Node:
        """The tree with the value of item `i`."""
        for path in self.targets:
            root = inserted(root, path, self.items[i])
        return with_defaults(root)


def axes_of(root: Node, grammar: Grammar) -> tuple[list[Axis], list[PlacedError]]:
    """The axes of a tree with defaults, and all that is wrong with them.

    What is wrong with the shape of `sweep:` itself is told by the model of the whole.
    """
    axes: list[Axis] = []
    mistakes: list[PlacedError] = []
    for key, node in root.children["sweep"].children.items():
        if isinstance(node.value, list) and node.value:
            try:
                axis, found = _axis(root, key, node, axes, grammar)
                axes.append(axis)
                mistakes += found
            except PlacedError as error:
                mistakes.append(error)
    return axes, mistakes


def combinations(root: Node, axes: Sequence[Axis]) -> Iterator[tuple[Node, dict[str, str]]]:
    """Each tree of the product of axes, the last fastest, with the tags of its values by key."""
    for places in itertools.product(*(range(len(axis.items)) for axis in axes)):
        tree, tags = root, {}
        for axis, i in zip(axes, places, strict=True):
            tree = axis.applied(tree, i)
            tags[axis.key] = axis.tag(i)
        yield tree, tags


def part_of(path: Path) -> Path:
    """The part of the file that is checked when a value in it changes."""
    return path[:2] if path[0] == "optimizers" else path[:1]


def _written(value: Any, sections: Mapping[str, type[Section]]) -> str:
    """A value as it stands in a label; `cosine(floor=0.1)` for a mapping told by its name."""
    if isinstance(value, list):
        return f"[{', '.join(_written(item, {}) for item in value)}]"
    if not isinstance(value, dict):
        return value if isinstance(value, str) else brief(value)
    settings = sections[value["name"]].settings
    changed = [f"{key}={_written(v, {})}" for key, v in value.items() if v != settings[key].default]
    return f"{value['name']}({', '.join(changed)})" if changed else str(value["name"])


def _axis(
    root: Node, key: str, node: Node, others: Sequence[Axis], grammar: Grammar
) -> tuple[Axis, list[PlacedError]]:
    """One axis with what is wrong with its items.

    Raises:
        PlacedError: its path is not one to sweep.
    """
    targets = _targets(root, key, node, grammar)
    for other in others:
        if any(_overlap(a, b) for a in targets for b in other.targets):
            what = f"{brief(key)} sweeps the same setting as {brief(other.key)}"
            raise mistake_at(node, what, "keep one of them", at_key=True)
    values: list[Any] = []
    seen: set[str] = set()
    mistakes: list[PlacedError] = []
    for item in node.value:
        value, found = _value(root, targets, item, grammar)
        mistakes += found
        if not found and _canonical(value) in seen:
            mistakes.append(mistake_at(item, f"{_shown(item)} twice in the list", "remove one"))
        if not found:
            values.append(value)
            seen.add(_canonical(value))
    sections = grammar.registry_at(targets[0]) or {}
    return Axis(key, targets, tuple(node.value), tuple(values), sections), mistakes


def _targets(root: Node, key: str, node: Node, grammar: Grammar) -> tuple[Path, ...]:
    """The places that an axis stands for, none of them forbidden."""
    try:
        targets = tuple(resolve(root, key))
    except UnknownPathError as error:
        raise mistake_at(node, error.what, error.fix, at_key=True) from error
    for path in targets:
        short = len(path) < (3 if path[0] == "optimizers" else 2)
        if path[0] in ("name", "plugins", "trace", "sweep") or path[:2] == ("train", "seeds"):
            fix = f"sweep settings of {', '.join(subjects_of(root))}, train or an optimizer"
            raise mistake_at(node, f"{brief(key)} cannot be swept", fix, at_key=True)
        _refuse_suite(root, path, key, node)
        if path[0] in SUBJECTS and path[0] not in subjects_of(root):
            what = f"{brief(key)} cannot be swept: the experiment has no {path[0]}"
            fix = f"sweep settings of {' or '.join(subjects_of(root))}"
            raise mistake_at(node, what, fix, at_key=True)
        if short or path[-1] == "label":
            fix = f"sweep one of its settings, such as {key.removesuffix('.label')}.lr"
            fix = fix if path[0] == "optimizers" else "sweep one of its settings"
            raise mistake_at(node, f"{brief(key)} cannot be swept as a whole", fix, at_key=True)
        _refuse_unknown(root, path, node, grammar)
        _refuse_override(root, path, key, node)
    return targets


def _refuse_suite(root: Node, path: Path, key: str, node: Node) -> None:
    """A suite already lists its problems, and what one of them says is not for all."""
    problems = items_of(root, "problems")
    if problems and path[0] in SUBJECTS:
        what, fix = f"{brief(key)} cannot be swept in a suite", "list the problems that it makes"
        raise mistake_at(node, what, fix, at_key=True)
    if any(lookup(problem, path) for problem in problems):
        what = f"{brief(key)} cannot be swept: a problem of the suite has its own"
        raise mistake_at(node, what, "leave one of the two out", at_key=True)


def _refuse_unknown(root: Node, path: Path, node: Node, grammar: Grammar) -> None:
    """A key that its section has not is wrong once, not once per value."""
    section = grammar.section_at(root, path[:-1])
    if section and path[-1] not in section.settings:
        what = f"unknown key {brief(path[-1])} for {section.title}"
        fix = suggestion(str(path[-1]), section.settings)
        raise mistake_at(node, what, fix, at_key=True)


def _refuse_override(root: Node, path: Path, key: str, node: Node) -> None:
    """A `--set` of what the file sweeps would have no effect."""
    base = lookup(root, path)
    if base is not None and base.overrides and not node.overrides:
        fix = f"set sweep.{key} instead, to a list of one value"
        raise mistake_at(base, f"{brief(key)} is swept by the file", fix)


def _overlap(a: Path, b: Path) -> bool:
    """Whether one path is, or lies below, the other."""
    short = min(len(a), len(b))
    return a[:short] == b[:short]


def _value(
    root: Node, targets: Sequence[Path], item: Node, grammar: Grammar
) -> tuple[Any, list[PlacedError]]:
    """An item as the sections understand it, and what they find wrong with it."""
    value = plain(item)
    for path in targets:
        tree = with_defaults(inserted(root, path, item))
        part = part_of(path)
        model, found = checked(grammar, tree, part)
        own = [error for place, error in found if _overlap(place, path)]
        if own:
            return value, own
        if model is not None:  # else something else in this part is wrong, and told elsewhere
            value = _dig(dumped(model), path[len(part) :])
    return value, []


def _dig(tree: Any, path: Path) -> Any:
    """The value at a path of plain values."""
    for part in path:
        tree = tree[part]
    return tree


def _shown(item: Node) -> str:
    """A value as an error shows it."""
    return brief(item.value) if not isinstance(item.value, list) else str(plain(item))


def _canonical(value: Any) -> str:
    """A value as text that equal values share."""
    return json.dumps(value, sort_keys=True)
