"""The only writer and reader of `outputs/`: run directories and what they hold."""

from __future__ import annotations

from adamcli.store.contents import ERROR_LOG
from adamcli.store.directory import Result, RunDirectory
from adamcli.store.outputs import BEGUN, Entry, directory_for, entries, find, name_latest
from adamcli.store.parts import Parts
from adamcli.store.verification import Finding, State, Verification, verify

__all__ = [
    "BEGUN",
    "ERROR_LOG",
    "Entry",
    "Finding",
    "Parts",
    "Result",
    "RunDirectory",
    "State",
    "Verification",
    "directory_for",
    "entries",
    "find",
    "name_latest",
    "verify",
]
