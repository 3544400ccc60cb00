"""The plug-ins of an experiment: those that the file names, and those given besides."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Mapping, Sequence

from adamcli.config.files import from_root
from adamcli.config.nodes import Node, Path, Source, brief, inserted, items_of, lookup, mistake
from adamcli.errors import PluginError
from adamcli.plugins import AnyPlugin, executed
from adamcli.plugins import Source as Code

_OPTION = Source("--plugin", "--plugin")


def with_given(root: Node, given: Sequence[AnyPlugin]) -> Node:
    """The tree with plug-ins from the command line named under `plugins` too."""
    listed = lookup(root, ("plugins",))
    if not given or (listed is not None and not isinstance(listed.value, list)):
        return root
    items = items_of(root, "plugins")
    paths = [from_root(plugin.path) for plugin in given]
    added = [Node(path, ("plugins", len(items) + i), _OPTION) for i, path in enumerate(paths)]
    return inserted(root, ("plugins",), Node([*items, *added], ("plugins",), _OPTION))


def plugin_names(root: Node) -> list[str]:
    """What the plug-ins of a tree are called, without a look at their files."""
    values = [item.value for item in items_of(root, "plugins")]
    return [pathlib.PurePath(value).stem for value in values if isinstance(value, str)]


def plugins_of(root: Node, given: Sequence[AnyPlugin]) -> dict[str, AnyPlugin]:
    """The plug-ins that a tree names by absolute paths, by their names.

    A file is executed, unless a plug-in of its name and content was given.

    Raises:
        PluginError: a file cannot be used, or two have one name.
        PlacedError: there is no such file.
    """
    found: dict[str, AnyPlugin] = {}
    for plugin in given:
        _refuse_another(found.setdefault(plugin.name, plugin), plugin)
    for i, item in enumerate(items_of(root, "plugins")):
        if isinstance(item.value, str):
            code = _read(root, ("plugins", i), item.value)
            known = found.get(code.name)
            if known is None:
                found[code.name] = executed(code)
            else:
                _refuse_another(known, code)
    return found


def used(
    plugins: Mapping[str, AnyPlugin], names: set[str], given: Sequence[AnyPlugin]
) -> list[AnyPlugin]:
    """The plug-ins of these names, in the order of the names.

    Raises:
        PluginError: one that was given is not among them.
    """
    for plugin in given:
        if plugin.name not in names:
            fix = (
                f"add `- name: {plugin.name}` to its optimizers, "
                f"or use `adamcli compare {plugin.name} ...`"
            )
            what = f"no optimizer of the experiment is {plugin.name}"
            raise PluginError(what, where=f"--plugin {plugin.path}", fix=fix)
    return [plugins[name] for name in sorted(plugins.keys() & names)]


def _read(root: Node, at: Path, path: str) -> Code:
    """The file that an item names; messages call it as one would from here."""
    if not os.path.lexists(path):
        fix = "give the path of a Python file, relative to the experiment's"
        raise mistake(root, at, f"no plug-in {brief(path)}", fix)
    return Code.read(pathlib.Path(_from_here(path)))


def _from_here(path: str) -> str:
    """A path from the current folder where it is below that and that is there."""
    try:
        near = os.path.relpath(path)
    except (OSError, ValueError):  # ValueError: on another drive of Windows
        return path
    return path if near.startswith("..") else near


def _refuse_another(known: AnyPlugin, other: AnyPlugin | Code) -> None:
    """Two plug-ins of one name must be the same."""
    if known.sha256 != other.sha256:
        what = f"two plug-ins called {known.name}, {known.path} and {other.path}"
        raise PluginError(what, where=str(other.path), fix="rename one of the files")
