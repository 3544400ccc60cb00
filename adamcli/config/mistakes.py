"""What pydantic found wrong, said in the words of the file: one mistake, one message."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, Protocol

from pydantic import TypeAdapter, ValidationError

from adamcli.config.models import Section
from adamcli.config.names import suggestion_of_rule
from adamcli.config.nodes import Node, Path, PlacedError, brief, lookup, mistake, plain
from adamcli.config.reader import scalar
from adamcli.settings import Setting
from adamcli.text import suggestion

_KINDS = {
    float: "a number",
    int: "an integer",
    bool: "true or false",
    str: "a string",
    dict: "a mapping",
    list: "a list",
}


class Vocabulary(Protocol):
    """What a kind of file may say: `Grammar` is that of an experiment."""

    @property
    def parts(self) -> Mapping[str, TypeAdapter[Any]]:
        """The check of each part of the file; under "" that of the whole."""
        ...

    def section_at(self, root: Node, path: Path) -> type[Section] | None:
        """The model of the mapping at a path; None where there is none by its name."""
        ...

    def registry_at(self, path: Path) -> Mapping[str, type[Section]] | None:
        """The models among which the mapping at a path chooses by its `name`."""
        ...


def checked(
    grammar: Vocabulary, root: Node, prefix: Path = ()
) -> tuple[Any, list[tuple[Path, PlacedError]]]:
    """The part of the tree at `prefix` as a model, or None and its mistakes with their paths.

    Args:
        grammar: what the tree may say.
        root: the whole tree, for places and names.
        prefix: where the part stands.
    """
    part = lookup(root, prefix)
    assert part is not None
    try:
        return grammar.parts[str(prefix[0]) if prefix else ""].validate_python(plain(part)), []
    except ValidationError as error:
        details = error.errors()
        unknown = {_parent_and_key(d) for d in details if d["type"] == "extra_forbidden"}
        told = [detail for detail in details if not _misspelt(detail, unknown)]
        explainer = _Explainer(grammar, root)
        return None, [explainer.explained(detail, prefix) for detail in told]


def _parent_and_key(detail: Any) -> tuple[Path, str]:
    """Where a key is missing or too many, and the key."""
    return detail["loc"][:-1], str(detail["loc"][-1])


def _misspelt(detail: Any, unknown: Iterable[tuple[Path, str]]) -> bool:
    """Whether a missing key is there under a name so near that the unknown key tells it."""
    if detail["type"] != "missing":
        return False
    parent, key = _parent_and_key(detail)
    return bool(get_close_matches(key, [other for place, other in unknown if place == parent]))


@dataclass(frozen=True)
class _Explainer:
    """Says what is wrong with a tree in the words of its grammar."""

    grammar: Vocabulary
    root: Node

    def explained(self, detail: Any, prefix: Path) -> tuple[Path, PlacedError]:
        """One error of pydantic's with its path and as one of ours."""
        path = self._without_tags((*prefix, *detail["loc"]))
        kind, node = detail["type"], lookup(self.root, path)
        got = node.value if node is not None else None
        if kind == "extra_forbidden":
            what, fix = self._unknown_key(path)
        elif kind == "missing":
            what, fix = self._missing(path)
        elif kind == "union_tag_not_found":
            path, what, fix = self._nameless(path)
        elif kind == "union_tag_invalid":
            path = (*path, "name")
            what, fix = self._unknown_name(path)
        elif kind == "refused":
            what, fix = f"{detail['ctx']['what']}: {brief(got)}", detail["ctx"]["fix"]
        else:
            what, fix = self._unfit(kind, got, path)
        at_key = what.startswith("unknown key")
        return path, mistake(self.root, path, what, fix, at_key=at_key)

    def _without_tags(self, loc: Path) -> Path:
        """A location without the names that pydantic puts in for the members of a union."""
        path: Path = ()
        skip = False
        for part in loc:
            if not skip:
                path = (*path, part)
            skip = not skip and self.grammar.registry_at(path) is not None
        return path

    def _unknown_key(self, path: Path) -> tuple[str, str]:
        """A key that its section has not."""
        section = self.grammar.section_at(self.root, path[:-1])
        assert section is not None
        what = f"unknown key {brief(path[-1])} for {section.title}"
        return what, suggestion(str(path[-1]), section.settings)

    def _missing(self, path: Path) -> tuple[str, str]:
        """A key that its section needs."""
        section, setting = self._section_and_setting(path)
        what = f"missing key {brief(path[-1])}" + (f" for {section.title}" if section else "")
        return what, f"add {path[-1]}: {setting.doc if setting else self._names(path[:-1])}"

    def _nameless(self, path: Path) -> tuple[Path, str, str]:
        """A mapping that does not say its name, or says it under a misspelt key."""
        node = lookup(self.root, path)
        near = get_close_matches("name", node.children if node else (), n=1)
        if near:
            return (*path, near[0]), f"unknown key {brief(near[0])}", "did you mean 'name'?"
        return path, "missing key 'name'", f"add name: one of {self._names(path)}"

    def _unknown_name(self, path: Path) -> tuple[str, str]:
        """A dataset, optimizer or schedule that is not in its registry."""
        node = lookup(self.root, path)
        noun = "schedule" if "schedule" in path else str(path[0]).removesuffix("s")
        article = "an" if noun == "optimizer" else "a"
        name = node.value if node else None
        if not isinstance(name, str):
            return (
                f"expected the name of {article} {noun}, got {brief(name)}",
                f"use one of {self._names(path[:-1])}",
            )
        known = self.grammar.registry_at(path[:-1]) or ()
        fix = suggestion_of_rule(name, known) if noun == "optimizer" else suggestion(name, known)
        return f"unknown {noun} {brief(name)}", fix

    def _names(self, path: Path) -> str:
        """The names a mapping may have, listed."""
        return ", ".join(self.grammar.registry_at(path) or ())

    def _unfit(self, kind: str, got: Any, path: Path) -> tuple[str, str]:
        """A value of the wrong type or out of its range."""
        if names := self.grammar.registry_at(path):
            near = get_close_matches(got, names, n=1) if isinstance(got, str) else []
            return f"expected a mapping, got {brief(got)}", f"write {{name: {[*near, *names][0]}}}"
        section, setting = self._section_and_setting(path)
        if path[0] == "sweep":
            return f"expected a mapping, got {brief(got)}", _SWEEP_FIX
        if setting is None or section is None:
            return f"expected a mapping, got {brief(got)}", "write its keys below it, one to a line"
        item = isinstance(path[-1], int)
        what = f"expected {expected(setting, item)}, got {_got(kind, got)}"
        return what, _fix(setting, got)

    def _section_and_setting(self, path: Path) -> tuple[type[Section] | None, Setting | None]:
        """The section that a value or an item of a list belongs to, and its setting."""
        if path and isinstance(path[-1], int):
            path = path[:-1]
        section = self.grammar.section_at(self.root, path[:-1]) if path else None
        return section, section.settings.get(str(path[-1])) if section else None


