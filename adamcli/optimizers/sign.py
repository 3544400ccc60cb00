"""Signs of the gradient or of its mean, times a step of given length."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from adamcli.layout import Array, Layout
from adamcli.optimizers import fields
from adamcli.optimizers.passes import average, coefficient, less_decay, scale, zeros
from adamcli.optimizers.rule import Hyper, Panel, Rule, State, Step
from adamcli.optimizers.series import before, ratio
from adamcli.settings import setting


@dataclass(frozen=True, kw_only=True)
class SignSGD:
    """signSGD: every parameter moves by lr against the sign of its gradient.

    Rule:    update = -lr (sign(grad) + weight_decay theta),  sign(0) = 0
    Slots:   none
    Source:  Bernstein, Wang, Azizzadenesheli and Anandkumar, signSGD: Compressed Optimisation
             for Non-Convex Problems, 2018, arXiv:1802.04434, algorithm 1. As
             optax.sign_sgd; the weight decay is that of pytorch_optimizer.SignSGD.
    Forks:   none: every library agrees.
    Use:     to see what is left of a gradient without its size, and where gradients are sent
             over a slow line, one bit each. It cannot come closer than lr to a minimum, so
             it wants a schedule.
    """

    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("gradient", ("grad",)),
        Panel("update", ("update",)),
        Panel("effective learning rate", ("effective_lr",)),
    )

    lr: Hyper = fields.lr(1e-3, 1e-4, 1e-1, "how far a parameter moves in a step")
    weight_decay: Hyper = fields.decay()

    def init(self, params: Array, layout: Layout) -> State:
        """No slots."""
        return {}

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        return less_decay(against_sign(grads, step), self.weight_decay, step)

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """The learning rate at which plain gradient descent would take the step."""
        return {"effective_lr": ratio(lr, np.abs(series["grad"]))}


@dataclass(frozen=True, kw_only=True)
class Signum:
    """Signum: signSGD with momentum; the sign is that of the mean gradient.

    Rule:    m_t = momentum m_(t-1) + (1 - momentum) grad
             update = -lr (sign(m_t) + weight_decay theta)
    Slots:   m, the mean gradient, (R, P), zero at the start; not corrected for it, which
             would not change a sign
    Source:  Bernstein, Wang, Azizzadenesheli and Anandkumar, signSGD: Compressed Optimisation
             for Non-Convex Problems, 2018, arXiv:1802.04434, algorithm 2. As optax.signum;
             the weight decay is that of pytorch_optimizer.SignSGD.
    Forks:   none: every library agrees.
    Use:     as signsgd, where batches are small and single gradients have random signs.
    """

    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("gradient and first moment", ("grad", "m")),
        Panel("update", ("update",)),
        Panel("effective learning rate", ("effective_lr",)),
    )

    contains: ClassVar[dict[str, str]] = {"signsgd": "momentum 0"}

    lr: Hyper = fields.lr(1e-3, 1e-4, 1e-1, "how far a parameter moves in a step")
    momentum: Hyper = fields.momentum(doc="decay of the mean gradient")
    weight_decay: Hyper = fields.decay()

    def init(self, params: Array, layout: Layout) -> State:
        """A mean gradient of zero."""
        return zeros(params, "m")

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        average(state["m"], grads, self.momentum, scratch=step.out)
        return less_decay(against_sign(state["m"], step), self.weight_decay, step)

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """The learning rate at which a step along m would be as long."""
        return {"effective_lr": ratio(lr, np.abs(series["m"]))}


@dataclass(frozen=True, kw_only=True)
class Lion:
    """Lion: the sign of a mean that sees the newest gradient more than the kept one does.

    Rule:    c_t = beta1 m_(t-1) + (1 - beta1) grad
             update = -lr (sign(c_t) + weight_decay theta)
             m_t = beta2 m_(t-1) + (1 - beta2) grad
    Slots:   m, the mean gradient, (R, P), zero at the start
    Source:  Chen, Liang, Huang, Real, Wang, Liu, Pham, Dong, Luong, Hsieh, Lu and Le,
             Symbolic Discovery of Optimization Algorithms, 2023, arXiv:2302.06675,
             algorithm 2. As lion_pytorch.Lion.
    Forks:   none but the default decay, which is 1e-3 in optax and 0 here and elsewhere.
    Use:     for large batches and long training, with half the memory of adam; lr about a
             third to a tenth of adam's and weight_decay as much larger.
    """

    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("gradient and its two means", ("grad", "m", "c")),
        Panel("update", ("update",)),
        Panel("effective learning rate", ("effective_lr",)),
    )

    lr: Hyper = fields.lr(1e-4, 1e-4, 1e-1, "how far a parameter moves in a step")
    beta1: Hyper = fields.beta1(doc="weight of the kept mean in the step")
    beta2: Hyper = fields.beta2(0.99, "decay of the kept mean")
    weight_decay: Hyper = fields.decay()

    def init(self, params: Array, layout: Layout) -> State:
        """A mean gradient of zero."""
        return zeros(params, "m")

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        mean = scale(state["m"], self.beta1, out=step.spare)
        fresh = scale(grads, 1 - self.beta1, out=step.out)
        update = against_sign(np.add(mean, fresh, out=mean), step)
        average(state["m"], grads, self.beta2, scratch=step.spare)
        return less_decay(update, self.weight_decay, step)

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """c, and the learning rate at which a step along it would be as long."""
        c = self.beta1 * before(series["m"]) + (1 - self.beta1) * series["grad"]
        return {"c": c, "effective_lr": ratio(lr, np.abs(c))}


@dataclass(frozen=True, kw_only=True)
class RProp:
    """Rprop: each parameter's step grows while its gradient keeps its sign, else shrinks.

    Rule:    s_t = sign(grad), a_t = s_t p_(t-1): 1 as before, -1 turned round, 0 unknown
             size_t = size_(t-1) times grow where a_t = 1, shrink where a_t = -1,
             then kept between step_min and step_max
             p_t = s_t, or 0 where a_t = -1: after a turn a parameter rests for a step
             update = -size_t p_t
    Slots:   size, the length of the step, (R, P), lr at the start; p, the sign of the last
             move, (R, P), zero at the start
    Source:  Riedmiller and Braun, A direct adaptive method for faster backpropagation
             learning: the RPROP algorithm, ICNN 1993, in the form iRprop- of Igel and
             Huesken, Improving the Rprop Learning Algorithm, NC 2000, as torch.optim.Rprop.
             Keeping signs in place of gradients differs from torch only where a product of
             two gradients underflows.
    Forks:   the first form takes a step back after a turn, this one does not. optax.rprop
             0.2.8 makes each move one step late, which is a mistake (its pull request 1725).
    Use:     on whole batches, where it needs no tuning. The noise of small batches turns
             signs and shrinks every step. lr is only the first size: no schedule acts on it.
    """

    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("gradient", ("grad",)),
        Panel("size of the step", ("size",)),
        Panel("update", ("update",)),
        Panel("effective learning rate", ("effective_lr",)),
    )

    lr: Hyper = fields.lr(1e-2, 1e-4, 1e-1, "the size of the first step")
    shrink: Hyper = setting(0.5, "factor on the size after a turn", gt=0, lt=1)
    grow: Hyper = setting(1.2, "factor on the size while the sign is kept", gt=1)
    step_min: Hyper = setting(1e-6, "the smallest size of a step", ge=0)
    step_max: Hyper = setting(50.0, "the largest size of a step", gt=0)

    def init(self, params: Array, layout: Layout) -> State:
        """Steps of size lr and no move before."""
        state = zeros(params, "size", "p")
        state["size"] += coefficient(self.lr, params)
        return state

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        size, sign = state["size"], np.sign(grads, out=step.out)
        agreement = np.multiply(sign, state["p"], out=step.spare)
        np.multiply(size, self._factor(agreement, step), out=size)
        least, most = coefficient(self.step_min, size), coefficient(self.step_max, size)
        np.clip(size, least, most, out=size)
        unturned = np.clip(np.add(agreement, 1, out=agreement), 0, 1, out=agreement)
        np.multiply(sign, unturned, out=state["p"])
        update = np.multiply(size, state["p"], out=step.out)
        return np.negative(update, out=update)

    def _factor(self, agreement: Array, step: Step) -> Array:
        """shrink, 1 or grow for -1, 0 or 1, exactly and without a mask; in `step.extra`."""
        shrink, grow = coefficient(self.shrink, agreement), coefficient(self.grow, agreement)
        # 1 + grow lies above grow, and 1 - grow below 0 and so below shrink.
        factor = np.add(np.multiply(agreement, grow, out=step.extra), 1, out=step.extra)
        return np.clip(factor, shrink, grow, out=factor)

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """The learning rate at which plain gradient descent would take a step of the size."""
        return {"effective_lr": ratio(series["size"], np.abs(series["grad"]))}


def against_sign(array: Array, step: Step) -> Array:
    """-lr sign(array), in `step.out`, of an array elsewhere: in place is many times slower."""
    return scale(np.sign(array, out=step.out), -step.lr, out=step.out)


RULES: dict[str, type[Rule]] = {"signsgd": SignSGD, "signum": Signum, "lion": Lion, "rprop": RProp}
