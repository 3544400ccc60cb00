"""Plain values to YAML that any reader of 1.1 or 1.2 reads back exactly."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import yaml

from adamcli.config.reader import scalar


class _Dumper(yaml.SafeDumper):
    """SafeDumper without aliases, quoting whatever our reader would not take for a string."""

    def ignore_aliases(self, data: Any) -> bool:
        """Equal values are written out each time."""
        return True


def _string(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """A string, quoted where YAML 1.2 would read something else; the base class sees to 1.1."""
    try:
        style = None if isinstance(scalar(text), str) else "'"
    except ValueError:
        style = "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _string)


def annotated_lines(
    tree: dict[str, Any], origins: Mapping[str, str], path: str = "", indent: str = ""
) -> Iterator[tuple[str, str]]:
    """The tree as lines of YAML, a value on each, and where each value comes from.

    Args:
        origins: by dotted path; a line without a value of its own has an empty origin.
    """
    for key, value in tree.items():
        at = f"{path}{key}"
        if isinstance(value, dict) and value:
            yield f"{indent}{key}:", ""
            yield from annotated_lines(value, origins, f"{at}.", f"{indent}  ")
        elif isinstance(value, list) and value and isinstance(value[0], dict):
            yield f"{indent}{key}:", ""
            for i, item in enumerate(value):
                lines = annotated_lines(item, origins, f"{at}.{i}.", "")
                for k, (line, origin) in enumerate(lines):
                    yield f"{indent}{'    ' if k else '  - '}{line}", origin
        else:
            yield f"{indent}{flow(key)}: {flow(value)}", origins.get(at, "")


def flow(value: Any) -> str:
    """A value on one line of YAML."""
    text: str = yaml.dump(
        value, Dumper=_Dumper, allow_unicode=True, default_flow_style=True, width=2**20
    )
    return text.removesuffix("\n").removesuffix("\n...")


def yaml_text(tree: dict[str, Any]) -> str:
    """The tree in block style, its innermost lists and mappings on one line."""
    text: str = yaml.dump(
        tree,
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        default_flow_style=None,
        width=100,
    )
    return text
