"""The tree of an experiment file, every value with the place where it was written.

Nodes are immutable: setting a value copies the way down to it and shares the rest. A node
keeps its place when it moves, so an error about a swept value points at the item of the
sweep's list, and one about an optimizer at its place in the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from adamcli.errors import ConfigError
from adamcli.text import safe

Path = tuple[str | int, ...]
"""The way from the root to a value: keys of mappings and indices of lists."""

_WIDTH = 88
_LINE_BREAK = re.compile("\r\n|[\n\r\x85\u2028\u2029]")  # what PyYAML counts as a line


class PlacedError(ConfigError):
    """A mistake that knows its place, so that many can be told in the order of the file."""

    place: tuple[int, tuple[int, int]] = (0, (0, 0))


@dataclass(frozen=True)
class Source:
    """A text that settings come from: an experiment file, or one `--set`.

    Attributes:
        name: the path as the user gave it, or `--set #2 (adam.lr=0.1)`.
        short: the name in a table of origins.
        text: the file's, to quote lines of; None for an option, which has none.
        rank: 0 for the experiment file; of what overrides it, the place, for the order of errors.
    """

    name: str
    short: str
    text: str | None = None
    rank: int = 0

    def where(self, at: tuple[int, int], path: Path) -> str:
        """The place in words: `file:line:column (key path)`, or the option."""
        if self.text is None:
            return safe(self.name, 120)
        key = f" ({safe(shown(path), 120)})" if path else ""
        return f"{safe(self.name)}:{at[0]}:{at[1]}{key}"

    def excerpt(self, at: tuple[int, int]) -> str:
        """The line with its number and a caret under the column; a long one is cut."""
        if self.text is None:
            return ""
        number, column = at
        lines = _LINE_BREAK.split(self.text, number)
        line = lines[number - 1] if number <= len(lines) else ""
        start = max(0, column - 1 - _WIDTH // 2) if len(line) > _WIDTH else 0
        before = _visible(line[start : column - 1], start > 0)
        after = safe(line[column - 1 : start + _WIDTH].replace("\t", " "))
        return f"{number:5} | {before}{after}\n{'':5} | {' ' * len(before)}^"


@dataclass(frozen=True)
class Node:
    """One value as written.

    Attributes:
        value: a scalar, a `dict` of nodes or a `list` of nodes.
        path: where it stands in its source.
        source: the text it stands in; None for a default.
        at: line and column of the value, from 1.
        key_at: line and column of its key; the same as `at` where it has none.
    """

    value: Any
    path: Path = ()
    source: Source | None = None
    at: tuple[int, int] = (1, 1)
    key_at: tuple[int, int] = (1, 1)

    @property
    def origin(self) -> str:
        """Where the value comes from, as a table says it: `spiral.yaml:5`, `--set #1`."""
        if self.source is None:
            return "default"
        return self.source.short if self.overrides else f"{self.source.short}:{self.at[0]}"

    @property
    def overrides(self) -> bool:
        """Whether the value comes from the command line."""
        return self.source is not None and self.source.text is None

    @property
    def children(self) -> dict[str, Node]:
        """The nodes by key of a mapping; empty for any other value."""
        return self.value if isinstance(self.value, dict) else {}


def child(node: Node, part: str | int) -> Node | None:
    """The node under a key or an index; None where there is none."""
    if isinstance(part, int):
        items = node.value if isinstance(node.value, list) else []
        return items[part] if part < len(items) else None
    return node.children.get(part)


def items_of(root: Node, key: str) -> list[Node]:
    """The items of the list under a key; none where there is no list."""
    node = root.children.get(key)
    return node.value if node is not None and isinstance(node.value, list) else []


def lookup(root: Node, path: Path) -> Node | None:
    """The node at a path; None where there is none."""
    node: Node | None = root
    for part in path:
        node = child(node, part) if node is not None else None
    return node


def inserted(root: Node, path: Path, node: Node) -> Node:
    """The tree with another node at the path; mappings on the way are made where missing."""
    if not path:
        return node
    part, rest = path[0], path[1:]
    under = inserted(child(root, part) or Node({}, node.path[:-1], node.source), rest, node)
    if isinstance(part, int):
        return replace(root, value=[*root.value[:part], under, *root.value[part + 1 :]])
    return replace(root, value={**root.children, part: under})


def plain(node: Node) -> Any:
    """The tree as dicts, lists and scalars."""
    if isinstance(node.value, dict):
        return {key: plain(under) for key, under in node.value.items()}
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    return node.value


def words_of(node: Node) -> Iterator[str]:
    """All strings in the tree that are values."""
    if isinstance(node.value, str):
        yield node.value
    items = node.value if isinstance(node.value, list) else node.children.values()
    for item in items:
        yield from words_of(item)


def shown(path: Path) -> str:
    """A path as messages write it: `optimizers[0].lr`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def dotted(path: Path) -> str:
    """A path as `--set` takes it: `optimizers.0.lr`."""
    return ".".join(str(part) for part in path)


def mistake(root: Node, path: Path, what: str, fix: str, *, at_key: bool = False) -> PlacedError:
    """An error at the deepest node on the path that was written somewhere.

    Args:
        root: the tree.
        path: the key or value that is wrong or missing.
        what: what is wrong.
        fix: what to do about it.
        at_key: whether to point at the key instead of the value.
    """
    nearest, rest = root, path
    node = root
    for depth, part in enumerate(path, start=1):
        under = child(node, part)
        if under is None:
            break
        node = under
        if node.source is not None:
            nearest, rest = node, path[depth:]
    return mistake_at(nearest, what, fix, below=rest, at_key=at_key)


def mistake_at(
    node: Node, what: str, fix: str, *, below: Path = (), at_key: bool = False
) -> PlacedError:
    """An error at a node, or about something missing `below` it."""
    at = node.key_at if at_key else node.at
    source = node.source or Source("the defaults", "default")
    where = source.where(at, (*node.path, *below))
    error = PlacedError(what, where=where, fix=fix, excerpt=source.excerpt(at))
    error.place = (source.rank, at)
    return error


def brief(value: Any) -> str:
    """A value as messages show it: short, in YAML's words, free of control characters."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and abs(value) >= 10**20:
        return f"an integer of about {int(value.bit_length() * 0.30103) + 1} digits"
    if isinstance(value, str):
        return safe(repr(value), 60)
    if isinstance(value, dict):
        return "a mapping"
    return "a list" if isinstance(value, list) else safe(repr(value), 60)


def _visible(text: str, cut: bool) -> str:
    """Text before the caret, one character wide each where that is possible."""
    return ("…" if cut else "") + safe(text.replace("\t", " "))
