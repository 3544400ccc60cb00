"""What a rule is like: does it descend, what is it invariant to, what does a step cost."""

from __future__ import annotations

import time

import numpy as np

from adamcli.checks.bench import (
    LAYOUT,
    Bench,
    Walk,
    curvature,
    follow,
    gradients,
    start,
    walk,
)
from adamcli.checks.subject import (
    Subject,
    Verdict,
    does_not_apply,
    fails,
    learning_rates,
    passes,
    variants,
)
from adamcli.layout import Array, Layout
from adamcli.optimizers import RULES, Rule

_DESCENT_STEPS = 500
_SCALE = 1024.0  # a power of two: scaling by it rounds nothing
_SHIFT = 3.0
_ROUNDING = 1e-6  # what another order of additions may change
_HALF_OF_FLOAT32 = float(np.finfo(np.float32).eps) ** 0.5
_SAME = 1e-3  # what eps and a small initial state may change

_COST_LAYOUT = Layout.of({"W": (32, 25), "b": (200,)})
_COST_RUNS, _COST_STEPS, _COST_ROUNDS = 16, 10, 5


def descends(subject: Subject) -> Verdict:
    """The loss of a convex quadratic falls to a hundredth in 500 steps at some learning rate."""
    best, at = np.inf, 0.0
    for lr in learning_rates(subject):
        left = _left_of_loss(subject.at_rate(lr, **subject.no_decay))
        if left < best:
            best, at = left, lr
        if best < 0.01:
            return passes(f"a quadratic to {best:.0e} in 500 steps, lr {at:.3g}")
    if best < 1:
        return fails(f"a quadratic only to {best:.2g} in 500 steps, at the best lr")
    return fails("the loss of a convex quadratic rises at every lr")


def scale_invariance(subject: Subject) -> Verdict:
    """The steps are the same when every gradient is scaled by one factor."""
    rule = subject.plain()
    steps = walk(rule, gradients(), start()).updates
    scaled = walk(rule, _SCALE * gradients(), start()).updates
    off, ratio = _off(scaled, steps), float(np.abs(scaled).sum() / np.abs(steps).sum())
    if off <= _SAME:
        return passes("invariant: the same steps for g and 1024 g")
    if 0.5 < ratio < 2:
        return _open(subject, f"not quite: 1024 g changes steps by up to {100 * off:.2g} %")
    return _open(subject, f"not invariant: 1024 g moves {ratio:.4g} times as far as g")


def translation_invariance(subject: Subject) -> Verdict:
    """The steps are the same wherever the parameters are, weight decay off."""
    rule = subject.plain()
    here = walk(rule, gradients(), start()).updates
    there = walk(rule, gradients(), start() + _SHIFT).updates
    if _off(there, here) <= _ROUNDING:
        return passes("invariant: the same steps wherever theta is")
    return _open(subject, "not invariant: the steps depend on where theta is")


def sign_symmetry(subject: Subject) -> Verdict:
    """From -theta with -g a run is the mirror image of that from theta with g."""
    rule = subject.rule()
    run = walk(rule, gradients(), start()).updates
    mirrored = walk(rule, -gradients(), -start()).updates
    off = _off(-mirrored, run)
    if off > _SAME:
        return fails(f"-g from -theta is not the mirror image of g: off by {100 * off:.3g} %")
    return passes(f"-g mirrors g{f' up to {off:.0e}' if off else ', bit for bit'}")


def per_coordinate(subject: Subject) -> Verdict:
    """What one parameter does depends on its own gradient alone."""
    rule = subject.rule()
    grads = gradients()
    run = walk(rule, grads, start())
    grads[:, :, 0] *= -7
    other = walk(rule, grads, start())
    moved = (run.params != other.params).any(axis=(0, 1))  # (P,)
    if not moved[1:].any():
        return passes("yes: every parameter for itself")
    if not moved[LAYOUT.tensors[0].stop :].any():
        return _open(subject, "no: parameters of one array move together")
    return _open(subject, "no: all parameters move together")


def float32(subject: Subject) -> Verdict:
    """In float32 the steps keep at least half of their digits."""
    rule = subject.rule()
    grads, params = gradients(dtype="float32"), start(dtype="float32")
    wide = walk(rule, grads.astype(np.float64), params.astype(np.float64)).updates
    off = _off(walk(rule, grads, params).updates, wide)
    if off > _HALF_OF_FLOAT32:
        return _open(subject, f"loses digits: off by {off:.1e} of a step from float64")
    return passes(f"within {off:.0e} of a step of float64")


