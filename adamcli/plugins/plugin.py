"""A plug-in that the user has named, and so wants to be executed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

from adamcli.errors import PluginError
from adamcli.optimizers import RULES, Panel, Rule
from adamcli.plugins.blame import MisdeedError
from adamcli.plugins.contract import rule_class
from adamcli.plugins.guard import Guarded
from adamcli.plugins.source import Source
from adamcli.settings import Setting, settings_of


@dataclass(frozen=True)
class Plugin:
    """An optimizer from a file.

    Attributes:
        source: the file as it was read.
        rule_class: its class, completed: with settings, panels and trace.
    """

    source: Source
    rule_class: type[Rule] = field(compare=False, repr=False)

    @property
    def name(self) -> str:
        """What experiments call the optimizer: the stem of the file's name."""
        return self.source.name

    @property
    def path(self) -> Path:
        """The file."""
        return self.source.path

    @property
    def sha256(self) -> str:
        """Of the file's content, in hexadecimal."""
        return self.source.sha256

    @property
    def fact(self) -> str:
        """The first line of the class's docstring."""
        return (self.rule_class.__doc__ or "").strip().split("\n")[0]

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The hyperparameters, in order."""
        return settings_of(self.rule_class)

    @property
    def panels(self) -> tuple[Panel, ...]:
        """Of its trace figure; none for the usual ones."""
        return self.rule_class.panels

    def where(self, setting: str) -> str:
        """The place of a hyperparameter in the file."""
        return self.source.where(self.source.line_of(self.rule_class.__name__, setting))

    def rule(self, values: Mapping[str, Any]) -> Rule:
        """The rule of a run with these hyperparameters."""
        name = self.rule_class.__name__
        return cast(Rule, Guarded(self.source, name, values, self.panels))  # panels: no ClassVar


def load(path: Path) -> Plugin:
    """Execute a file and take its one public class as an optimizer.

    Raises:
        PluginError: it cannot be read or executed, or has no such class; names file and line.
    """
    return executed(Source.read(path))


def executed(source: Source) -> Plugin:
    """As `load`, of a file that has been read.

    Raises:
        PluginError: it cannot be executed, or has no such class.
    """
    if source.name in RULES:
        what = f"{source.name} is the name of an optimizer that adamcli has"
        raise PluginError(what, where=source.where(1), fix="give the file another name")
    try:
        return Plugin(source, rule_class(source))
    except MisdeedError as misdeed:
        raise misdeed.at_loading(source) from misdeed
