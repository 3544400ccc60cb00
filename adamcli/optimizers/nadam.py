"""Adam that looks ahead: Nesterov's momentum in its first moment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from adamcli.layout import Array, Layout
from adamcli.optimizers import fields
from adamcli.optimizers.adam import move_moments, trace_moments
from adamcli.optimizers.passes import (
    average,
    average_square,
    coefficient,
    correction,
    is_zero,
    less_decay,
    power,
    root,
    root_step,
    scale,
    with_l2,
    zeros,
)
from adamcli.optimizers.rule import Hyper, Panel, Rule, State, Step
from adamcli.settings import setting

_FORMS = ("dozat", "simple")


@dataclass(frozen=True, kw_only=True)
class NAdam:
    """NAdam: Adam whose first moment is the one that it will have a step ahead.

    Rule:    g_t, m_t, v_t, v_hat as in adam
             mu_t = beta1 (1 - 0.96^(t momentum_decay) / 2),  M_t = mu_1 mu_2 ... mu_t
             ahead = (1 - mu_t) / (1 - M_t) g_t + mu_(t+1) / (1 - M_(t+1)) m_t
             update = -lr ahead / (sqrt(v_hat + eps_root) + eps)
             form simple: ahead = (1 - beta1) / (1 - beta1^t) g_t
                                  + beta1 / (1 - beta1^(t+1)) m_t
             decoupled: weight_decay theta joins the update, times -lr, and not g_t
    Slots:   m, v, the first and second moment, (R, P), zero at the start; in the form dozat
             mu_product, M, (R, 1) float64, 1 at the start
    Source:  Dozat, Incorporating Nesterov Momentum into Adam, ICLR 2016 workshop. As
             torch.optim.NAdam: m is averaged with beta1, only ahead uses mu. The product is
             kept in float64; torch keeps it in float32.
    Forks:   form dozat lets mu rise from beta1 / 2 to beta1, as in the paper and in torch;
             simple, with beta1 from the start, is optax.nadam, with decoupled optax.nadamw.
             The paper's 0.96^(t / 250) is momentum_decay 0.004; Keras has 1, with which mu
             has risen after a hundred steps.
    Use:     in place of adam where progress is smooth enough for a look ahead to pay.
    """

    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("first moment", ("m", "ahead")),
        Panel("second moment", ("v", "v_hat")),
        Panel("effective learning rate", ("effective_lr",)),
    )

    lr: Hyper = fields.lr(2e-3, 1e-4, 1e-1)
    beta1: Hyper = fields.beta1()
    beta2: Hyper = fields.beta2()
    eps: Hyper = fields.eps()
    eps_root: Hyper = fields.eps_root()
    weight_decay: Hyper = fields.either_decay()
    decoupled: bool = fields.decoupled(False)
    form: str = setting(
        "dozat",
        "whether the momentum rises to beta1 or has it at once",
        choices=("dozat", "simple"),
    )
    momentum_decay: Hyper = setting(4e-3, "how fast it rises in the form dozat", ge=0)

    def init(self, params: Array, layout: Layout) -> State:
        """Both moments zero; a product of no factors."""
        state = zeros(params, "m", "v")
        if self.form == "dozat":
            state["mu_product"] = np.ones((len(params), 1))
        return state

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        grads = grads if self.decoupled else with_l2(grads, self.weight_decay, step)
        move_moments(self, grads, state, step)
        ahead = self._ahead(grads, state, step)
        v, c2 = state["v"], correction(self.beta2, step.t)
        if not is_zero(self.eps_root):
            v = np.add(v, coefficient(self.eps_root * c2, v), out=step.out)
        update = root_step(ahead, v, self.eps * root(c2), step.lr * root(c2), out=step.out)
        return less_decay(update, self.weight_decay, step) if self.decoupled else update

    def _ahead(self, grads: Array, state: State, step: Step) -> Array:
        """The first moment a step ahead; in `step.spare`, uses `step.out`."""
        if self.form == "dozat":
            state["mu_product"] *= self._mu(step.t)
        share, kept = self._shares(step.t, state)
        ahead = scale(state["m"], kept, out=step.spare)
        return np.add(ahead, scale(grads, share, out=step.out), out=ahead)

    def _mu(self, t: Hyper) -> Hyper:
        """The momentum of a step in the form dozat."""
        return self.beta1 * (1 - 0.5 * power(0.96, t * self.momentum_decay))

    def _shares(self, t: Hyper, slots: Mapping[str, Array]) -> tuple[Hyper, Hyper]:
        """How much of the gradient and of m is in the moment ahead."""
        if self.form == "simple":
            c1, next_c1 = correction(self.beta1, t), correction(self.beta1, t + 1)
            return (1 - self.beta1) / c1, self.beta1 / next_c1
        mu, product = self._mu(t + 1), slots["mu_product"]
        return (1 - self._mu(t)) / (1 - product), mu / (1 - product * mu)

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """The first moment a step ahead, v_hat and the effective learning rate."""
        m = series["m"]
        # With L2 decay the gradient that m saw is not the recorded one; m knows it.
        before = np.concatenate([[0.0], m[:-1]])
        grads = (m - self.beta1 * before) / (1 - self.beta1)
        share, kept = self._shares(t, series)
        derived = trace_moments(self, series, lr, t, self.eps_root)
        return {**derived, "ahead": share * grads + kept * m}


@dataclass(frozen=True, kw_only=True)
class Adan:
    """Adan: Nesterov's look ahead from how the gradient changes, in both moments.

    Rule:    y_t = g_t - g_(t-1),  y_1 = 0
             m_t = beta1 m_(t-1) + (1 - beta1) g_t
             d_t = beta2 d_(t-1) + (1 - beta2) y_t
             n_t = beta3 n_(t-1) + (1 - beta3) (g_t + beta2 y_t)^2
             ahead = m_t / (1 - beta1^t) + beta2 d_t / (1 - beta2^t)
             u_t = ahead / (sqrt(n_t / (1 - beta3^t)) + eps)
             proximal: theta_t = (theta_(t-1) - lr u_t) / (1 + lr weight_decay)
             otherwise update = -lr (u_t + weight_decay theta)
    Slots:   m, d, n, the means of the gradient, of its difference and of the square ahead,
             and g_prev, the previous gradient, (R, P), zero at the start
    Source:  Xie, Zhou, Li, Lin and Yan, Adan: Adaptive Nesterov Momentum Algorithm for Faster
             Optimizing Deep Models, 2022, arXiv:2208.06677, algorithm 1, as in the authors'
             code and timm.optim.Adan: the moments are corrected and never restarted. The
             paper's beta is 1 minus ours.
    Forks:   without proximal the decay is AdamW's (no_prox of the authors' code).
             optax.adan 0.2.8 weights the difference by 1 - beta2, a bug, and is not offered.
    Use:     for long training with large steps: its authors use five to ten times adam's lr.
             Four numbers are kept per parameter, adam keeps two.
    """

    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("gradient and its mean", ("grad", "m", "ahead")),
        Panel("mean difference of gradients", ("d",)),
        Panel("second moment ahead", ("n", "n_hat")),
        Panel("effective learning rate", ("effective_lr",)),
    )

    lr: Hyper = fields.lr(1e-3, 1e-4, 1e-1)
    beta1: Hyper = fields.beta1(0.98)
    beta2: Hyper = fields.momentum(0.92, "decay of the mean difference of gradients")
    beta3: Hyper = fields.beta2(0.99)
    eps: Hyper = fields.eps()
    weight_decay: Hyper = setting(0.0, "decay of the parameters per unit of lr", ge=0)
    proximal: bool = setting(True, "decay by dividing after the step instead of beside it")

    def init(self, params: Array, layout: Layout) -> State:
        """All means zero, and no gradient yet."""
        return zeros(params, "m", "d", "n", "g_prev")

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        self._move_means(grads, state, step)
        ahead = self._ahead(state, step)
        c3 = correction(self.beta3, step.t)
        eps, length = self.eps * root(c3), step.lr * root(c3)
        update = root_step(ahead, state["n"], eps, length, out=step.out)
        less_decay(update, self.weight_decay, step)
        if not self.proximal or is_zero(self.weight_decay):
            return update
        return scale(update, 1 / (1 + step.lr * self.weight_decay), out=update)

    def _move_means(self, grads: Array, state: State, step: Step) -> None:
        """The slots see a gradient; uses `step.out` and `step.spare`."""
        before, change = state["g_prev"], step.spare
        if step.t == 1:
            np.copyto(before, grads)
        np.subtract(grads, before, out=change)
        np.copyto(before, grads)
        average(state["m"], grads, self.beta1, scratch=step.out)
        average(state["d"], change, self.beta2, scratch=step.out)
        ahead = np.add(grads, scale(change, self.beta2, out=change), out=change)
        average_square(state["n"], ahead, self.beta3, scratch=step.out)

    def _ahead(self, state: State, step: Step) -> Array:
        """The mean gradient and its expected change; in `step.spare`, uses `step.out`."""
        c1, c2 = correction(self.beta1, step.t), correction(self.beta2, step.t)
        ahead = scale(state["m"], 1 / c1, out=step.spare)
        return np.add(ahead, scale(state["d"], self.beta2 / c2, out=step.out), out=ahead)

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """The first moment ahead, n_hat and the effective learning rate."""
        m_hat, n_hat = series["m"] / (1 - self.beta1**t), series["n"] / (1 - self.beta3**t)
        change = self.beta2 * series["d"] / (1 - self.beta2**t)
        effective_lr = lr / (np.sqrt(n_hat) + self.eps)
        return {"ahead": m_hat + change, "n_hat": n_hat, "effective_lr": effective_lr}


RULES: dict[str, type[Rule]] = {"nadam": NAdam, "adan": Adan}
