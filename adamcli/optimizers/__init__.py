"""Optimizer rules: the registry of every rule and the interface they share.

A rule is a frozen dataclass in a file of its family; a row in `RULES` names it.
"""

from __future__ import annotations

from adamcli.optimizers.adam import Adam, AdamW
from adamcli.optimizers.rmsprop import RMSProp
from adamcli.optimizers.rule import Hyper, Panel, Rule, State, Step
from adamcli.optimizers.sgd import SGD, SGDM, Nesterov

RULES: dict[str, type[Rule]] = {
    "sgd": SGD,
    "sgdm": SGDM,
    "nesterov": Nesterov,
    "rmsprop": RMSProp,
    "adam": Adam,
    "adamw": AdamW,
}

__all__ = ["RULES", "Hyper", "Panel", "Rule", "State", "Step"]
