"""Muon: the velocity of a matrix, turned into the nearest orthogonal matrix."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from adamcli.layout import Array, Layout, Tensor
from adamcli.optimizers import fields
from adamcli.optimizers.adam import AdamW
from adamcli.optimizers.arrays import alone, norms, room
from adamcli.optimizers.nadam import NAdam
from adamcli.optimizers.passes import average, coefficient, correction, less_decay, scale, zeros
from adamcli.optimizers.rule import Hyper, Panel, Rule, State, Step
from adamcli.settings import setting

_QUINTIC = (3.4445, -4.7750, 2.0315)
"""Jordan's coefficients: the steepest slope at zero that still ends between 0.7 and 1.2."""


@dataclass(frozen=True, kw_only=True)
class Muon:
    """Muon: steps of matrices whose singular values are all about 1; AdamW for vectors.

    Rule:    matrices: m_t = momentum m_(t-1) + (1 - momentum) grad
             u_t = (1 - momentum) grad + momentum m_t; m_t without nesterov
             X = u_t / max(|u_t|, eps)
             `steps` times: A = X X',  X = (a + b A + c A A) X
             (X transposed meanwhile where it has more rows than columns)
             update = -lr (k X + weight_decay theta)
             scale original: k = sqrt(max(1, rows / columns))
             scale match_rms_adamw: k = 0.2 sqrt(max(rows, columns))
             scale width: k = sqrt(max(1, columns / rows)); none: k = 1
             other arrays: adamw with other_beta1, other_beta2, other_eps,
             other_weight_decay and other_lr (null: lr), which follows the schedule
    Slots:   m, (R, P), the velocity of a matrix, the first moment of other arrays; v, (R, P),
             the second moment of other arrays, zero for matrices; both zero at the start.
             gain, (R, T), the norm of k X per norm of u_t of a matrix, zero for other arrays:
             lr times it is the effective learning rate of the matrix as a whole
    Source:  Jordan, Jin, Boza, You, Cesista, Newhouse and Bernstein, Muon: An optimizer for
             hidden layers in neural networks, 2024, kellerjordan.github.io/posts/muon;
             match_rms_adamw: Liu et al., Muon is Scalable for LLM Training, 2025,
             arXiv:2502.16982. As torch.optim.Muon, in the precision of the run where torch
             rounds to bfloat16, and with an AdamW beside it, as both sources advise; they
             would give it the first and the last matrix too, here all matrices are Muon's.
    Forks:   norm add divides by |u_t| + eps, as Jordan and optax. bias_correction is optax's:
             the average m is corrected, to the next step with nesterov. A layer's matrix has
             a row per input here, as in optax, and per output in torch: there scale original
             does to a layer what width does here. other nadam, in its simple form and
             with decoupled decay, is what optax has in place of AdamW when nesterov is on.
    Use:     for hidden layers of large networks; it costs a few products of matrices more
             than adamw.
    """

    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("gradient and velocity", ("grad", "m")),
        Panel("second moment, of vectors", ("v",)),
        Panel("update", ("update",)),
        Panel("effective learning rate", ("effective_lr",)),
    )

    lr: Hyper = fields.lr(1e-3, 1e-3, 1e-1)
    momentum: Hyper = fields.momentum(0.95)
    nesterov: bool = setting(True, "look one step ahead of the velocity")
    bias_correction: bool = setting(False, "divide the velocity by 1 - momentum^t")
    steps: int = setting(5, "iterations of Newton and Schulz", ge=1, le=99)
    coefficients: tuple[float, ...] = setting(
        _QUINTIC, "a, b, c of the iteration", kind=float, many=True, count=3, stacks=False
    )
    eps: Hyper = setting(1e-7, "keeps the first norm from zero; see norm", gt=0)
    norm: str = setting(
        "clamp", "eps bounds the first norm (clamp) or adds to it (add)", choices=("clamp", "add")
    )
    scale: str = setting(
        "original",
        "the factor k by the shape of the matrix",
        choices=("original", "match_rms_adamw", "width", "none"),
    )
    weight_decay: Hyper = fields.decay(0.1)
    other: str = setting("adamw", "the rule of other arrays", choices=("adamw", "nadam"))
    other_lr: Hyper = setting(
        None, "lr of other arrays; null for lr itself", kind=float, gt=0, optional=True
    )
    other_beta1: Hyper = setting(0.9, "beta1 of other arrays", ge=0, lt=1)
    other_beta2: Hyper = setting(0.999, "beta2 of other arrays", ge=0, lt=1)
    other_eps: Hyper = setting(1e-8, "eps of other arrays", ge=0)
    other_weight_decay: Hyper = setting(0.01, "decoupled decay of other arrays", ge=0)

    def init(self, params: Array, layout: Layout) -> State:
        """The velocity at rest, both moments zero."""
        gains = np.zeros((len(params), len(layout.tensors)), params.dtype)
        return zeros(params, "m", "v") | {"gain": gains}

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        other = self._other()
        for k, tensor in enumerate(step.layout.tensors):
            mine = alone(tensor, grads, state, step)
            if len(tensor.shape) == 2:
                state["gain"][:, [k]] = self._move_matrix(tensor, *mine)
            else:
                mine[-1].lr = self._lr_of_others(step.lr)
                other.update(*mine)
        return step.out

    def _other(self) -> AdamW | NAdam:
        """The rule of the arrays that are no matrices."""
        settings = {
            "beta1": self.other_beta1,
            "beta2": self.other_beta2,
            "eps": self.other_eps,
            "weight_decay": self.other_weight_decay,
        }
        if self.other == "nadam":
            return NAdam(form="simple", decoupled=True, **settings)
        return AdamW(**settings)

    def _lr_of_others(self, lr: Hyper) -> Hyper:
        """Its learning rate in a step of learning rate `lr`."""
        return lr if self.other_lr is None else self.other_lr * (lr / self.lr)

    def _move_matrix(self, tensor: Tensor, grads: Array, state: State, step: Step) -> Array:
        """step.out <- the update of a matrix that is alone, (R, I J); returns its gain, (R, 1)."""
        average(state["m"], grads, self.momentum, scratch=step.out)
        direction = self._direction(grads, state["m"], step)
        length = norms(direction, step.layout, scratch=step.spare)
        np.divide(direction, self._bound(length), out=direction)
        matrix = step.layout.view(direction, tensor.name)
        orthogonalize(matrix, self.steps, self.coefficients, step.spare, step.extra)
        factor = self._factor(*tensor.shape)
        turned = factor * norms(direction, step.layout, scratch=step.spare)
        scale(direction, -step.lr * factor, out=direction)
        less_decay(direction, self.weight_decay, step)
        return np.divide(turned, length, out=np.ones_like(length), where=length > 0)

    def _direction(self, grads: Array, m: Array, step: Step) -> Array:
        """The velocity, ahead of itself with `nesterov`; in `step.out`."""
        now: Hyper = 1.0
        ahead: Hyper = 1.0
        if self.bias_correction:
            now = correction(self.momentum, step.t)
            ahead = correction(self.momentum, step.t + 1)
        if not self.nesterov:
            return scale(m, 1 / now, out=step.out)
        scale(grads, (1 - self.momentum) / now, out=step.spare)
        scale(m, self.momentum / ahead, out=step.out)
        return np.add(step.out, step.spare, out=step.out)

    def _bound(self, length: Array) -> Array:
        """A bound on the largest singular value of matrices of these norms, (R, 1)."""
        eps = coefficient(self.eps, length)
        return length + eps if self.norm == "add" else np.maximum(length, eps)

    def _factor(self, rows: int, columns: int) -> float:
        """The factor k of a matrix."""
        factors = {
            "original": math.sqrt(max(1, rows / columns)),
            "match_rms_adamw": 0.2 * math.sqrt(max(rows, columns)),
            "width": math.sqrt(max(1, columns / rows)),
            "none": 1.0,
        }
        return factors[self.scale]

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """The effective learning rate: that of adamw, or of the matrix as a whole."""
        other = self._other().trace(series, self._lr_of_others(lr), t)["effective_lr"]
        gain = series["gain"]
        return {"effective_lr": np.where(gain > 0, lr * gain, other)}


