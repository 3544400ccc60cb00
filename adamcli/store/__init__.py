"""The only writer and reader of `outputs/`: run directories and what they hold."""

from __future__ import annotations

from adamcli.store.contents import ERROR_LOG
from adamcli.store.directory import Result, RunDirectory
from adamcli.store.outputs import Entry, directory_for, entries, find, name_latest
from adamcli.store.parts import Parts

__all__ = [
    "ERROR_LOG",
    "Entry",
    "Parts",
    "Result",
    "RunDirectory",
    "directory_for",
    "entries",
    "find",
    "name_latest",
]
