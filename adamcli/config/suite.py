"""Suites: each problem of `problems:` as an experiment of its own."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from adamcli.config.nodes import Node, items_of, lookup
from adamcli.config.sections import SUBJECTS


def entries(root: Node) -> Iterator[tuple[Node, str]]:
    """The tree of every problem of a suite, with its label; without a suite, the tree itself.

    Every node keeps its place in the file, so that a mistake is told there.
    """
    if "problems" not in root.children:
        yield root, ""
    for entry in items_of(root, "problems"):
        own = {key: node for key, node in entry.children.items() if key in SUBJECTS}
        shared = {key: node for key, node in root.children.items() if key != "problems"}
        yield replace(root, value={**shared, **own, "train": _train(root, entry)}), label_of(entry)


def label_of(entry: Node) -> str:
    """The label of a problem; empty where it is no string."""
    label = entry.children.get("label")
    return label.value if label is not None and isinstance(label.value, str) else ""


def _train(root: Node, entry: Node) -> Node:
    """The settings of all problems with those that this one has otherwise."""
    train, own = root.children["train"], lookup(entry, ("train",))
    return replace(train, value={**train.children, **(own.children if own else {})})
