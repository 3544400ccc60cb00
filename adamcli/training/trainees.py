"""How rows of a stack are trained, and which of them one call of a rule updates."""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby

import numpy as np

from adamcli.optimizers import Hyper, Rule, Wrapping
from adamcli.recorder import Records
from adamcli.schedules import Schedule
from adamcli.settings import settings_of


@dataclass(frozen=True)
class Trainee:
    """How one row of a stack is trained.

    Attributes:
        clip_norm: the gradient is scaled down to at most this Euclidean norm.
        wrapping: what is wrapped around the rule.
        records: what is recorded at every step.
    """

    rule: Rule
    schedule: Schedule
    clip_norm: float | None = None
    records: Records = Records()
    wrapping: Wrapping = Wrapping()

    @property
    def kind(self) -> Hashable:
        """What neighbours must share to be updated by one call."""
        return kind(self.rule, self.wrapping)


def kind(rule: Rule, wrapping: Wrapping | None = None) -> Hashable:
    """What rows must share to be updated by one call.

    That is the wrapping, the class, and every field that cannot be a column: it is no float,
    or its setting says so. A rule that is `alone` shares with nobody.
    """
    if getattr(rule, "alone", False):
        return object()
    values = ((name, getattr(rule, name), column) for name, column in _fields(type(rule)))
    fixed = (
        (name, value) for name, value, column in values if not (column and isinstance(value, float))
    )
    return (type(rule), wrapping, *fixed)


@cache
def _fields(rule: type) -> tuple[tuple[str, bool], ...]:
    """The fields of a rule, and whether the setting of each lets it be a column."""
    columns = {s.name for s in settings_of(rule) if s.kind is float and s.stacks}
    return tuple((field.name, field.name in columns) for field in dataclasses.fields(rule))


def stacked(rules: Sequence[Rule]) -> Rule:
    """One rule for R rows: a hyperparameter that differs between them becomes a (R, 1) column.

    Args:
        rules: all of the same `kind`, with floats as hyperparameters.
    """
    columns: dict[str, Hyper] = {}
    for name in (f.name for f in dataclasses.fields(rules[0])):  # type: ignore[arg-type]
        values = [getattr(rule, name) for rule in rules]
        if any(value != values[0] for value in values):
            columns[name] = np.array(values, dtype=np.float64)[:, None]
    stacked_rule: Rule = dataclasses.replace(rules[0], **columns)  # type: ignore[type-var]
    return stacked_rule


def neighbours(trainees: Sequence[Trainee]) -> Iterator[range]:
    """The ranges of neighbouring rows whose rules can be stacked."""
    for _, rows in groupby(range(len(trainees)), key=lambda row: trainees[row].kind):
        members = list(rows)
        yield range(members[0], members[-1] + 1)
