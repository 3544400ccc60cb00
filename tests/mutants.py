"""Adam, right and with one fault each: what the checker is tested on.

`Textbook` is Adam as one writes it first, allocating and line by line as the paper. Each
mutant is a copy of it, or of a shipped rule, with one thing wrong.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from adamcli.layout import Array, Layout
from adamcli.optimizers import Hyper, Panel, State, Step
from adamcli.optimizers.adam import Adam, AdamW
from adamcli.optimizers.passes import correction, less_decay, scale
from adamcli.optimizers.sgd import SGDM


@dataclass(frozen=True, kw_only=True)
class Textbook:
    """Adam: algorithm 1 of the paper, as a plug-in would write it."""

    panels: ClassVar[tuple[Panel, ...]] = (Panel("update", ("update",)),)

    lr: Hyper = 1e-3
    beta1: Hyper = 0.9
    beta2: Hyper = 0.999
    eps: Hyper = 1e-8

    def init(self, params: Array, layout: Layout) -> State:
        """Both moments zero."""
        return {"m": np.zeros_like(params), "v": np.zeros_like(params)}

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        m, v, t = state["m"], state["v"], step.t
        m[...] = self.beta1 * m + (1 - self.beta1) * grads
        v[...] = self.beta2 * v + (1 - self.beta2) * grads**2
        m_hat, v_hat = m / (1 - self.beta1**t), v / (1 - self.beta2**t)
        update: Array = -step.lr * m_hat / (np.sqrt(v_hat) + self.eps)
        return update.astype(grads.dtype)

    def trace(self, series, lr, t):
        """Nothing."""
        return {}


class Copy(Adam):
    """Adam, and nothing wrong with it."""


class NoCorrection(Adam):
    """The moments are not divided by 1 - beta^t."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        return Adam.update(replace(self, bias_correction=False), grads, state, step)


class CounterTooHigh(Adam):
    """Corrected as if it were one step later."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        return Adam.update(self, grads, state, replace(step, t=step.t + 1))


class CounterTooLow(Adam):
    """Corrected as if it were one step earlier, but for the first."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        return Adam.update(self, grads, state, replace(step, t=max(1, step.t - 1)))


class CounterFromZero(Adam):
    """Divides by 1 - beta^0."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        return Adam.update(self, grads, state, replace(step, t=step.t - 1))


class BetasSwapped(Adam):
    """beta1 for the second moment, beta2 for the first."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        swapped = replace(self, beta1=self.beta2, beta2=self.beta1)
        return Adam.update(swapped, grads, state, step)


class BetasFixed(Adam):
    """The paper's betas, whatever the user says."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        return Adam.update(replace(self, beta1=0.9, beta2=0.999), grads, state, step)


class EpsInRoot(Adam):
    """sqrt(v_hat + eps)."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        return Adam.update(replace(self, eps=0.0, eps_root=self.eps), grads, state, step)


class EpsOnRawRoot(Adam):
    """eps beside the root of the raw v, as Keras."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        more = self.eps / (1 - self.beta2**step.t) ** 0.5
        return Adam.update(replace(self, eps=more), grads, state, step)


class NoEps(Adam):
    """0 / 0 where a parameter never had a gradient."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        return Adam.update(replace(self, eps=0.0, eps_root=0.0), grads, state, step)


class WrongSign(Adam):
    """Uphill."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        return -Adam.update(self, grads, state, step)


class OwnRate(Adam):
    """Its own lr where the step's belongs: schedules do nothing."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        return Adam.update(self, grads, state, replace(step, lr=self.lr))


class DecayInGradient(AdamW):
    """Decay before the moments instead of after them: Adam with L2."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        decayed = grads + self.weight_decay * step.params
        return AdamW.update(replace(self, weight_decay=0.0), decayed, state, step)


class DecayAfterMove(AdamW):
    """The parameters shrink after the move instead of before it."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        move = AdamW.update(replace(self, weight_decay=0.0), grads, state, step)
        return less_decay(move, self.weight_decay, replace(step, params=step.params + move))


class DecayWithoutRate(AdamW):
    """The decay is not multiplied by lr."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        move = AdamW.update(replace(self, weight_decay=0.0), grads, state, step)
        return less_decay(move, self.weight_decay, replace(step, lr=1.0))


class NoDecay(AdamW):
    """The decay is forgotten."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        return AdamW.update(replace(self, weight_decay=0.0), grads, state, step)


