"""Optimizers of your own: Python files with one class on the Rule protocol, run under guard.

`load` executes a file, so it is called only with files that the user has named. A run of a
plug-in is a group of its own in the stacked engine, and whatever its code does wrong ends
that run and no other: the code gets copies, what it returns is checked, what all runs share
is watched. This keeps mistakes apart; it is no fence against malice.
"""

from __future__ import annotations

from adamcli.plugins.guard import Guarded
from adamcli.plugins.plugin import Plugin, executed, load
from adamcli.plugins.saved import SavedPlugin, StandIn
from adamcli.plugins.source import Source

AnyPlugin = Plugin | SavedPlugin

__all__ = [
    "AnyPlugin",
    "Guarded",
    "Plugin",
    "SavedPlugin",
    "Source",
    "StandIn",
    "executed",
    "load",
]
