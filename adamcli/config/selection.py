"""Keeping only some optimizers of an experiment, in a given order, for `compare`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from adamcli.config.names import suggestion_of_rule
from adamcli.config.nodes import Node, Path, Source, inserted, items_of, lookup
from adamcli.config.paths import UnknownPathError, optimizer_names, optimizer_places, resolve
from adamcli.config.ranges import GROUPS
from adamcli.errors import UsageError
from adamcli.text import safe, slug

_COMMAND = Source("the command line", "command line")


def selected(root: Node, names: Sequence[str], rules: Sequence[str]) -> Node:
    """The tree with the optimizers of these labels or names, in this order.

    A name that no optimizer of the file has, but a rule, is taken with its defaults. Sweeps
    of optimizers that are left out are left out too.

    Args:
        rules: the names of all rules.

    Raises:
        UsageError: a name that neither the file nor adamcli knows.
    """
    names = list(dict.fromkeys(names))
    items = items_of(root, "optimizers")
    chosen: list[int | Node] = []
    for name in names:
        places: Sequence[int | Node] = optimizer_places(root, name)
        found = places or [_with_defaults(root, name, rules)]
        chosen += [one for one in found if one not in chosen]
    entries = [items[one] if isinstance(one, int) else one for one in chosen]
    place_of = {one: k for k, one in enumerate(chosen) if isinstance(one, int)}
    root = _with_axes(root, ("sweep",), place_of)
    root = _with_axes(root, ("tune", "space"), place_of)
    root = _set(root, "optimizers", entries)
    title = "compare-" + "-".join(slug(name).replace("=", "-") for name in names)
    return _set(root, "name", title[:64].rstrip(".-"))


def _set(root: Node, key: str, value: object) -> Node:
    """The tree with a top-level value from the command line."""
    return inserted(root, (key,), Node(value, (key,), _COMMAND))


def _with_defaults(root: Node, name: str, rules: Sequence[str]) -> Node:
    """An optimizer that the file has not, with the defaults of its rule."""
    known = [*rules, *(part for pair in optimizer_names(root) for part in pair if part)]
    if name not in rules:
        fix = suggestion_of_rule(name, dict.fromkeys(known))
        raise UsageError(f"unknown optimizer '{safe(name, 60)}'", where="OPT", fix=fix)
    return Node({"name": Node(name, ("optimizers", name), _COMMAND)}, ("optimizers",), _COMMAND)


def _with_axes(root: Node, path: Path, place_of: dict[int, int]) -> Node:
    """The tree with the axes that still have an optimizer, their indices made the new ones."""
    axes = lookup(root, path)
    if axes is None or not axes.children:
        return root
    return inserted(root, path, _pruned(root, axes, place_of))


def _pruned(root: Node, sweep: Node, place_of: dict[int, int]) -> Node:
    """A sweep, a group of it, or a space to tune in, with the axes that are left."""
    axes: dict[str, Node] = {}
    for key, node in sweep.children.items():
        if key in GROUPS:
            group = _pruned(root, node, place_of)
            axes |= {key: group} if any("." in under for under in group.children) else {}
        elif (new := _new_key(root, key, place_of)) is not None:
            axes[new] = node
    return replace(sweep, value=axes)


def _new_key(root: Node, key: str, place_of: dict[int, int]) -> str | None:
    """The dotted path of an axis after the selection; None where all its targets are gone."""
    try:
        targets = resolve(root, key)
    except UnknownPathError:
        return key  # refused later, or meant for an optimizer that is being added
    path = targets[0]
    if path[0] != "optimizers" or len(path) < 2:
        return key
    left = [place_of[int(target[1])] for target in targets if target[1] in place_of]
    by_index = key.startswith(("optimizers.", "optimizers[")) and len(targets) == 1
    if left and by_index:
        return ".".join(map(str, ("optimizers", left[0], *path[2:])))
    return key if left else None
