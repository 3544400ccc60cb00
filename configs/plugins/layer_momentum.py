"""An optimizer of your own with memory, that treats each layer's arrays as a whole.

Try it:  adamcli run configs/own_optimizer.yaml
         adamcli plot-trace --optimizer layer_momentum

It uses all that a rule may use: settings with ranges, slots of two shapes, the layout of the
parameters, panels and derived series for `plot-trace`. `plain_sign.py` shows how little is
needed instead.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from adamcli.settings import setting


@dataclass(frozen=True, kw_only=True)
class LayerMomentum:
    """Normalised momentum, array by array: each array moves by lr in root mean square.

    Rule:    m_t = beta m_(t-1) + (1 - beta) g_t
             update of an array = -lr m_t / (rms(m_t) + eps), rms over the array
    Slots:   m, (R, P), and rms, (R, T), one number for each of T arrays
    Source:  after Cutkosky and Mehta, Momentum Improves Normalized SGD, 2020,
             arXiv:2002.03305, who normalise all parameters together.
    """

    # What `adamcli plot-trace` shows: a title and the series below it. `grad`, `update` and
    # the slots are recorded by themselves, `trace` below adds others.
    panels: ClassVar = (
        ("gradient and momentum", ("grad", "m")),
        ("root mean square of the array's momentum", ("rms",)),
        ("effective learning rate", ("effective_lr",)),
    )

    # A setting says what it means and what is allowed; an experiment that breaks the range is
    # refused with the place in its file.
    lr: float = setting(0.003, "root mean square of each array's step", gt=0)
    beta: float = setting(0.9, "decay of the momentum", ge=0, lt=1)
    eps: float = setting(1e-8, "added to the root mean square", ge=0)

    def init(self, params, layout):
        """Slots start at zero; the first axis always counts runs."""
        runs = len(params)
        return {"m": np.zeros_like(params), "rms": np.zeros((runs, len(layout.tensors)))}

    def update(self, grads, state, step):
        """All arrays lie side by side in the columns; the layout says where each one is."""
        # Slots may be changed in place or replaced, gradients and parameters may not.
        state["m"] = self.beta * state["m"] + (1 - self.beta) * grads
        update = np.empty_like(grads)
        for k, tensor in enumerate(step.layout.tensors):  # W1, b1, W2, ...
            here = slice(tensor.start, tensor.stop)
            m = state["m"][:, here]
            rms = np.sqrt((m * m).mean(axis=1))  # one number per run: never mix rows
            state["rms"][:, k] = rms
            update[:, here] = -step.lr * m / (rms[:, None] + self.eps)
        return update

    def trace(self, series, lr, t):
        """Series worth seeing besides the recorded ones, each with one value per step."""
        return {"effective_lr": lr / (series["rms"] + self.eps)}