def huge_and_tiny(subject: Subject) -> Verdict:
    """Gradients whose squares are almost too large or too small leave everything finite."""
    for text, rule in variants(subject):
        for dtype, power in (("float64", 150), ("float32", 18)):
            for sign in (power, -power):
                grads = (np.sign(gradients()) * 10.0**sign).astype(dtype)
                run = walk(rule, grads, start(dtype=dtype), finite=False)
                if not np.isfinite(run.updates).all():
                    return fails(f"{text}not finite at gradients of 1e{sign} ({dtype})")
    return passes("finite at 1e150, 1e-150; in float32 at 1e18, 1e-18")


def weight_decay(subject: Subject) -> Verdict:
    """The decay enters in the gradient (coupled, as adam's) or beside it (decoupled, adamw's)."""
    if "weight_decay" not in subject.fields:
        return does_not_apply("it has no weight_decay")
    found = kinds_of_decay(subject)
    kind = " and ".join(found) or "of a form of its own"
    if not subject.is_adam:
        return passes(kind) if found else does_not_apply(kind)
    wanted = "decoupled" if subject.like == "adamw" else "coupled"
    return passes(kind) if wanted in found else fails(f"{kind}, should be {wanted}")


def kinds_of_decay(subject: Subject) -> list[str]:
    """Every form of weight decay that explains the steps; several where they are the same."""
    decay = 0.1
    rule, free = subject.plain(weight_decay=decay), subject.plain()
    shrink = rule.lr * decay
    run = walk(rule, gradients(), start())
    theta = run.params[:-1]
    bare = walk(free, gradients(), start()).updates
    forms = {
        "without effect": bare,
        "decoupled": bare - shrink * theta,
        "coupled": _with_penalty(free, decay).updates,
        "decoupled, after the move": bare - shrink * (theta + bare),
        "proximal": (bare - shrink * theta) / (1 + shrink),
    }
    return [name for name, expected in forms.items() if _off(run.updates, expected) < 1e-9]


def cost_per_step(subject: Subject) -> Verdict:
    """The time of a step against that of Adam."""
    runs = 1 if subject.alone else _COST_RUNS
    times = [
        [_seconds(rule, runs) for rule in (RULES["adam"](), subject.rule())]
        for _ in range(_COST_ROUNDS)
    ]
    adam, mine = (min(column) for column in zip(*times, strict=True))
    each = f"{1e6 * mine / runs:.3g} us per {_COST_LAYOUT.size} parameters"
    return passes(f"{mine / adam:.1f} times Adam: {each}")


def _open(subject: Subject, text: str) -> Verdict:
    """A property that the rule has not got: wrong only if it claims to be Adam."""
    return fails(f"{text}, unlike {subject.like}") if subject.is_adam else does_not_apply(text)


def _off(updates: Array, expected: Array) -> float:
    """The largest difference between updates, relative to the largest update; NaN is infinite."""
    off = np.abs(updates - expected).max() / np.abs(expected).max()
    return float(off) if np.isfinite(off) else np.inf


def _left_of_loss(rule: Rule) -> float:
    """The loss of the quadratic after 500 steps by its loss before, of the worst row."""
    scale = curvature()
    run = follow(rule, lambda x: scale * x, start(), _DESCENT_STEPS, finite=False)
    with np.errstate(all="ignore"):
        losses = (scale * run.params[[0, -1]] ** 2).sum(axis=2)  # (2, R)
        left = float((losses[1] / losses[0]).max())
    return left if np.isfinite(left) else np.inf


def _with_penalty(rule: Rule, decay: float) -> Walk:
    """A walk whose gradients have the gradient of decay |theta|^2 / 2 added."""
    given = gradients()
    rest = iter(given)
    return follow(rule, lambda params: next(rest) + decay * params, start(), len(given))


def _seconds(rule: Rule, runs: int) -> float:
    """The time of one step, the rule's alone."""
    params = np.ones((runs, _COST_LAYOUT.size))
    bench = Bench(rule, params, _COST_LAYOUT)
    grads = np.linspace(-1, 1, params.size).reshape(params.shape)
    bench.update(grads)
    begin = time.perf_counter()
    with np.errstate(all="ignore"):
        for bench.at.t in range(2, _COST_STEPS + 2):
            rule.update(bench.grads, bench.state, bench.at)
    return (time.perf_counter() - begin) / _COST_STEPS
