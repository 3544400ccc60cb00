"""What can be wrapped around any rule: decay, a cautious mask, look-ahead, averaged weights.

The training loop applies them to the update that a rule returns, the same for all rules.
Clipping by global norm acts on the gradient before the rule and is in the loop itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from adamcli.layout import Array, Layout
from adamcli.optimizers.passes import scale
from adamcli.optimizers.rule import Step
from adamcli.settings import setting


@dataclass(frozen=True, kw_only=True)
class Wrapping:
    """The wrappers around one optimizer; by default none.

    They act in this order: cautious, decay, lookahead, ema.
    """

    cautious: bool = setting(
        False, "leave out what an update moves along its gradient (Liang et al. 2024)"
    )
    decay: float = setting(0.0, "decoupled weight decay around any rule, times lr", ge=0)
    decay_biases: bool = setting(False, "whether `decay` shrinks vectors, the biases, too")
    lookahead: int | None = setting(
        None, "steps between two pulls of slow weights (Zhang et al. 2019)", kind=int, ge=1,
        optional=True,
    )  # fmt: skip
    lookahead_alpha: float = setting(0.5, "how far the slow weights follow", gt=0, le=1)
    ema: float | None = setting(
        None,
        "evaluate at an average of the weights with this decay",
        kind=float, ge=0, lt=1, optional=True,
    )  # fmt: skip

    def around(self, params: Array, layout: Layout) -> list[Wrapper]:
        """The wrappers for rows of parameters (R, P), in the order in which they act."""
        wrappers: list[Wrapper] = []
        if self.cautious:
            wrappers.append(Cautious(layout))
        if self.decay:
            wrappers.append(Decay(self.decay, params, layout, biases=self.decay_biases))
        if self.lookahead:
            wrappers.append(Lookahead(self.lookahead, self.lookahead_alpha, params))
        return wrappers


class Wrapper(Protocol):
    """Changes the update of some rows."""

    def apply(self, update: Array, grads: Array, step: Step) -> None:
        """update (R, P) <- what is added to the parameters instead; may use `step.spare`."""
        ...


class Cautious:
    """Only what agrees in sign with the descent direction, scaled up for what is left out.

    Source:  Liang, Chen, Liu and Liu, Cautious Optimizers: Improving Training with One Line
             of Code, 2024, arXiv:2411.16085: per array update <- update mask / mean(mask)
             with the mean at least 1e-3.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout

    def apply(self, update: Array, grads: Array, step: Step) -> None:
        """update <- update mask / mean(mask), array by array."""
        mask = np.multiply(update, grads, out=step.spare)
        np.copyto(mask, mask < 0)
        for tensor in self._layout.tensors:
            part = mask[:, tensor.start : tensor.stop]
            part /= np.maximum(part.mean(axis=1, keepdims=True), 1e-3)
        np.multiply(update, mask, out=update)


class Decay:
    """Decoupled weight decay, by default of matrices only.

    Source:  Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2017,
             arXiv:1711.05101; that biases are spared is common practice.
    """

    def __init__(self, rate: float, params: Array, layout: Layout, *, biases: bool) -> None:
        self._rates = np.zeros(layout.size, params.dtype)
        for tensor in layout.tensors:
            if biases or len(tensor.shape) > 1:
                self._rates[tensor.start : tensor.stop] = rate

    def apply(self, update: Array, grads: Array, step: Step) -> None:
        """update <- update - lr rate theta."""
        shrink = np.multiply(step.params, self._rates, out=step.spare)
        np.subtract(update, scale(shrink, step.lr, out=shrink), out=update)


class Lookahead:
    """Every k steps slow weights follow the fast ones part of the way, and the fast start there.

    Source:  Zhang, Lucas, Hinton and Ba, Lookahead Optimizer: k steps forward, 1 step back,
             2019, arXiv:1907.08610, algorithm 1.
    """

    def __init__(self, steps: int, alpha: float, params: Array) -> None:
        self._steps, self._alpha = steps, alpha
        self._slow = params.copy()

    def apply(self, update: Array, grads: Array, step: Step) -> None:
        """At every k-th step, update <- slow + alpha (theta + update - slow) - theta."""
        if step.t % self._steps:
            return
        fast = np.add(step.params, update, out=step.spare)
        self._slow += self._alpha * (fast - self._slow)
        np.subtract(self._slow, step.params, out=update)


class Average:
    """A moving average of the weights, at which a run is evaluated.

    Source:  Polyak and Juditsky, Acceleration of stochastic approximation by averaging, SIAM
             J. Control and Optimization 30(4), 1992, with an exponential window that starts
             at the initial weights, as torch.optim.swa_utils with an EMA.
    """

    def __init__(self, decay: float, params: Array) -> None:
        self._decay = decay
        self.params = params.copy()

    def follow(self, params: Array, scratch: Array) -> None:
        """average <- decay average + (1 - decay) params."""
        np.subtract(params, self.params, out=scratch)
        np.multiply(scratch, 1 - self._decay, out=scratch)
        np.add(self.params, scratch, out=self.params)