def orthogonalize(
    matrices: Array, steps: int, coefficients: tuple[float, ...], spare: Array, extra: Array
) -> None:
    """Keep the singular vectors of matrices and move their singular values to about 1, in place.

    One iteration turns every singular value s into a s + b s^3 + c s^5, with nothing but
    products: X becomes (a + b A + c A^2) X where A = X X', or X (...) of A = X' X if X has
    more rows than columns.

    Args:
        matrices: (R, I, J), singular values at most 1.
        steps: how many iterations.
        coefficients: a, b, c.
        spare, extra: (R, I J), scratch; a new array costs more than a product here.
    """
    a, b, c = coefficients
    runs, rows, columns = matrices.shape
    tall, side = rows > columns, min(rows, columns)
    turned, product = room(spare, runs, columns, rows), room(extra, runs, rows, columns)
    polynomial, gram = (room(scratch, runs, side, side) for scratch in (spare, extra))
    diagonal = polynomial.reshape(runs, -1)[:, :: side + 1]
    for _ in range(steps):
        # Copied, since NumPy takes a slow path for an array times itself transposed.
        np.copyto(turned, matrices.transpose(0, 2, 1))
        np.matmul(turned if tall else matrices, matrices if tall else turned, out=gram)
        np.matmul(gram, gram, out=polynomial)
        scale(polynomial, c, out=polynomial)
        np.add(polynomial, scale(gram, b, out=gram), out=polynomial)
        np.add(diagonal, a, out=diagonal)
        left, right = (matrices, polynomial) if tall else (polynomial, matrices)
        np.copyto(matrices, np.matmul(left, right, out=product))


RULES: dict[str, type[Rule]] = {"muon": Muon}
