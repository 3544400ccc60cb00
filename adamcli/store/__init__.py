"""The only writer and reader of `outputs/`: run directories and what they hold."""

from __future__ import annotations

from adamcli.store.directory import Result, RunDirectory
from adamcli.store.outputs import Entry, directory_for, entries, find, name_latest

__all__ = ["Entry", "Result", "RunDirectory", "directory_for", "entries", "find", "name_latest"]
