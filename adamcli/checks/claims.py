"""What a plug-in is meant to be, by what it says or by the hyperparameters it has."""

from __future__ import annotations

from adamcli.checks.character import kinds_of_decay
from adamcli.checks.subject import Subject
from adamcli.checks.world import undisturbed
from adamcli.optimizers import Rule

_ADAM = {"lr", "beta1", "beta2", "eps"}
_OPTIONS = {"eps_root", "weight_decay", "bias_correction"}


def claim(rule_class: type[Rule]) -> str | None:
    """The built-in rule that a class claims to be: by `like`, else by its hyperparameters.

    A class with the hyperparameters of adam and no others is held to Adam's formula. One that
    is meant to be something else says so with `like: ClassVar[str | None] = None`.
    """
    if hasattr(rule_class, "like"):
        like: str | None = rule_class.like
        return like
    subject = Subject(rule_class.__name__, rule_class)
    if not _ADAM <= subject.fields <= _ADAM | _OPTIONS:
        return None
    return "adamw" if _is_adamw(subject) else "adam"


def _is_adamw(subject: Subject) -> bool:
    """Whether the name, the default or, where they say nothing, the steps speak for AdamW."""
    if "weight_decay" not in subject.fields:
        return False
    if "adamw" in subject.name.lower():
        return True
    try:
        with undisturbed():
            if subject.rule().weight_decay:  # type: ignore[attr-defined]
                return True
            return "decoupled" in kinds_of_decay(subject)
    except (Exception, SystemExit):  # it will be told when its properties are looked at
        return False
