"""Adafactor: a second moment that a matrix keeps as one number per row and per column."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from adamcli.layout import Array, Layout
from adamcli.optimizers import fields
from adamcli.optimizers.arrays import lifted, matrices, root_mean_squares, spread
from adamcli.optimizers.passes import average, coefficient, less_decay, power, scale, zeros
from adamcli.optimizers.rule import Hyper, Panel, Rule, State, Step
from adamcli.settings import setting


@dataclass(frozen=True, kw_only=True)
class Adafactor:
    """Adafactor: steps relative to the weights, the second moment of a matrix factored.

    Rule:    a_t = t^beta2_decay, the weight of the newest square
             matrices: r_t = r_(t-1) + a_t (mean of grad^2 over each row - r_(t-1))
             c_t the same over each column
             v_t = r_t c_t / max(mean of r_t, eps1)
             other arrays: v_t = v_(t-1) + a_t (grad^2 - v_(t-1))
             u_t = grad / sqrt(max(v_t, eps1^2))
             with RMS the root mean square of an array:
             rho_t = min(lr, 1 / sqrt(t)) / max(1, RMS(u_t) / clip)
             alpha_t = max(eps2, RMS(theta)) rho_t
             update = -alpha_t u_t - lr weight_decay theta
    Slots:   v, the second moment, (R, P), for matrices made of two slots of their own,
             `rows NAME`, (R, I, 1), and `columns NAME`, (R, 1, J), of an (I, J) matrix; alpha,
             the step length of each array, (R, T). All zero at the start; a_1 = 1 needs no
             correction. A program short of memory would not keep v of a matrix; here it is
             kept to be looked at.
    Source:  Shazeer and Stern, Adafactor: Adaptive Learning Rates with Sublinear Memory Cost,
             2018, arXiv:1804.04235, algorithms 4 and 5. As torch.optim.Adafactor.
    Forks:   the paper and optax.adafactor add eps1 to grad^2 instead of bounding v and have
             a momentum; optax multiplies neither the decay by lr nor lr by 1 / sqrt(t).
             These are not offered: they change every line, so it would be a second rule.
             eps1 null is the machine epsilon, as in torch.
    Use:     for large models where memory for a second moment is short; lr is relative to
             the weights.
    """

    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("gradient", ("grad",)),
        Panel("second moment", ("v",)),
        Panel("step length of the array", ("alpha",)),
        Panel("effective learning rate", ("effective_lr",)),
    )

    lr: Hyper = fields.lr(1e-2, 1e-3, 1.0, "largest step length per RMS of the weights")
    beta2_decay: Hyper = setting(-0.8, "power of t that weighs the newest square", le=0)
    eps1: Hyper = setting(
        None,
        "keeps divisions finite; null for the machine epsilon",
        kind=float, gt=0, optional=True,
    )  # fmt: skip
    eps2: Hyper = setting(1e-3, "least RMS that the weights are taken to have", ge=0)
    clip: Hyper = setting(1.0, "largest RMS of a direction (d in the paper)", ge=1)
    weight_decay: Hyper = fields.decay()

    def init(self, params: Array, layout: Layout) -> State:
        """Every second moment zero."""
        state = zeros(params, "v")
        state["alpha"] = np.zeros((len(params), len(layout.tensors)), params.dtype)
        for tensor in matrices(layout):
            rows, columns = tensor.shape
            state[f"rows {tensor.name}"] = np.zeros((len(params), rows, 1), params.dtype)
            state[f"columns {tensor.name}"] = np.zeros((len(params), 1, columns), params.dtype)
        return state

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        epsilon = float(np.finfo(grads.dtype).eps) if self.eps1 is None else self.eps1
        self._move_second_moment(grads, state, step, epsilon)
        floor = coefficient(epsilon * epsilon, grads)
        np.sqrt(np.maximum(state["v"], floor, out=step.out), out=step.out)
        direction = np.divide(grads, step.out, out=step.out)
        self._measure(direction, state["alpha"], step)
        lengths = spread(-state["alpha"], step.layout, out=step.spare)
        update = np.multiply(direction, lengths, out=direction)
        return less_decay(update, self.weight_decay, step)

    def _move_second_moment(self, grads: Array, state: State, step: Step, epsilon: Hyper) -> None:
        """The slot v and its factors see a gradient; uses `step.out` and `step.spare`."""
        kept = 1 - power(step.t, self.beta2_decay)
        squares = np.multiply(grads, grads, out=step.spare)
        average(state["v"], squares, kept, scratch=step.out)
        for tensor in matrices(step.layout):
            rows, columns = (state[f"{what} {tensor.name}"] for what in ("rows", "columns"))
            _average_factors(rows, columns, step.layout.view(squares, tensor.name), kept)
            mean = rows[:, :, 0].mean(axis=1)[:, None, None]
            share = rows / np.maximum(mean, coefficient(lifted(epsilon), rows))
            np.multiply(share, columns, out=step.layout.view(state["v"], tensor.name))

    def _measure(self, direction: Array, alpha: Array, step: Step) -> None:
        """alpha <- the step length of every array, (R, T); uses `step.spare`."""
        weights = root_mean_squares(step.params, step.layout, scratch=step.spare)
        size = root_mean_squares(direction, step.layout, scratch=step.spare)
        np.maximum(weights, coefficient(self.eps2, weights), out=weights)
        scale(weights, _at_most(step.lr, 1 / math.sqrt(step.t)), out=weights)
        excess = np.maximum(size / coefficient(self.clip, size), 1)
        np.divide(weights, excess, out=alpha)

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """The effective learning rate: alpha over the root of v."""
        v = series["v"]
        floor = np.finfo(v.dtype).eps if self.eps1 is None else self.eps1
        return {"effective_lr": series["alpha"] / np.sqrt(np.maximum(v, floor**2))}


def _at_most(value: Hyper, limit: float) -> Hyper:
    """The lesser of a hyperparameter and a number."""
    return np.minimum(value, limit) if isinstance(value, np.ndarray) else min(value, limit)


def _average_factors(rows: Array, columns: Array, squares: Array, kept: Hyper) -> None:
    """The factors of matrices, (R, I, 1) and (R, 1, J), see their squares, (R, I, J).

    The sums are products with ones, since only a product's bits do not depend on R.
    """
    count_rows, count_columns = squares.shape[1:]
    of_rows = squares @ np.full((count_columns, 1), 1 / count_columns, squares.dtype)
    of_columns = np.full((1, count_rows), 1 / count_rows, squares.dtype) @ squares
    for factor, means in ((rows, of_rows), (columns, of_columns)):
        average(factor, means, lifted(kept), scratch=means)


RULES: dict[str, type[Rule]] = {"adafactor": Adafactor}
