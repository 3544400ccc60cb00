"""The JSON schema of an experiment file, in the draft that editors' YAML plug-ins know."""

from __future__ import annotations

from typing import Any

from adamcli.config.sections import WHOLE


def schema() -> dict[str, Any]:
    """The JSON schema (draft-07) of an experiment file."""
    body = _tidied(WHOLE.json_schema())
    title = {"$schema": "http://json-schema.org/draft-07/schema#", "title": "adamcli experiment"}
    return {**title, **body}


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
