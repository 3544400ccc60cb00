"""What every rule owes the training loop, whatever it computes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

import numpy as np

from adamcli.checks.bench import (
    LAYOUT,
    ROWS,
    Bench,
    ContractError,
    Walk,
    gradients,
    start,
    walk,
)
from adamcli.checks.subject import (
    Subject,
    Verdict,
    columns,
    does_not_apply,
    fails,
    passes,
    variants,
)
from adamcli.checks.world import world
from adamcli.layout import Array
from adamcli.optimizers import Rule, State
from adamcli.training import stacked

DTYPES = ("float64", "float32")


def shapes_and_dtypes(subject: Subject) -> Verdict:
    """The update and the slots have the shape and the dtype of the parameters."""
    tried = 0
    for text, rule in _tried(subject):
        for dtype in DTYPES:
            try:
                walk(rule, gradients(dtype=dtype), start(dtype=dtype))
            except ContractError as error:
                return fails(f"{text}{error}")
            tried += 1
    return passes(f"right in {tried} settings and dtypes")


def inputs_untouched(subject: Subject) -> Verdict:
    """Gradient, parameters and the state of Python and NumPy are as they were."""
    for text, rule in variants(subject):
        before = world()
        bench = Bench(rule, start())
        faults = [*_changed(bench, bench.grads, start()), *_borrowed(bench, "init")]
        for grads in gradients():
            params = bench.params.copy()
            update = bench.update(grads)
            faults += [*_changed(bench, grads, params), *_borrowed(bench, "update")]
            bench.params[...] = params + update
        faults += [f"{name} is changed" for name, was in before.items() if world()[name] != was]
        if faults:
            return fails(f"{text}{faults[0]}")
    return passes("gradient, parameters, NumPy's and Python's state")


def deterministic(subject: Subject) -> Verdict:
    """A run again, in turn with another, or taken up from its slots halfway has the same bits."""
    for text, rule in variants(subject):
        first, again = (walk(rule, gradients(), start()) for _ in range(2))
        if not _equal(first, again):
            return fails(f"{text}the same run again gives other numbers")
        if not np.array_equal(_in_turn(rule), first.params[-1], equal_nan=True):
            return fails(f"{text}two runs in turn mix: it keeps state outside its slots")
        if not all(np.array_equal(*_second_half(rule, dtype), equal_nan=True) for dtype in DTYPES):
            return fails(f"{text}a copy of its slots leads elsewhere: it keeps state outside them")
    return passes("the same bits again, in turn and taken up halfway")


def rows_independent(subject: Subject) -> Verdict:
    """A row has the same bits alone and stacked, also when every row has other settings."""
    if subject.alone:
        return does_not_apply("takes one run at a time (alone = True)")
    for dtype in DTYPES:
        for text, rule in variants(subject):
            if row := _first_unlike([rule] * ROWS, rule, dtype):
                return fails(f"{text}row {row} differs alone and stacked ({dtype})")
        rules = columns(subject, ROWS) if subject.takes_columns else []
        if rules and (row := _first_unlike(rules, stacked(rules), dtype)):
            return fails(f"with other settings per row, row {row} differs alone ({dtype})")
    columns_too = ", with columns too" if subject.takes_columns else ""
    return passes(f"the same bits alone and stacked{columns_too}")


def learning_rate(subject: Subject) -> Verdict:
    """The update uses the learning rate of the step, to which a schedule was applied."""
    rule = subject.rule()
    lr: float = rule.lr
    whole = walk(rule, gradients(), start())
    halved = walk(rule, gradients(), start(), lr=lr / 2)
    if _equal(whole, halved):
        return _without_schedule(subject, lr)
    anew = walk(subject.at_rate(lr / 2), gradients(), start())
    if np.allclose(halved.updates, anew.updates, rtol=1e-9, atol=0):
        return passes("that of the step, so schedules and sweeps work")
    return does_not_apply("part of lr acts from the start, beyond a schedule")


def zero_state(subject: Subject) -> Verdict:
    """Every slot is zero after `init`, the same each time, and an array of its own."""
    params = start()
    _leave_garbage(params)
    first = subject.rule().init(params, LAYOUT)
    again = subject.rule().init(params, LAYOUT)
    for name, slot in first.items():
        if not np.array_equal(slot, again[name]) or not np.isfinite(slot).all():
            return fails(f"slot {name} is not the same after each init: is it np.empty?")
        if slot.size and np.shares_memory(slot, again[name]):
            return fails(f"slot {name} is shared between runs")
    return _zeros(subject, first, params)


def zero_gradient(subject: Subject) -> Verdict:
    """Without a gradient nothing moves, and nothing becomes NaN."""
    still, moving = np.zeros_like(gradients()), gradients()
    moving[3:] = 0
    for text, rule in variants(subject):
        origin = walk(rule, still, np.zeros_like(start()), finite=False)
        later = walk(rule, moving, start(), finite=False)
        if not (np.isfinite(origin.params).all() and np.isfinite(later.params).all()):
            return fails(f"{text}a gradient of 0 makes it {_bad(origin, later)}")
    rule = subject.plain()
    moved = float(np.abs(walk(rule, still, start()).updates).max() / rule.lr)
    if moved > 1e-3:
        return fails(f"moves {moved:.3g} lr without a gradient")
    return passes(f"drifts by {moved:.2g} lr, else stays" if moved else "stays where it is")


def _tried(subject: Subject) -> Iterator[tuple[str, Rule]]:
    """The rule in its variants and, where it must take them, with columns."""
    yield from variants(subject)
    if subject.takes_columns and not subject.alone:
        yield "with other settings per row: ", stacked(columns(subject, ROWS))


def _changed(bench: Bench, grads: Array, params: Array) -> list[str]:
    """What an update has written to that was not its own."""
    kept = {"the gradient": (bench.grads, grads), "theta": (bench.params, params)}
    return [
        f"it writes to {name}"
        for name, (now, before) in kept.items()
        if not np.array_equal(now, before, equal_nan=True)
    ]


def _borrowed(bench: Bench, by: str) -> list[str]:
    """Slots that are arrays of the training loop, which it will overwrite."""
    lent = {"theta": bench.params, "the gradient": bench.grads, **bench.scratch}
    return [
        f"after {by} slot {name} is the array of {what}, which changes: copy it"
        for name, slot in bench.state.items()
        for what, array in lent.items()
        if np.shares_memory(slot, array)
    ]


def _in_turn(rule: Rule) -> Array:
    """The parameters of a run that another one, from elsewhere, took turns with."""
    one, other = Bench(rule, start()), Bench(rule, -3 * start())
    for grads in gradients():
        one.step(grads)
        other.step(-2 * grads)
    return one.params


def _second_half(rule: Rule, dtype: str) -> tuple[Array, Array]:
    """The updates of the second half of a run, and those of another run that takes it up."""
    grads, half = gradients(dtype=dtype), len(gradients()) // 2
    first = Bench(rule, start(dtype=dtype))
    for each in grads[:half]:
        first.step(each)
    params = first.params.copy()
    slots = {name: slot.copy(order="K") for name, slot in first.state.items()}
    whole = [first.step(each) for each in grads[half:]]
    second = Bench(dataclasses.replace(rule), start(dtype=dtype))  # type: ignore[type-var]
    second.params[...] = params
    second.state.update(slots)
    second.at.t = half
    return np.array(whole), np.array([second.step(each) for each in grads[half:]])


def _first_unlike(rules: Sequence[Rule], together: Rule, dtype: str) -> int:
    """The first row, from 1, whose bits differ alone and stacked; 0 if there is none."""
    grads, params = gradients(dtype=dtype), start(dtype=dtype)
    stack = walk(together, grads, params)
    for row, rule in enumerate(rules):
        here = slice(row, row + 1)
        alone = walk(rule, grads[:, here], params[here])
        if not np.array_equal(stack.params[:, here], alone.params, equal_nan=True):
            return row + 1
    return 0


def _equal(one: Walk, other: Walk) -> bool:
    """Whether two walks have the same bits."""
    return np.array_equal(one.updates, other.updates, equal_nan=True)


def _without_schedule(subject: Subject, lr: float) -> Verdict:
    """Why a rule does not follow the learning rate of the step."""
    bench, params = Bench(subject.rule(), start()), start()
    bench.rule = subject.rule(lr=lr / 2)  # after init: only its updates see this lr
    updates = np.array([bench.step(grads, lr) for grads in gradients()])
    if not np.array_equal(updates, walk(subject.rule(), gradients(), params).updates):
        return fails("it uses its own lr, not step.lr: schedules have no effect")
    return does_not_apply("lr acts at the start only: schedules have no effect")


def _leave_garbage(like: Array) -> None:
    """Let freed memory hold NaN, so that an array that is not filled shows it."""
    garbage = [np.full_like(like, np.nan) for _ in range(64)]
    garbage.clear()


def _zeros(subject: Subject, state: State, params: Array) -> Verdict:
    """Which slots are not zero at the start."""
    parts = []
    for name, slot in state.items():
        if slot.shape == params.shape and np.array_equal(slot, params):
            parts.append(f"{name} is theta")
        elif slot.any():
            parts.append(f"{name} is {np.ravel(slot)[np.argmax(slot != 0)]:.3g}")
    if not parts:
        return passes(f"{', '.join(state)} zero" if state else "there is no state")
    text = f"at the start {', '.join(parts)}"
    return fails(text) if subject.is_adam else does_not_apply(text)


def _bad(*walks: Walk) -> str:
    """NaN or infinite, whichever comes first in some walks."""
    bad = next(w.params for w in walks if not np.isfinite(w.params).all())
    return "NaN" if np.isnan(bad).any() else "infinite"
