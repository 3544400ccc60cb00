"""A rule under test: its class, what it claims to be, and the settings to try it with."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from adamcli.optimizers import RULES, Rule
from adamcli.settings import Setting, settings_of

Status = Literal["pass", "fail", "not applicable"]


class Verdict(NamedTuple):
    """What a property of a rule turned out to be, and a sentence why."""

    status: Status
    reason: str


def passes(reason: str) -> Verdict:
    """The rule has the property."""
    return Verdict("pass", reason)


def fails(reason: str) -> Verdict:
    """The rule has not got a property that it must have or claims to have."""
    return Verdict("fail", reason)


def does_not_apply(reason: str) -> Verdict:
    """The rule has not got a property that it need not have, or nothing can be measured."""
    return Verdict("not applicable", reason)


@dataclass(frozen=True)
class Subject:
    """A rule under test.

    Attributes:
        name: what it is called in a report.
        rule_class: the rule.
        like: the built-in rule whose formula it claims to have; a built-in claims itself.
        takes_columns: whether it must take (R, 1) columns as hyperparameters; a plug-in need
            not, since its runs are updated one by one.
    """

    name: str
    rule_class: type[Rule]
    like: str | None = None
    takes_columns: bool = True

    @property
    def settings(self) -> dict[str, Setting]:
        """The hyperparameters that it declares, by name."""
        return {setting.name: setting for setting in settings_of(self.rule_class)}

    @property
    def fields(self) -> set[str]:
        """The names of all its fields."""
        return {f.name for f in dataclasses.fields(self.rule_class)}  # type: ignore[arg-type]

    @property
    def alone(self) -> bool:
        """Whether it takes one run at a time."""
        return bool(getattr(self.rule_class, "alone", False))

    @property
    def is_adam(self) -> bool:
        """Whether it claims Adam's formula, up to weight decay."""
        return self.like in ("adam", "adamw")

    @property
    def no_decay(self) -> dict[str, float]:
        """The settings that switch weight decay off."""
        return {name: 0.0 for name in self.fields if "weight_decay" in name}

    def rule(self, **changes: Any) -> Rule:
        """The rule with its defaults but for some settings."""
        return self.rule_class(**changes)

    def plain(self, **changes: Any) -> Rule:
        """The rule without weight decay, with some settings where it has them."""
        return self.rule(**self.no_decay | {n: v for n, v in changes.items() if n in self.fields})

    def at_rate(self, lr: float, **changes: Any) -> Rule:
        """The rule at another learning rate; those of other arrays change with it."""
        defaults = self.rule()
        rates = {name: getattr(defaults, name) for name in self.fields if name.endswith("_lr")}
        scaled = {n: rate * lr / defaults.lr for n, rate in rates.items() if rate is not None}
        return self.rule(lr=lr, **scaled, **changes)


def built_in(name: str) -> Subject:
    """The subject that a rule of the registry is."""
    return Subject(name, RULES[name], like=name)


def variants(subject: Subject) -> Iterator[tuple[str, Rule]]:
    """The rule with its defaults, then with one setting after another changed.

    Yields:
        What was changed, empty for the defaults, and the rule.
    """
    yield "", subject.rule()
    for name, setting in subject.settings.items():
        for value in _alternatives(setting):
            yield f"with {name} {_written(value)}: ", subject.rule(**{name: value})


def columns(subject: Subject, rows: int) -> list[Rule]:
    """Rules that differ in every hyperparameter of which a rule takes a column."""
    kinds = [s for s in subject.settings.values() if s.kind is float and s.stacks and not s.many]
    spread = {s.name: _spread(s, rows) for s in kinds if isinstance(s.default, float)}
    return [subject.rule(**{n: values[row] for n, values in spread.items()}) for row in range(rows)]


def learning_rates(subject: Subject) -> list[float]:
    """The default and, from large to small, where tuning would look for a better one."""
    default: float = subject.rule().lr
    setting = subject.settings.get("lr")
    search = setting.search if setting else None
    low, high = (search.low, search.high) if search else (default / 1000, default * 1000)
    return [default, *(high * (low / high) ** (k / 6) for k in range(7))]


def _alternatives(setting: Setting) -> Sequence[Any]:
    """Other values of a setting that are worth trying."""
    if setting.kind is bool:
        return [not setting.default]
    if setting.choices:
        return [choice for choice in setting.choices if choice != setting.default]
    if setting.many or setting.kind is not float:
        return []
    ends = [setting.search.low, setting.search.high] if setting.search else []
    off = [None] if setting.optional and setting.default is not None else []
    on = [_within(setting, 0.1)] if not setting.default else []
    return [*ends, *off, *on]


def _spread(setting: Setting, rows: int) -> list[float]:
    """Different allowed values of a number, one per row."""
    if setting.search:
        low, high = setting.search.low, setting.search.high
        return [low * (high / low) ** ((row + 1) / (rows + 1)) for row in range(rows)]
    unit = setting.default or 0.1
    return [_within(setting, unit * (1 - 0.1 * row)) for row in range(rows)]


def _within(setting: Setting, value: float) -> float:
    """The value, or the first of a few others that the setting allows."""
    others = (0.5, 1.5, 100.0, -0.5)
    return next((each for each in (value, *others) if _allows(setting, each)), value)


def _allows(setting: Setting, value: float) -> bool:
    """Whether a number is inside the bounds of a setting."""
    return (
        (setting.gt is None or value > setting.gt)
        and (setting.ge is None or value >= setting.ge)
        and (setting.lt is None or value < setting.lt)
        and (setting.le is None or value <= setting.le)
    )


def _written(value: Any) -> str:
    """A value as one writes it in an experiment file."""
    if value is None:
        return "null"
    return str(value).lower() if isinstance(value, bool) else f"{value}"
