"""What a run directory remembers of a plug-in: enough to show its runs, nothing that runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, dataclass
from pathlib import Path
from typing import Any, ClassVar, NoReturn, cast

from adamcli.errors import UsageError
from adamcli.layout import Array, Layout
from adamcli.optimizers import Panel, Rule, State, Step
from adamcli.plugins.source import Source
from adamcli.settings import Setting


@dataclass(frozen=True)
class SavedPlugin:
    """A plug-in whose code is not executed.

    Attributes:
        source: the copy of its file.
        names: of its hyperparameters, whose values are taken as they were saved.
        panels: of its trace figure; none for the usual ones.
    """

    source: Source
    names: tuple[str, ...]
    panels: tuple[Panel, ...] = ()

    @property
    def name(self) -> str:
        """What the experiment calls the optimizer."""
        return self.source.name

    @property
    def path(self) -> Path:
        """The copy."""
        return self.source.path

    @property
    def sha256(self) -> str:
        """Of its content, in hexadecimal."""
        return self.source.sha256

    @property
    def fact(self) -> str:
        """That it is a plug-in."""
        return "a plug-in"

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The hyperparameters, which may have any value."""
        return tuple(Setting(name, object, MISSING, "") for name in self.names)

    def where(self, setting: str) -> str:
        """The copy."""
        return self.source.where(1)

    def rule(self, values: Mapping[str, Any]) -> Rule:
        """What stands for the rule of a run."""
        stand_in = StandIn(self.name, values, self.panels, self.path)
        return cast(Rule, stand_in)  # panels: no ClassVar


@dataclass(frozen=True)
class StandIn:
    """The place of a plug-in's rule: its name and hyperparameters, and no way to train it."""

    alone: ClassVar[bool] = True

    name: str
    values: Mapping[str, Any]
    panels: tuple[Panel, ...]
    copy: Path

    @property
    def lr(self) -> float:
        """The learning rate before any schedule."""
        return float(self.values["lr"])

    def init(self, params: Array, layout: Layout) -> State:
        """Refused."""
        self.refuse()

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """Refused."""
        self.refuse()

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """Refused."""
        self.refuse()

    def refuse(self) -> NoReturn:
        """Say how to let the plug-in's code run.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            f"{self.name} is a plug-in, whose code does not run unasked",
            fix=f"add --plugin {self.copy}",
        )
