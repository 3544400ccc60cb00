"""The only writer and reader of `outputs/`: run directories and what they hold."""

from __future__ import annotations

from adamcli.store.directory import ERROR_LOG, Result, RunDirectory
from adamcli.store.outputs import Entry, directory_for, entries, find, name_latest

__all__ = [
    "ERROR_LOG",
    "Entry",
    "Result",
    "RunDirectory",
    "directory_for",
    "entries",
    "find",
    "name_latest",
]
