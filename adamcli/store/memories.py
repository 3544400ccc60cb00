"""What a run directory remembers of plug-ins: a copy of each file, never to be run unasked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adamcli.errors import DamagedError, UsageError
from adamcli.optimizers import Panel
from adamcli.plugins import AnyPlugin, SavedPlugin, Source, executed

Json = Mapping[str, Any]


def copy_name(plugin: AnyPlugin) -> str:
    """What the copy of a plug-in's file is called."""
    return f"{plugin.name}.py"


def memory(plugin: AnyPlugin) -> dict[str, Any]:
    """A plug-in as the manifest has it."""
    return {
        "name": plugin.name,
        "file": copy_name(plugin),
        "sha256": plugin.sha256,
        "settings": [setting.name for setting in plugin.settings],
        "panels": [[panel.title, list(panel.series)] for panel in plugin.panels],
    }


def remembered(entries: Sequence[Json], folder: Path) -> list[SavedPlugin]:
    """The plug-ins that a manifest lists, not executed.

    Args:
        folder: where their copies lie, whose hashes are checked.

    Raises:
        DamagedError: an entry is not what `memory` writes.
    """
    try:
        return [_remembered(entry, folder) for entry in entries]
    except (OSError, KeyError, TypeError, ValueError) as error:
        fix = "train again with `adamcli run CONFIG --fresh`"
        raise DamagedError("not a manifest", where=str(folder), fix=fix) from error


def recalled(known: Sequence[SavedPlugin], files: Sequence[Path], folder: Path) -> list[AnyPlugin]:
    """The plug-ins of a run; those of the files are executed.

    Raises:
        UsageError: a file is none that the run was trained with.
        PluginError: a file cannot be read or executed.
    """
    live: dict[str, AnyPlugin] = {plugin.name: plugin for plugin in known}
    for source in map(Source.read, files):
        saved = live.get(source.name)
        if saved is None:
            fix = f"give one of {', '.join(live)}" if live else "leave --plugin out"
            raise UsageError(f"no plug-in {source.name} in this run", where=str(folder), fix=fix)
        if saved.sha256 != source.sha256:
            raise UsageError(
                "not the plug-in that the run was trained with (SHA-256 differs)",
                where=source.filename,
                fix=f"give the copy, --plugin {saved.path}",
            )
        live[source.name] = executed(source)
    return list(live.values())


def _remembered(entry: Json, folder: Path) -> SavedPlugin:
    """One plug-in of a manifest."""
    source = Source(entry["name"], (folder / entry["file"]).read_bytes(), folder / entry["file"])
    panels = tuple(Panel(str(title), tuple(series)) for title, series in entry["panels"])
    return SavedPlugin(source, tuple(entry["settings"]), panels)