_SWEEP_FIX = "write a path and its values, such as dataset.noise: [0.1, 0.2]"


def _got(kind: str, got: Any) -> str:
    """The value, or how many there are in a list."""
    if kind not in ("too_short", "too_long"):
        return brief(got)
    return f"a list of {len(got)}" if got else "an empty list"


def expected(setting: Setting, item: bool = False) -> str:
    """What a setting, or an item of its list, takes, in words."""
    if setting.choices:
        return f"one of {setting.range}"
    noun = "a string" if item and setting.kind is list else _KINDS[setting.kind]
    limits = f" with {setting.range}" if setting.range else ""
    if setting.many and not item:
        many = f"a list of {setting.count}" if setting.count else "a non-empty list of"
        return f"{many} {noun.split()[-1]}s{limits}"
    return f"{noun}{limits}{' or null' if setting.optional else ''}"


def _fix(setting: Setting, got: Any) -> str:
    """What to write instead."""
    if setting.choices:
        return suggestion(got if isinstance(got, str) else "", setting.choices)
    if setting.kind in (int, float) and isinstance(got, str) and _is_number(got):
        return f"write {got} without quotes"
    if setting.kind is dict:
        return "write its keys below it, one to a line"
    example = "" if setting.required or setting.default is None else _example(setting.default)
    return f"give {setting.name} ({setting.doc}) {expected(setting)}{example}"


def _is_number(text: str) -> bool:
    """Whether a quoted text of bearable length is a number without the quotes."""
    return len(text) <= 60 and isinstance(scalar(text), int | float)


def _example(default: Any) -> str:
    """A default as one would write it."""
    shown = f"[{', '.join(map(str, default))}]" if isinstance(default, tuple) else brief(default)
    return f", such as {shown}"
