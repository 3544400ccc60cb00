"""The smallest optimizer of your own: a file, a class, two methods.

Try it:  adamcli compare plain_sign adam --plugin configs/plugins/plain_sign.py

The file's name is the optimizer's name, so this one is `plain_sign`.
"""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class PlainSign:
    """Sign descent: every parameter moves by lr against the sign of its gradient."""

    lr: float = 0.001  # a field is a hyperparameter: --set plain_sign.lr=0.01, a sweep, a default

    def init(self, params, layout):
        """The memory before the first step: named arrays, here none."""
        return {}

    def update(self, grads, state, step):
        """What is added to the parameters, an array like `grads`: (runs, parameters)."""
        return -step.lr * np.sign(grads)  # step.lr is lr times the schedule at step.t
