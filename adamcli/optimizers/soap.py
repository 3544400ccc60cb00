"""SOAP: Adam in the coordinates in which the gradient's rows and columns are uncorrelated."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from adamcli.layout import Array, Layout
from adamcli.optimizers import fields
from adamcli.optimizers.arrays import lifted, matrices
from adamcli.optimizers.passes import (
    average,
    average_square,
    correction,
    divide_by_root,
    is_zero,
    root,
    scale,
    zeros,
)
from adamcli.optimizers.rule import Hyper, Panel, Rule, State, Step
from adamcli.settings import setting

_SIDES = ("left", "right")


@dataclass(frozen=True, kw_only=True)
class SOAP:
    """SOAP: Adam for matrices in the eigenbasis of their Shampoo preconditioner.

    Rule:    a matrix gradient G has L_t = b L_(t-1) + (1 - b) G G'
             and R_t = b R_(t-1) + (1 - b) G' G,  b = shampoo_beta or beta2
             t = 1 moves nothing; Q_L, Q_R = the eigenvectors of L_1, R_1
             t > 1, with k = t - 1 (vectors: with Q_L = Q_R = 1):
             m_t = beta1 m_(t-1) + (1 - beta1) grad
             v_t = beta2 v_(t-1) + (1 - beta2) (Q_L' grad Q_R)^2
             s = lr sqrt(1 - beta2^k) / (1 - beta1^k); lr without correct_bias
             move = -s Q_L (Q_L' m_t Q_R / (sqrt(v_t) + eps)) Q_R'
             update = move - lr weight_decay (theta + move)
             if k is a multiple of `every`, the same for Q_L and for Q_R:
             columns q sorted by q' L_t q, falling, and rows of v_t with them
             Q_L <- the orthogonal factor of L_t Q_L
    Slots:   m, the first moment, and v, the second one in the turned coordinates, (R, P).
             Of an (I, J) matrix: `left NAME`, L, and `left basis NAME`, Q_L, (R, I, I);
             `right NAME`, R, and `right basis NAME`, Q_R, (R, J, J). All zero at the start
    Source:  Vyas, Morwani, Zhao et al., SOAP: Improving and Stabilizing Shampoo using Adam,
             2024, arXiv:2409.11321, algorithms 3 and 4. As the authors' code,
             nikhilvyas/SOAP, whose first step only measures; where that finds the eigenvectors
             in float32, here they are of the precision of the run.
    Forks:   eps is added to the root of the raw v, where adam adds it to that of the corrected
             one, and the decay comes after the move, as in the authors' code. Its options
             to merge dimensions, to turn vectors and to leave large sides alone are not
             offered.
    Use:     where steps are dear and matrices of moderate size: the products and bases cost
             several times adam's step. Nearly singular L or R leave the basis open, and then
             the last bits of a gradient decide the course.
    """

    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("first moment", ("m",)),
        Panel("second moment, turned", ("v",)),
        Panel("update", ("update",)),
        Panel("effective learning rate, turned", ("effective_lr",)),
    )

    lr: Hyper = fields.lr(3e-3, 1e-4, 1e-1)
    beta1: Hyper = fields.beta1(0.95)
    beta2: Hyper = fields.beta2(0.95)
    shampoo_beta: Hyper = setting(
        None, "decay of L and R; null for beta2", kind=float, ge=0, lt=1, optional=True
    )
    eps: Hyper = fields.eps(1e-8, "added to the root of the second moment")
    every: int = setting(10, "steps between two improvements of the bases", ge=1)
    correct_bias: bool = setting(True, "divide the moments by 1 - beta^k")
    weight_decay: Hyper = fields.decay(0.01)

    def init(self, params: Array, layout: Layout) -> State:
        """Everything zero; the first step finds the bases."""
        state = zeros(params, "m", "v")
        for tensor in matrices(layout):
            for side, size in zip(_SIDES, tensor.shape, strict=True):
                for name in (side, f"{side} basis"):
                    square = (len(params), size, size)
                    state[f"{name} {tensor.name}"] = np.zeros(square, params.dtype)
        return state

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        if step.t == 1:
            self._observe(grads, state, step)
            _find_bases(state, step.layout)
            step.out.fill(0)
            return step.out
        update = self._decayed(self._move(grads, state, step), step)
        self._observe(grads, state, step)
        if (step.t - 1) % self.every == 0:
            _improve_bases(state, step.layout)
        return update

    def _move(self, grads: Array, state: State, step: Step) -> Array:
        """The update without decay, in `step.out`."""
        average(state["m"], grads, self.beta1, scratch=step.out)
        turned = _turned(grads, state, step.layout, out=step.extra)
        average_square(state["v"], turned, self.beta2, scratch=step.out)
        m = _turned(state["m"], state, step.layout, out=step.extra)
        direction = divide_by_root(m, state["v"], self.eps, out=step.spare)
        update = _turned(direction, state, step.layout, out=step.out, back=True)
        return scale(update, -self._length(step.lr, step.t - 1), out=update)

    def _length(self, lr: Hyper, k: int) -> Hyper:
        """The factor s of the k-th move."""
        if not self.correct_bias:
            return lr
        return lr * root(correction(self.beta2, k)) / correction(self.beta1, k)

    def _decayed(self, update: Array, step: Step) -> Array:
        """update <- update - lr weight_decay (theta + update): the decay of what is reached."""
        if is_zero(self.weight_decay):
            return update
        decay = np.add(step.params, update, out=step.spare)
        scale(decay, step.lr * self.weight_decay, out=decay)
        return np.subtract(update, decay, out=update)

    def _observe(self, grads: Array, state: State, step: Step) -> None:
        """L and R of every matrix see a gradient."""
        beta = self.beta2 if self.shampoo_beta is None else self.shampoo_beta
        for tensor in matrices(step.layout):
            gradient = np.ascontiguousarray(step.layout.view(grads, tensor.name))
            across = gradient.transpose(0, 2, 1).copy()
            pairs = ((gradient, across), (across, gradient))
            for side, (one, other) in zip(_SIDES, pairs, strict=True):
                products = one @ other
                average(state[f"{side} {tensor.name}"], products, lifted(beta), scratch=products)

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """The effective learning rate of the turned coordinate in a parameter's place."""
        k = np.maximum(t - 1, 1)
        length = lr
        if self.correct_bias:
            length = lr * np.sqrt(1 - self.beta2**k) / (1 - self.beta1**k)
        return {"effective_lr": np.where(t > 1, length, 0) / (np.sqrt(series["v"]) + self.eps)}


def _turned(values: Array, state: State, layout: Layout, out: Array, back: bool = False) -> Array:
    """out <- values (R, P), every matrix in the coordinates of its bases, or back from them."""
    np.copyto(out, values)
    for tensor in matrices(layout):
        left, right = (state[f"{side} basis {tensor.name}"] for side in _SIDES)
        if back:
            right = right.transpose(0, 2, 1)
        else:
            left = left.transpose(0, 2, 1)
        np.matmul(left @ layout.view(values, tensor.name), right, out=layout.view(out, tensor.name))
    return out


def _find_bases(state: State, layout: Layout) -> None:
    """The eigenvectors of every L and R, those of the largest eigenvalues first."""
    for tensor in matrices(layout):
        for side in _SIDES:
            # A run whose gradient is not finite must not stop the others with an exception.
            finite = np.nan_to_num(state[f"{side} {tensor.name}"], posinf=0, neginf=0)
            vectors = np.linalg.eigh(finite).eigenvectors
            np.copyto(state[f"{side} basis {tensor.name}"], vectors[:, :, ::-1])


def _improve_bases(state: State, layout: Layout) -> None:
    """One power iteration of every basis; v follows the order of its vectors."""
    for tensor in matrices(layout):
        v = layout.view(state["v"], tensor.name)
        for axis, side in enumerate(_SIDES, start=1):
            basis = state[f"{side} basis {tensor.name}"]
            powers = state[f"{side} {tensor.name}"] @ basis
            values = (basis.transpose(0, 2, 1) @ powers).diagonal(axis1=1, axis2=2)
            order = np.argsort(-values, axis=1, kind="stable")
            columns = order[:, None, :]
            along = order[:, :, None] if axis == 1 else columns
            np.copyto(v, np.take_along_axis(v, along, axis=axis))
            np.copyto(basis, np.linalg.qr(np.take_along_axis(powers, columns, axis=2)).Q)


RULES: dict[str, type[Rule]] = {"soap": SOAP}