class SharedBetweenRows(Adam):
    """One v for all runs of the stack."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        update = Adam.update(self, grads, state, step)
        state["v"][...] = state["v"].mean(axis=0)
        return update


class SharedBetweenRuns(Adam):
    """Slots that belong to the class, not to a run."""

    slots: ClassVar[State] = {}

    def init(self, params: Array, layout: Layout) -> State:
        if "m" not in self.slots or self.slots["m"].shape != params.shape:
            self.slots.update(Adam.init(self, params, layout))
        return self.slots


class CountsByItself(Adam):
    """Counts the steps of a run beside its slots, and corrects by that."""

    class Slots(dict[str, Array]):
        """Slots, and a number that is none of them."""

        steps = 0

    def init(self, params: Array, layout: Layout) -> State:
        return self.Slots(Adam.init(self, params, layout))

    def update(self, grads: Array, state: State, step: Step) -> Array:
        assert isinstance(state, self.Slots)
        state.steps += 1
        return Adam.update(self, grads, state, replace(step, t=state.steps))


class Broadcast(Adam):
    """One number per run, which NumPy would stretch over all parameters."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        return Adam.update(self, grads, state, step)[:, :1]


class Forgetful(Adam):
    """Computes the update and does not return it."""

    def update(self, grads: Array, state: State, step: Step) -> Array:  # type: ignore[return]
        Adam.update(self, grads, state, step)


class OneSlotForAllRuns(Adam):
    """Slots without the axis of runs."""

    def init(self, params: Array, layout: Layout) -> State:
        return {"m": np.zeros(params.shape[1]), "v": np.zeros(params.shape[1])}


class Widened(Adam):
    """float64 whatever the parameters are."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        return Adam.update(self, grads, state, step).astype(np.float64)


class Narrowed(Adam):
    """Half precision on the way."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        update = Adam.update(self, grads, state, step)
        return update.astype(np.float16).astype(grads.dtype) if grads.dtype == "float32" else update


class WritesToGradient(Adam):
    """Clips the gradient where it stands."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        np.clip(grads, -1, 1, out=grads)
        return Adam.update(self, grads, state, step)


class WritesToStart(Adam):
    """Starts at zero, wherever it was told to start."""

    def init(self, params: Array, layout: Layout) -> State:
        params[...] = 0
        return Adam.init(self, params, layout)


class KeepsGradient(SGDM):
    """The first velocity is the gradient's own array."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        if step.t > 1:
            return SGDM.update(self, grads, state, step)
        state["v"] = grads
        return scale(grads, -step.lr, out=step.out)


class SeedsNumPy(Adam):
    """Touches NumPy's global random state."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        np.random.seed(0)  # noqa: NPY002
        return Adam.update(self, grads, state, step)


class ReadsScratch(Adam):
    """Takes the scratch for zeros."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        step.spare += grads
        return Adam.update(self, step.spare, state, step)


class Noisy(Adam):
    """Other numbers every time."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        noise = np.random.Generator(np.random.PCG64()).normal(size=grads.shape)
        return Adam.update(self, grads + noise, state, step)


class Empty(Adam):
    """Moments from whatever the memory held."""

    def init(self, params: Array, layout: Layout) -> State:
        return {"m": np.empty_like(params), "v": np.empty_like(params)}


class StartsAtOne(Adam):
    """v starts at 1 and is corrected as if it had started at 0."""

    def init(self, params: Array, layout: Layout) -> State:
        return {"m": np.zeros_like(params), "v": np.ones_like(params)}


class OneMean(Adam):
    """One second moment for all parameters of a run."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        update = Adam.update(self, grads, state, step)
        state["v"][...] = state["v"].mean(axis=1, keepdims=True)
        return update


class Lopsided(Adam):
    """The size of the gradient where the gradient belongs."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        return Adam.update(self, 0.5 * grads + 0.5 * np.abs(grads), state, step)


class FourthPower(Adam):
    """The square is squared on the way, which overflows early."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        size = ((grads * grads) ** 2) ** 0.25
        return Adam.update(self, np.sign(grads) * size, state, step)


class Relative(Adam):
    """Steps in proportion to the parameters."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        return Adam.update(self, grads, state, step) * np.abs(step.params)


class Unscaled(Adam):
    """Not divided by the root."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        Adam.update(self, grads, state, step)
        return scale(state["m"], -step.lr / correction(self.beta1, step.t), out=step.out)


class Dampened(SGDM):
    """The first velocity is dampened, as torch's is not."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        if step.t == 1:
            grads = scale(grads, 1 - self.dampening, out=step.out)
        return SGDM.update(self, grads, state, step)


class Raises(Adam):
    """Divides by zero at the third step."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        return Adam.update(self, grads, state, step) / (1 if step.t < 3 else 0 // (step.t - 3))


class Exits(Adam):
    """Leaves the program."""

    def update(self, grads: Array, state: State, step: Step) -> Array:
        raise SystemExit(0)
