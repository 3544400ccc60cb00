"""Dotted paths: which values of the tree `adam.lr` or `optimizers.0.lr` stands for."""

from __future__ import annotations

import re
from collections.abc import Sequence

from adamcli.config.nodes import (
    Node,
    Path,
    PlacedError,
    Source,
    brief,
    inserted,
    items_of,
    lookup,
    mistake_at,
    shown,
)
from adamcli.config.ranges import GROUPS
from adamcli.config.reader import read
from adamcli.config.sections import KEYS
from adamcli.text import suggestion


class UnknownPathError(Exception):
    """A dotted path that leads nowhere; `what` and `fix` are for the error."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix


def resolve(root: Node, dotted: str) -> list[Path]:
    """The places in the tree that a dotted path stands for, one or more.

    The first part is a key of the file, or the label or the name of an optimizer: the entry
    labelled so, else every entry of that rule. A last key that is not there may be new.

    Raises:
        UnknownPathError: nothing in the tree is called so.
    """
    text = re.sub(r"\[(\d+)\]", r".\1", dotted)
    head, _, rest = text.partition(".")
    if head == "sweep" and rest:
        return [_below_sweep(dotted.partition(".")[2])]
    if head == "optimizers" and rest:
        entry, _, below = rest.partition(".")
        if entry.isdecimal():
            return [
                _below(root, ("optimizers", _index(items_of(root, "optimizers"), entry)), below)
            ]
        return _under_optimizers(root, dotted.partition(".")[2])
    if head in KEYS:
        return [_below(root, (head,), rest)]
    return _under_optimizers(root, dotted)


def optimizer_places(root: Node, name: str) -> list[int]:
    """The optimizers with that label, else all of that rule."""
    names = optimizer_names(root)
    labelled = [i for i, (label, _) in enumerate(names) if label == name]
    return labelled or [i for i, (_, rule) in enumerate(names) if rule == name]


def overridden(root: Node, overrides: Sequence[str]) -> tuple[Node, list[PlacedError]]:
    """The tree with each `PATH=VALUE` set, and the mistakes in those that cannot be."""
    mistakes: list[PlacedError] = []
    for number, override in enumerate(overrides, start=1):
        source = Source(f"--set #{number} ({override})", f"--set #{number}", rank=number)
        try:
            root, found = _set(root, override, source)
            mistakes += found
        except PlacedError as error:
            mistakes.append(error)
    return root, mistakes


def _set(root: Node, override: str, source: Source) -> tuple[Node, list[PlacedError]]:
    """The tree with one override set."""
    dotted, equals, text = override.partition("=")
    nowhere = Node(None, (), source)
    if not equals:
        raise mistake_at(nowhere, "no '=' in it", "write PATH=VALUE, such as train.epochs=10")
    try:
        paths = resolve(root, dotted.strip())
    except UnknownPathError as error:
        raise mistake_at(nowhere, error.what, error.fix) from error
    mistakes: list[PlacedError] = []
    for path in paths:
        node, mistakes = read(source, text, path)
        root = inserted(root, path, node)
    return root, mistakes


def _under_optimizers(root: Node, dotted: str) -> list[Path]:
    """The places below the optimizers whose label or name a dotted path starts with."""
    names = optimizer_names(root)
    for known in (sorted((n[k] for n in names), key=len, reverse=True) for k in (0, 1)):
        for name in known:
            if name and (dotted == name or dotted.startswith(f"{name}.")):
                below = dotted[len(name) + 1 :]
                places = optimizer_places(root, name)
                return [_below(root, ("optimizers", i), below) for i in places]
    head = dotted.partition(".")[0]
    heads = [*dict.fromkeys(name for pair in names for name in pair if name), *KEYS]
    raise UnknownPathError(f"unknown path {brief(dotted)}", suggestion(head, heads))


def optimizer_names(root: Node) -> list[tuple[str, str]]:
    """Label and name of each optimizer; empty where they are no strings."""
    return [_names(item) for item in items_of(root, "optimizers")]


def _names(entry: Node) -> tuple[str, str]:
    """Label and name of one optimizer."""
    name, label = (entry.children.get(key) for key in ("name", "label"))
    rule = name.value if name and isinstance(name.value, str) else ""
    return (label.value if label and isinstance(label.value, str) else rule), rule


def _below(root: Node, path: Path, rest: str) -> Path:
    """The path with the parts of `rest` added: indices in lists, keys elsewhere."""
    for text in rest.split(".") if rest else []:
        node = lookup(root, path)
        if node is not None and isinstance(node.value, list):
            path = (*path, _index(node.value, text))
        elif node is None or isinstance(node.value, dict):
            path = (*path, text)
        else:
            what = f"{shown(path)} is {brief(node.value)}, not a mapping"
            raise UnknownPathError(what, "set the whole of it")
    return path


def _below_sweep(key: str) -> Path:
    """The place of a key of the sweep, or of one of a group; the key may hold dots."""
    group, _, rest = key.partition(".")
    return ("sweep", group, rest) if group in GROUPS and rest else ("sweep", key)


def _index(items: Sequence[Node], text: str) -> int:
    """The index that a part of a path names in a list."""
    if text.isdecimal() and len(text) < 9 and int(text) < len(items):
        return int(text)
    fix = f"use 0 to {len(items) - 1}" if items else "give the list some items"
    raise UnknownPathError(f"no item {brief(text)} in a list of {len(items)}", fix)
