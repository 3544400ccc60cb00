"""A rule at work on a few rows, driven as the training loop drives it, but less kindly.

Every array that a rule may write to holds NaN before each step, and the gradient comes in
the same array every time: a rule that reads its scratch before it writes, or keeps the
gradient's array as its state, shows it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from adamcli.layout import Array, Layout
from adamcli.optimizers import Hyper, Rule, State, Step

ROWS = 3
LAYOUT = Layout.of({"W": (3, 2), "b": (3,)})
SIZE = LAYOUT.size

Gradient = Callable[[Array], Array]
"""Of parameters (R, P): their gradient, (R, P)."""


class ContractError(Exception):
    """A rule returned what is no update or no state; the message says what."""


@dataclass(frozen=True)
class Walk:
    """What a rule did on R rows in T steps.

    Attributes:
        params: (T + 1, R, P), before the first step and after every step.
        updates: (T, R, P).
        state: the slots after the last step.
    """

    params: Array
    updates: Array
    state: State


class Bench:
    """A rule at work on rows of parameters.

    Args:
        rule: with floats or (R, 1) columns as hyperparameters.
        start: (R, P), copied.
        layout: of the P columns.

    Raises:
        ContractError: what `init` returns is no state.
    """

    def __init__(self, rule: Rule, start: Array, layout: Layout = LAYOUT) -> None:
        self.rule = rule
        self.params = start.copy()
        self.grads = np.empty_like(start)
        out, spare, extra = (np.empty_like(start) for _ in range(3))
        self.scratch = {"step.out": out, "step.spare": spare, "step.extra": extra}
        self.state = rule.init(self.params, layout)
        _check_state(self.state, self.params)
        self.at = Step(0, rule.lr, self.params, layout, out, spare, extra, self._curvature)

    def update(self, grads: Array, lr: Hyper | None = None) -> Array:
        """What the rule would add to the parameters at its next step, (R, P); they stay.

        Args:
            grads: (R, P), copied.
            lr: the learning rate of this step; that of the rule if left out.

        Raises:
            ContractError: it is no update, or the slots are no longer a state.
        """
        self.at.t += 1
        self.at.lr = self.rule.lr if lr is None else lr
        self.grads[...] = grads
        for scratch in self.scratch.values():
            scratch.fill(np.nan)
        update = self.rule.update(self.grads, self.state, self.at)
        _check_update(update, self.params)
        _check_state(self.state, self.params)
        return update

    def step(self, grads: Array, lr: Hyper | None = None) -> Array:
        """Take the next step; returns a copy of the update, (R, P)."""
        update = self.update(grads, lr).copy()
        self.params += update
        return update

    def _curvature(self) -> Array:
        """The diagonal of a Hessian, (R, P): that of the quadratic of `curvature`."""
        runs, size = self.params.shape
        return np.tile(curvature(size).astype(self.params.dtype), (runs, 1))


def walk(
    rule: Rule, grads: Array, start: Array, *, lr: Hyper | None = None, finite: bool = True
) -> Walk:
    """Let a rule take steps on given gradients.

    Args:
        rule: the rule.
        grads: (T, R, P).
        start: (R, P).
        lr: of every step; that of the rule if left out.
        finite: whether a step that is not finite is an error.

    Raises:
        ContractError: an update is no update.
    """
    given = iter(grads)
    return follow(rule, lambda params: next(given), start, len(grads), lr=lr, finite=finite)


def follow(
    rule: Rule,
    gradient: Gradient,
    start: Array,
    steps: int,
    *,
    lr: Hyper | None = None,
    finite: bool = True,
) -> Walk:
    """Let a rule take so many steps on gradients that depend on the parameters; as `walk`."""
    bench = Bench(rule, start)
    params, updates = [start.copy()], []
    for t in range(1, steps + 1):
        with np.errstate(all="ignore"):
            updates.append(bench.step(gradient(bench.params), lr))
        if finite and not np.isfinite(updates[-1]).all():
            bad = "NaN" if np.isnan(updates[-1]).any() else "infinite"
            raise ContractError(f"step {t} is {bad}, on gradients of ordinary size")
        params.append(bench.params.copy())
    return Walk(np.array(params), np.array(updates), bench.state)


def start(rows: int = ROWS, dtype: str = "float64") -> Array:
    """Parameters to start from, (R, P), of size about 1."""
    return _drawn(2, (ROWS, SIZE))[:rows].astype(dtype)


def gradients(steps: int = 8, rows: int = ROWS, dtype: str = "float64") -> Array:
    """Gradients that depend on nothing, (T, R, P): 0.05 to 20, no two columns of one scale."""
    grads = _drawn(1, (steps, ROWS, SIZE)) * np.geomspace(0.1, 10, SIZE)
    return grads[:, :rows].astype(dtype)


def curvature(size: int = SIZE) -> Array:
    """The diagonal Hessian of the quadratic that a rule must descend, (P,), 0.5 to 2."""
    return np.geomspace(0.5, 2, size)


def _drawn(seed: int, shape: tuple[int, ...]) -> Array:
    """Numbers of either sign between 0.5 and 2 in size: nothing is lost to eps."""
    rng = np.random.Generator(np.random.PCG64(seed))
    return rng.uniform(0.5, 2, shape) * rng.choice([-1.0, 1.0], shape)


def _check_update(update: object, params: Array) -> None:
    """Refuse what is not an array like the parameters."""
    if not isinstance(update, np.ndarray):
        raise ContractError(f"update returns {_kind(update)} where it must return an array")
    if update.shape != params.shape:
        wide = _broadcasts(update.shape, params.shape)
        how = ", and would silently be broadcast" if wide else ""
        raise ContractError(f"the update is {update.shape}, the parameters {params.shape}{how}")
    if update.dtype != params.dtype:
        raise ContractError(f"the update is {update.dtype}, the parameters {params.dtype}")


def _check_state(state: object, params: Array) -> None:
    """Refuse what is not a dictionary of named arrays, each with a row per run."""
    if not isinstance(state, dict):
        raise ContractError(f"init returns {_kind(state)} where it must return a dict of slots")
    for name, slot in state.items():
        if not isinstance(slot, np.ndarray):
            raise ContractError(f"slot {name} is {_kind(slot)}, not an array")
        if slot.ndim < 2 or len(slot) != len(params):
            raise ContractError(f"slot {name} is {slot.shape} where a row per run comes first")
        if slot.shape == params.shape and slot.dtype.kind == "f" and slot.dtype != params.dtype:
            raise ContractError(f"slot {name} is {slot.dtype}, the parameters {params.dtype}")


def _broadcasts(shape: tuple[int, ...], to: tuple[int, ...]) -> bool:
    """Whether NumPy would stretch one shape to another without a word."""
    try:
        return np.broadcast_shapes(shape, to) == to
    except ValueError:
        return False


def _kind(value: object) -> str:
    """What a value is, in a word."""
    return "None" if value is None else f"a {type(value).__name__}"
