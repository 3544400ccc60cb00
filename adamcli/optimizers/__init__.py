"""Optimizer rules: the registry of every rule and the interface they share.

A rule is a frozen dataclass in a file of its family; a row in `RULES` names it.
"""

from __future__ import annotations

from adamcli.optimizers.adafactor import Adafactor
from adamcli.optimizers.adam import Adam, AdaMax, AdamW, AMSGrad
from adamcli.optimizers.adaptive import AdaDelta, AdaGrad, RMSProp
from adamcli.optimizers.adopt import Adopt
from adamcli.optimizers.belief import AdaBelief, RAdam, Yogi
from adamcli.optimizers.layerwise import LAMB, LARS
from adamcli.optimizers.mars import MARS
from adamcli.optimizers.muon import Muon
from adamcli.optimizers.nadam import Adan, NAdam
from adamcli.optimizers.prodigy import Prodigy
from adamcli.optimizers.rule import Averaging, Hyper, Panel, Rule, State, Step
from adamcli.optimizers.schedulefree import ScheduleFreeAdamW, ScheduleFreeSGD
from adamcli.optimizers.sgd import SGD, SGDM, Nesterov
from adamcli.optimizers.sign import Lion, RProp, SignSGD, Signum
from adamcli.optimizers.soap import SOAP
from adamcli.optimizers.sophia import Sophia
from adamcli.optimizers.wrappers import Wrapping

RULES: dict[str, type[Rule]] = {
    "sgd": SGD,
    "sgdm": SGDM,
    "nesterov": Nesterov,
    "signsgd": SignSGD,
    "signum": Signum,
    "lion": Lion,
    "rprop": RProp,
    "adagrad": AdaGrad,
    "adadelta": AdaDelta,
    "rmsprop": RMSProp,
    "adam": Adam,
    "adamw": AdamW,
    "amsgrad": AMSGrad,
    "adamax": AdaMax,
    "nadam": NAdam,
    "adan": Adan,
    "radam": RAdam,
    "adabelief": AdaBelief,
    "yogi": Yogi,
    "adopt": Adopt,
    "schedulefree_sgd": ScheduleFreeSGD,
    "schedulefree_adamw": ScheduleFreeAdamW,
    "prodigy": Prodigy,
    "lamb": LAMB,
    "lars": LARS,
    "adafactor": Adafactor,
    "muon": Muon,
    "sophia": Sophia,
    "mars": MARS,
    "soap": SOAP,
}

__all__ = ["RULES", "Averaging", "Hyper", "Panel", "Rule", "State", "Step", "Wrapping"]
