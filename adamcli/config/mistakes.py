"""What pydantic found wrong, said in the words of the file: one mistake, one message."""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any

from pydantic import TypeAdapter, ValidationError

from adamcli.config.models import Section
from adamcli.config.nodes import Node, Path, PlacedError, brief, lookup, mistake, plain
from adamcli.config.reader import scalar
from adamcli.config.sections import registry_at, section_at
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


def checked(
    validator: TypeAdapter[Any], root: Node, prefix: Path = ()
) -> tuple[Any, list[tuple[Path, PlacedError]]]:
    """The part of the tree at `prefix` as a model, or None and its mistakes with their paths.

    Args:
        validator: what the part must be.
        root: the whole tree, for places and names.
        prefix: where the part stands.
    """
    part = lookup(root, prefix)
    assert part is not None
    try:
        return validator.validate_python(plain(part)), []
    except ValidationError as error:
        details = error.errors()
        unknown = {_parent_and_key(d) for d in details if d["type"] == "extra_forbidden"}
        return None, [
            _explained(detail, root, prefix) for detail in details if not _misspelt(detail, unknown)
        ]


def _parent_and_key(detail: Any) -> tuple[Path, str]:
    """Where a key is missing or too many, and the key."""
    return detail["loc"][:-1], str(detail["loc"][-1])


def _misspelt(detail: Any, unknown: Iterable[tuple[Path, str]]) -> bool:
    """Whether a missing key is there under a name so near that the unknown key tells it."""
    if detail["type"] != "missing":
        return False
    parent, key = _parent_and_key(detail)
    return bool(get_close_matches(key, [other for place, other in unknown if place == parent]))


def _explained(detail: Any, root: Node, prefix: Path) -> tuple[Path, PlacedError]:
    """One error of pydantic's with its path and as one of ours."""
    path = _without_tags((*prefix, *detail["loc"]))
    kind, node = detail["type"], lookup(root, path)
    got = node.value if node is not None else None
    if kind == "extra_forbidden":
        what, fix = _unknown_key(root, path)
    elif kind == "missing":
        what, fix = _missing(root, path)
    elif kind == "union_tag_not_found":
        path, what, fix = _nameless(root, path)
    elif kind == "union_tag_invalid":
        path = (*path, "name")
        what, fix = _unknown_name(lookup(root, path), path)
    elif kind == "refused":
        what, fix = f"{detail['ctx']['what']}: {brief(got)}", detail["ctx"]["fix"]
    else:
        what, fix = _unfit(kind, got, root, path)
    at_key = what.startswith("unknown key")
    return path, mistake(root, path, what, fix, at_key=at_key)


def _without_tags(loc: Path) -> Path:
    """A location without the names that pydantic puts in for the members of a union."""
    path: Path = ()
    skip = False
    for part in loc:
        if not skip:
            path = (*path, part)
        skip = not skip and registry_at(path) is not None
    return path


def _unknown_key(root: Node, path: Path) -> tuple[str, str]:
    """A key that its section has not."""
    section = section_at(root, path[:-1])
    assert section is not None
    what = f"unknown key {brief(path[-1])} for {section.title}"
    return what, suggestion(str(path[-1]), section.settings)


def _missing(root: Node, path: Path) -> tuple[str, str]:
    """A key that its section needs."""
    section, setting = _section_and_setting(root, path)
    what = f"missing key {brief(path[-1])}" + (f" for {section.title}" if section else "")
    return what, f"add {path[-1]}: {setting.doc if setting else _names(path[:-1])}"


def _nameless(root: Node, path: Path) -> tuple[Path, str, str]:
    """A mapping that does not say its name, or says it under a misspelt key."""
    node = lookup(root, path)
    near = get_close_matches("name", node.children if node else (), n=1)
    if near:
        return (*path, near[0]), f"unknown key {brief(near[0])}", "did you mean 'name'?"
    return path, "missing key 'name'", f"add name: one of {_names(path)}"


def _unknown_name(node: Node | None, path: Path) -> tuple[str, str]:
    """A dataset, optimizer or schedule that is not in its registry."""
    noun = "schedule" if "schedule" in path else str(path[0]).removesuffix("s")
    article = "an" if noun == "optimizer" else "a"
    name = node.value if node else None
    if not isinstance(name, str):
        return (
            f"expected the name of {article} {noun}, got {brief(name)}",
            f"use one of {_names(path[:-1])}",
        )
    return f"unknown {noun} {brief(name)}", suggestion(name, registry_at(path[:-1]) or ())


def _names(path: Path) -> str:
    """The names a mapping may have, listed."""
    return ", ".join(registry_at(path) or ())


def _unfit(kind: str, got: Any, root: Node, path: Path) -> tuple[str, str]:
    """A value of the wrong type or out of its range."""
    if names := registry_at(path):
        near = get_close_matches(got, names, n=1) if isinstance(got, str) else []
        return f"expected a mapping, got {brief(got)}", f"write {{name: {[*near, *names][0]}}}"
    section, setting = _section_and_setting(root, path)
    if path[0] == "sweep":
        return f"expected {_SWEEP.get(len(path), 'a value')}, got {_got(kind, got)}", _SWEEP_FIX
    if setting is None or section is None:
        return f"expected a mapping, got {brief(got)}", "write its keys below it, one to a line"
    item = isinstance(path[-1], int)
    what = f"expected {_expected(setting, item)}, got {_got(kind, got)}"
    return what, _fix(setting, got)


_SWEEP = {1: "a mapping", 2: "a non-empty list"}
_SWEEP_FIX = "write a path and its values, such as dataset.noise: [0.1, 0.2]"


def _section_and_setting(root: Node, path: Path) -> tuple[type[Section] | None, Setting | None]:
    """The section that a value or an item of a list belongs to, and its setting."""
    if path and isinstance(path[-1], int):
        path = path[:-1]
    section = section_at(root, path[:-1]) if path else None
    return section, section.settings.get(str(path[-1])) if section else None


def _got(kind: str, got: Any) -> str:
    """The value, or how many there are in a list."""
    if kind not in ("too_short", "too_long"):
        return brief(got)
    return f"a list of {len(got)}" if got else "an empty list"


def _expected(setting: Setting, item: bool = False) -> str:
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
    return f"give {setting.name} ({setting.doc}) {_expected(setting)}{example}"


def _is_number(text: str) -> bool:
    """Whether a quoted text of bearable length is a number without the quotes."""
    return len(text) <= 60 and isinstance(scalar(text), int | float)


def _example(default: Any) -> str:
    """A default as one would write it."""
    shown = f"[{', '.join(map(str, default))}]" if isinstance(default, tuple) else brief(default)
    return f", such as {shown}"
