"""What a rule owes the formula that it claims: Adam's in closed form, or a built-in's steps.

Adam's moments are weighted sums of the gradients so far, which needs no recursion and so
shares no mistake with a rule. Three signals show one part of the formula each: a constant
gradient the corrections, a single gradient the decays, gradients as small as eps its place.
"""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np

from adamcli.checks.bench import gradients, start, walk
from adamcli.checks.subject import Subject, Verdict, built_in, fails, passes, variants
from adamcli.layout import Array
from adamcli.optimizers import Rule

_STEPS = 40
_EXACT = 1e-9  # what another order of operations may change
_EPS = 1e-3
_OTHER_BETAS = {"beta1": 0.5, "beta2": 0.9}

_FAULTS: dict[str, dict[str, Any]] = {
    "the bias correction is missing": {"correct": False},
    "the step counter is one too high": {"late": 1},
    "the step counter is one too low": {"late": -1},
    "beta1 and beta2 are swapped": {"swap": True},
    "eps is under the root": {"inside": True},
    "eps is added to the root of the raw v": {"raw": True},
}


def constant_gradient(subject: Subject) -> Verdict:
    """Under a constant gradient every step is lr long from the first on, by the correction."""
    return _follows(subject, np.ones(_STEPS), "every step is lr long, from the first on")


def single_gradient(subject: Subject) -> Verdict:
    """A single gradient fades as beta1^t / sqrt(beta2^t), corrected."""
    once = np.zeros(_STEPS)
    once[0] = 1
    return _follows(subject, once, "fades as beta1^t / sqrt(beta2^t), corrected")


def place_of_eps(subject: Subject) -> Verdict:
    """A gradient of the size of eps is divided by 2 eps: eps stands outside of the root."""
    return _follows(subject, np.full(_STEPS, _EPS), "beside the root of the corrected v", eps=_EPS)


def same_steps(subject: Subject) -> Verdict:
    """The steps are those of the built-in rule that it claims to be, in all settings."""
    other = built_in(subject.like or "")
    shared = subject.fields & other.fields
    worst = 0.0
    for text, rule in variants(subject):
        model = other.rule(**{name: getattr(rule, name) for name in shared})
        mine, theirs = (walk(each, gradients(_STEPS), start()).params for each in (rule, model))
        off = float((np.abs(mine - theirs) / np.maximum(1, np.abs(theirs))).max())
        if not off <= _EXACT:
            return fails(f"{text}off by {off:.3g} from {other.name} in {_STEPS} steps")
        worst = max(worst, off)
    close = f"to {worst:.0e}" if worst else "bit for bit"
    return passes(f"those of {other.name}, {close} in {_STEPS} steps")


def _follows(subject: Subject, signal: Array, meaning: str, **settings: float) -> Verdict:
    """Whether a rule answers a signal (T,) as Adam does, with and without correction."""
    for betas, correct in product(({}, _OTHER_BETAS), (True, False)):
        rule = subject.plain(eps_root=0.0, bias_correction=correct, **betas, **settings)
        if fault := _fault(rule, signal, _answer(rule, signal)):
            return fails(fault)
    return passes(meaning)


def _answer(rule: Rule, signal: Array) -> Array:
    """The steps of a rule on gradients +-signal, as multiples of -lr and of that sign, (T, RP)."""
    signs = np.sign(gradients(1))
    updates = walk(rule, signal[:, None, None] * signs, start()).updates
    return (updates / -rule.lr * signs).reshape(len(signal), -1)


def _fault(rule: Rule, signal: Array, answer: Array) -> str:
    """What is wrong with an answer, empty if nothing is."""
    expected = _formula(rule, signal)
    wrong = ~_close(answer, expected[:, None]).all(axis=1)
    if not wrong.any():
        return ""
    step = int(np.argmax(wrong))
    worst = int(np.argmax(np.abs(answer[step] - expected[step])))
    text = f"step {step + 1} is {_apart(answer[step, worst], expected[step])}"
    for cause, change in _FAULTS.items():
        if _close(answer, _formula(rule, signal, **change)[:, None]).all():
            return f"{text}: {cause}"
    return text


def _apart(got: float, wanted: float) -> str:
    """Two lengths in as few digits as tell them apart."""
    digits = next((n for n in range(4, 17) if f"{got:.{n}g}" != f"{wanted:.{n}g}"), 17)
    return f"{got:.{digits}g} lr long, not {wanted:.{digits}g}"


def _close(one: Array, other: Array) -> Array:
    """Whether numbers are the same but for rounding."""
    return np.isclose(one, other, rtol=_EXACT, atol=0, equal_nan=True)


def _formula(
    rule: Any,
    signal: Array,
    *,
    correct: bool = True,
    late: int = 0,
    swap: bool = False,
    inside: bool = False,
    raw: bool = False,
) -> Array:
    """m_hat / (sqrt(v_hat) + eps) of Adam on a signal (T,), or of an Adam with one fault."""
    beta1, beta2 = (rule.beta2, rule.beta1) if swap else (rule.beta1, rule.beta2)
    t = np.arange(1, len(signal) + 1)
    m, v = _weights(beta1, t) @ signal, _weights(beta2, t) @ signal**2
    correct = correct and getattr(rule, "bias_correction", True)
    with np.errstate(all="ignore"):
        c1, c2 = (1 - beta1 ** (t + late), 1 - beta2 ** (t + late)) if correct else (1.0, 1.0)
        if inside:
            return m / c1 / np.sqrt(v / c2 + rule.eps)
        return m / c1 / (np.sqrt(v / c2) + rule.eps / np.sqrt(c2 if raw else 1.0))


def _weights(beta: float, t: Array) -> Array:
    """What the gradient of step i weighs in an average at step t: (1 - beta) beta^(t - i)."""
    age = t[:, None] - t
    return np.where(age < 0, 0.0, (1 - beta) * beta ** np.maximum(age, 0))
