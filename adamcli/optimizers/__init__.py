"""Optimizer rules: the registry of every rule and the interface they share.

A rule is a frozen dataclass in the file of its family, where `RULES` names it.
"""

from __future__ import annotations

from adamcli.optimizers import (
    adafactor,
    adam,
    adaptive,
    adopt,
    belief,
    layerwise,
    mars,
    muon,
    nadam,
    prodigy,
    schedulefree,
    sgd,
    sign,
    soap,
    sophia,
)
from adamcli.optimizers.rule import Averaging, Hyper, Panel, Rule, State, Step
from adamcli.optimizers.wrappers import Wrapping

_FAMILIES = (
    sgd,
    sign,
    adaptive,
    adam,
    nadam,
    belief,
    adopt,
    schedulefree,
    prodigy,
    layerwise,
    adafactor,
    muon,
    sophia,
    mars,
    soap,
)

RULES: dict[str, type[Rule]] = {
    name: rule for family in _FAMILIES for name, rule in family.RULES.items()
}
"""Every rule by the name that experiments give it, family by family."""

__all__ = ["RULES", "Averaging", "Hyper", "Panel", "Rule", "State", "Step", "Wrapping"]
