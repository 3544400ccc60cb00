"""Hyperparameters that many rules share, each declared once: meaning, range, search space.

The search spaces are those of a network of the size that adamcli trains; the learning rate
has one per rule. Which budget tunes what follows Godbole et al., Deep Learning Tuning
Playbook, 2023: lr alone, from 10 trials momentum, from 25 eps, from 50 the second decay.
"""

from __future__ import annotations

from typing import Any

from adamcli.settings import Search, setting

_MOMENTUM = Search(0.5, 0.99, from_one=True, trials=10)
_EPS_TRIALS, _BETA2_TRIALS = 25, 50


def lr(default: float, low: float, high: float, doc: str = "learning rate") -> Any:
    """The learning rate, tuned between `low` and `high` on a log scale at any budget."""
    return setting(default, doc, gt=0, search=Search(low, high))


def momentum(
    default: float = 0.9, doc: str = "how much of the velocity is kept at each step"
) -> Any:
    """The decay of a velocity."""
    return setting(default, doc, ge=0, lt=1, search=_MOMENTUM)


def beta1(default: float = 0.9, doc: str = "decay of the first moment") -> Any:
    """The decay of the mean of the gradient."""
    return setting(default, doc, ge=0, lt=1, search=_MOMENTUM)


def interpolation(doc: str, default: float = 0.9) -> Any:
    """The weight of an average in the point where gradients are taken."""
    return setting(default, doc, gt=0, lt=1, search=_MOMENTUM)


def beta2(
    default: float = 0.999, doc: str = "decay of the second moment", *, stacks: bool = True
) -> Any:
    """The decay of the mean square of the gradient."""
    search = Search(0.9, 0.9999, from_one=True, trials=_BETA2_TRIALS)
    return setting(default, doc, ge=0, lt=1, search=search, stacks=stacks)


def eps(
    default: float = 1e-8,
    doc: str = "added to the root of the corrected second moment",
    low: float = 1e-10,
    high: float = 1e-3,
    *,
    positive: bool = False,
) -> Any:
    """The number that keeps a division finite; `positive` where zero would not."""
    search = Search(low, high, trials=_EPS_TRIALS)
    ge, gt = (None, 0) if positive else (0, None)
    return setting(default, doc, ge=ge, gt=gt, search=search)


def eps_root(
    default: float = 0.0, doc: str = "added to the corrected second moment under the root"
) -> Any:
    """What the square of a division's root has added; not tuned."""
    return setting(default, doc, ge=0)


def l2(default: float = 0.0) -> Any:
    """Coupled weight decay."""
    return setting(default, "L2 penalty, added to the gradient (coupled)", ge=0)


def decay(default: float = 0.0) -> Any:
    """Decoupled weight decay."""
    return setting(default, "decay of the parameters per unit of lr (decoupled)", ge=0)


def either_decay(default: float = 0.0) -> Any:
    """Weight decay whose form a field named `decoupled` decides."""
    return setting(default, "weight decay; `decoupled` says which kind", ge=0)


def decoupled(default: bool) -> Any:
    """Which kind of weight decay."""
    return setting(default, "weight decay beside the gradient (true) or as L2 in it (false)")
