"""MARS: gradients whose noise is reduced by the previous gradient."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from adamcli.layout import Array, Layout
from adamcli.optimizers import fields
from adamcli.optimizers.adam import AdamW, adam_step, move_moments, trace_moments
from adamcli.optimizers.arrays import alone, norms
from adamcli.optimizers.passes import average, less_decay, scale, zeros
from adamcli.optimizers.rule import Hyper, Panel, Rule, State, Step
from adamcli.settings import setting


@dataclass(frozen=True, kw_only=True)
class MARS:
    """MARS: AdamW or Lion on a gradient corrected by how it has changed; AdamW for vectors.

    Rule:    matrices:
             c_t = grad_t + gamma beta1 / (1 - beta1) (grad_t - grad_(t-1))
             c_t is divided by its norm, that of the matrix, if that exceeds 1
             m_t = beta1 m_(t-1) + (1 - beta1) c_t
             v_t = beta2 v_(t-1) + (1 - beta2) c_t^2
             m_hat = m_t / (1 - beta1^t),  v_hat = v_t / (1 - beta2^t)
             u_t = m_hat / (sqrt(v_hat) + eps); form lion: u_t = sign(m_t)
             update = -lr (u_t + weight_decay theta)
             grad_0 = 0; with plain_first c_1 = grad_1
             other arrays, unless whole: adamw with eps, other_beta1,
             other_beta2, other_weight_decay and other_lr, which follows the
             schedule
    Slots:   m, v, the first and second moment, and previous, the gradient before, (R, P);
             scaling, (R, T), what c of each array was multiplied by. All zero at the start;
             previous and scaling stay zero for arrays that are left to adamw
    Source:  Yuan, Liu, Wu, Zhou and Gu, MARS: Unleashing the Power of Variance Reduction for
             Training Large Models, 2024, arXiv:2411.10438, algorithms 2 and 3, in the
             approximate form: the gradient before is that of its own batch. As the authors'
             code, AGI-Arena/MARS.
    Forks:   plain_first is timm.optim.Mars, which has one weight decay for all arrays. The
             exact form takes a second gradient in each step, of the batch at the parameters
             before; it is not offered. whole is the authors' optimize_1d.
    Use:     where the noise of small batches dominates.
    """

    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("gradient", ("grad",)),
        Panel("first moment", ("m", "m_hat")),
        Panel("second moment", ("v", "v_hat")),
        Panel("scaling of the array", ("scaling",)),
        Panel("effective learning rate", ("effective_lr",)),
    )

    lr: Hyper = fields.lr(3e-3, 1e-4, 1e-1)
    beta1: Hyper = fields.beta1(0.95)
    beta2: Hyper = fields.beta2(0.99)
    gamma: Hyper = setting(0.025, "how much of the change of the gradient is added", ge=0)
    eps: Hyper = fields.eps()
    form: str = setting("adamw", "what is done with the gradient", choices=("adamw", "lion"))
    plain_first: bool = setting(False, "leave the first gradient as it is")
    weight_decay: Hyper = fields.decay()
    whole: bool = setting(False, "treat vectors as matrices are treated")
    other_lr: Hyper = setting(3e-3, "lr of other arrays", gt=0)
    other_beta1: Hyper = setting(0.9, "beta1 of other arrays", ge=0, lt=1)
    other_beta2: Hyper = setting(0.95, "beta2 of other arrays", ge=0, lt=1)
    other_weight_decay: Hyper = setting(0.1, "decoupled decay of other arrays", ge=0)

    def init(self, params: Array, layout: Layout) -> State:
        """Both moments and the gradient before zero."""
        scaling = np.zeros((len(params), len(layout.tensors)), params.dtype)
        return zeros(params, "m", "v", "previous") | {"scaling": scaling}

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        other = self._other()
        for k, tensor in enumerate(step.layout.tensors):
            mine = alone(tensor, grads, state, step)
            if self.whole or len(tensor.shape) == 2:
                state["scaling"][:, [k]] = self._move_array(*mine)
            else:
                mine[-1].lr = self._lr_of_others(step.lr)
                other.update(*mine)
        return step.out

    def _other(self) -> AdamW:
        """The rule of the arrays that are no matrices."""
        return AdamW(
            beta1=self.other_beta1,
            beta2=self.other_beta2,
            eps=self.eps,
            weight_decay=self.other_weight_decay,
        )

    def _lr_of_others(self, lr: Hyper) -> Hyper:
        """Its learning rate in a step of learning rate `lr`."""
        return self.other_lr * (lr / self.lr)

    def _move_array(self, grads: Array, state: State, step: Step) -> Array:
        """step.out <- the update of an array that is alone, (R, n); returns its scaling, (R, 1)."""
        corrected = self._corrected(grads, state["previous"], step)
        scaling = 1 / np.maximum(norms(corrected, step.layout, scratch=step.spare), 1)
        np.multiply(corrected, scaling, out=corrected)
        if self.form == "adamw":
            move_moments(self, corrected, state, step)
            update = adam_step(self, state["m"], state["v"], step)
        else:
            average(state["m"], corrected, self.beta1, scratch=step.out)
            update = scale(np.sign(state["m"], out=step.out), -step.lr, out=step.out)
        less_decay(update, self.weight_decay, step)
        np.copyto(state["previous"], grads)
        return scaling

    def _corrected(self, grads: Array, previous: Array, step: Step) -> Array:
        """The gradient c before it is scaled, in `step.extra`."""
        if self.plain_first and step.t == 1:
            np.copyto(step.extra, grads)
            return step.extra
        change = np.subtract(grads, previous, out=step.extra)
        scale(change, self.gamma * self.beta1 / (1 - self.beta1), out=change)
        return np.add(change, grads, out=change)

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """m_hat, v_hat and the effective learning rate; of form lion, lr / |m|."""
        mine = trace_moments(self, series, lr, t)
        if self.form == "lion":
            m = np.abs(series["m"])
            mine["effective_lr"] = np.divide(lr, m, out=np.zeros_like(m), where=m > 0)
        other = trace_moments(self._other(), series, self._lr_of_others(lr), t)
        corrected = series["scaling"] > 0
        return {name: np.where(corrected, mine[name], other[name]) for name in mine}


RULES: dict[str, type[Rule]] = {"mars": MARS}
