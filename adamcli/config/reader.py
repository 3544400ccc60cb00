"""YAML text to nodes: the 1.2 core scalars, and nothing that can surprise or harm.

PyYAML's pure-Python parser gives the events; the tree is built here, so no tag is ever
constructed and no alias expanded. Refused are tags, anchors, aliases, merge keys, several
documents, keys that are not strings or come twice, and trees too deep or too large.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from typing import Any

import yaml

from adamcli.config.nodes import Node, Path, PlacedError, Source, brief, mistake_at

MAX_DEPTH = 50
MAX_NODES = 100_000
_MAX_NUMBER = 1000  # characters of a number; Python refuses to print integers of over 4300

_WORDS = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
}
_DECIMAL = re.compile(r"[-+]?[0-9]+", re.ASCII)
_HEX, _OCTAL = re.compile(r"0x[0-9a-fA-F]+"), re.compile(r"0o[0-7]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)


def scalar(text: str) -> Any:
    """What a plain scalar means in the YAML 1.2 core schema; a string if nothing else.

    Raises:
        ValueError: a number of too many digits.
    """
    if text in _WORDS:
        return _WORDS[text]
    for pattern, convert in (
        (_DECIMAL, int),
        (_HEX, lambda t: int(t, 16)),
        (_OCTAL, lambda t: int(t, 8)),
        (_FLOAT, float),
    ):
        if pattern.fullmatch(text):
            if len(text) > _MAX_NUMBER:
                raise ValueError(f"a number of {len(text)} characters")
            return convert(text)
    return text


def read(source: Source, text: str, path: Path = ()) -> tuple[Node, list[PlacedError]]:
    """The one document of a YAML text.

    Args:
        source: what errors cite.
        text: the YAML.
        path: where in the tree the text belongs.

    Returns:
        The tree, and the mistakes that did not stop the reading (keys).

    Raises:
        PlacedError: a mistake after which nothing can be read.
    """
    return _Reader(source, text).document(path)


class _Reader:
    """Builds nodes from the events of one text."""

    def __init__(self, source: Source, text: str) -> None:
        self._source = source
        self._text = text
        self._count = 0
        self._mistakes: list[PlacedError] = []
        self._events: Iterator[Any] = iter(())

    def document(self, path: Path) -> tuple[Node, list[PlacedError]]:
        """The root of the only document; null where the text holds none."""
        try:
            self._events = iter(yaml.parse(self._text, Loader=yaml.SafeLoader))
            next(self._events)  # the start of the stream
            if isinstance(next(self._events), yaml.StreamEndEvent):
                return Node(None, path, self._source), []
            root = self._node(next(self._events), path, depth=0)
            next(self._events)  # the end of the document
            extra = next(self._events)
        except yaml.YAMLError as error:
            raise self._syntax_error(error) from error
        except (ValueError, RecursionError, OverflowError) as error:
            raise self._fatal((1, 1), path, f"not YAML ({error})", "check the file") from error
        if not isinstance(extra, yaml.StreamEndEvent):
            raise self._fatal(_at(extra), path, "a second document", "keep one; remove the `---`")
        return root, self._mistakes

    def _node(self, event: Any, path: Path, depth: int, key: Any = None) -> Node:
        """The node that starts with an event."""
        at = _at(event)
        self._check(event, path, depth)
        if isinstance(event, yaml.ScalarEvent):
            value: Any = self._scalar(event, path)
        elif isinstance(event, yaml.SequenceStartEvent):
            value = self._items(path, depth)
        else:
            value = self._mapping(path, depth)
        return Node(value, path, self._source, at, _at(key) if key is not None else at)

    def _items(self, path: Path, depth: int) -> list[Node]:
        """The items of a list."""
        items: list[Node] = []
        for event in self._until(yaml.SequenceEndEvent):
            items.append(self._node(event, (*path, len(items)), depth + 1))
        return items

    def _mapping(self, path: Path, depth: int) -> dict[str, Node]:
        """The values of a mapping by key; of a key that comes twice, the first."""
        nodes: dict[str, Node] = {}
        for event in self._until(yaml.MappingEndEvent):
            key = self._key(event, path, depth)
            place = (*path, key) if key is not None else path
            node = self._node(next(self._events), place, depth + 1, event)
            if key is not None and key in nodes:
                self._repeated(node, nodes[key])
            elif key is not None:
                nodes[key] = node
        return nodes

    def _key(self, event: Any, path: Path, depth: int) -> str | None:
        """The key that an event starts; noted as a mistake where it is not a string."""
        node = self._node(event, path, depth + 1)
        if isinstance(event, yaml.ScalarEvent) and event.value == "<<" and event.implicit[0]:
            raise mistake_at(node, "merge keys (<<) are not allowed", "write the settings out")
        if isinstance(node.value, str):
            return node.value
        got = brief(node.value)
        fix = f'write "{event.value}"' if isinstance(event, yaml.ScalarEvent) else "use a word"
        self._mistakes.append(mistake_at(node, f"expected a word as key, got {got}", fix))
        return None

    def _repeated(self, node: Node, first: Node) -> None:
        """Note a key that was there before."""
        what = f"key {brief(node.path[-1])} twice, first on line {first.key_at[0]}"
        self._mistakes.append(mistake_at(node, what, "remove one of them", at_key=True))

    def _until(self, end: type) -> Iterator[Any]:
        """The events up to the end of a collection."""
        return itertools.takewhile(lambda event: not isinstance(event, end), self._events)

    def _check(self, event: Any, path: Path, depth: int) -> None:
        """Refuse what could point elsewhere, build objects or never end."""
        self._count += 1
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            mark = "*" if isinstance(event, yaml.AliasEvent) else "&"
            what = f"aliases and anchors ({mark}{event.anchor[:40]}) are not allowed"
            raise self._fatal(_at(event), path, what, "write the value out")
        if event.tag is not None:
            what = f"tags ({brief(event.tag)}) are not allowed"
            raise self._fatal(_at(event), path, what, "write the value alone")
        if depth > MAX_DEPTH:
            what, fix = f"nested more than {MAX_DEPTH} deep", "an experiment needs 4 levels"
            raise self._fatal(_at(event), path[:3], what, fix)
        if self._count > MAX_NODES:
            what, fix = f"more than {MAX_NODES} values", "split the experiment"
            raise self._fatal(_at(event), path, what, fix)

    def _scalar(self, event: Any, path: Path) -> Any:
        """The value of a scalar; only plain ones can be other than strings."""
        text = _paired(event.value)
        if any(c == "\0" or "\ud800" <= c <= "\udfff" for c in text):
            what = f"{brief(event.value)} holds a character that no text may hold"
            raise self._fatal(_at(event), path, what, "remove the NUL or the lone surrogate")
        if not event.implicit[0]:
            return text
        try:
            return scalar(text)
        except ValueError as error:
            raise self._fatal(_at(event), path, str(error), "write a number such as 1e3") from error

    def _syntax_error(self, error: yaml.YAMLError) -> PlacedError:
        """PyYAML's complaint with its place."""
        if isinstance(error, yaml.reader.ReaderError):
            before = self._text[: error.position]
            line = before.count("\n") + 1
            at = (line, error.position - before.rfind("\n"))
            code = error.character  # of the first such character; text gives its number
            what = f"the character U+{code:04X} is not allowed in YAML"
            return self._fatal(at, (), what, "remove it, or save the file as UTF-8 text")
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        at = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        parts = [getattr(error, "context", None), getattr(error, "problem", None)]
        what = "not YAML: " + ", ".join(part for part in parts if part)
        return self._fatal(at, (), what, _syntax_fix(what))

    def _fatal(self, at: tuple[int, int], path: Path, what: str, fix: str) -> PlacedError:
        """An error at a place of this text."""
        return mistake_at(Node(None, path, self._source, at, at), what, fix)


def _at(event: Any) -> tuple[int, int]:
    """Line and column where an event starts, from 1."""
    return event.start_mark.line + 1, event.start_mark.column + 1


def _paired(text: str) -> str:
    """The text with surrogate pairs, as JSON escapes them, made characters."""
    try:
        return text.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        return text


def _syntax_fix(what: str) -> str:
    """A hint for the mistakes that are made most."""
    if "'\\t'" in what:
        return "indent with spaces, not tabs"
    if "mapping values are not allowed" in what:
        return "check the indentation; quote text that contains ': '"
    if "expected ',' or" in what or "flow" in what:
        return "check the commas and close every bracket"
    return "check the indentation, colons and quotes here"
