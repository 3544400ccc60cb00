"""The JSON schema of an experiment file, in the draft that editors' YAML plug-ins know."""

from __future__ import annotations

from typing import Any

from adamcli.config.grammar import builtin


def schema() -> dict[str, Any]:
    """The JSON schema (draft-07) of an experiment file."""
    body = _tidied(builtin().parts[""].json_schema())
    title = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "adamcli experiment"}
    return _with_plugins({**title, **body})


def _with_plugins(body: dict[str, Any]) -> dict[str, Any]:
    """The schema that lets a file that names plug-ins name other optimizers too.

    Which ones, and what they may say, no schema can know that is written once for all files.
    """
    names = [*builtin().optimizers]
    other = {"name": {"type": "string", "not": {"enum": names}}}
    added = {"type": "object", "properties": other, "required": ["name"]}
    body["properties"]["optimizers"]["items"]["oneOf"].append(added)
    ours = {"properties": {"name": {"enum": names}}}
    with_plugins = {"properties": {"plugins": {"minItems": 1}}, "required": ["plugins"]}
    without = {"properties": {"optimizers": {"items": ours}}}
    return {**body, "anyOf": [with_plugins, without]}


def _tidied(tree: Any) -> Any:
    """The schema without what draft-07 does not know and what only repeats the keys."""
    if isinstance(tree, list):
        return [_tidied(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    return {
        key: {name: _tidied(under) for name, under in value.items()}
        if key in ("properties", "$defs")
        else _tidied(value)
        for key, value in tree.items()
        if not (key in ("title", "discriminator") or (key == "default" and value is None))
    }
