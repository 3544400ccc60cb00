"""The few array passes that rules are written in.

A hyperparameter is a Python float when all runs of a stack share it and a float64 column
of shape (R, 1) when they do not. Both must give the same bits, so whatever is derived from
hyperparameters is derived in float64 by these functions and only then rounded to the dtype
of the arrays.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from adamcli.layout import Array
from adamcli.optimizers.rule import Hyper, State, Step

_power = np.frompyfunc(pow, 2, 1)

# Elements; less than two rows of a stack of common size.
_BUFFER = 512


@contextmanager
def arithmetic() -> Iterator[None]:
    """NumPy as the passes want it.

    Overflow is not an accident: it ends in a loss that is not finite. And a column beside an
    (R, P) array is not copied: NumPy writes it out, P times each row, wherever two rows fit
    into its buffer, which takes several times as long as the pass itself. The size of the
    buffer changes no result.
    """
    with np.errstate(all="ignore"):
        np.setbufsize(_BUFFER)  # errstate puts it back
        yield


def zeros(params: Array, *names: str) -> State:
    """Slots of zeros shaped like the parameters."""
    return {name: np.zeros_like(params) for name in names}


def coefficient(value: Hyper, like: Array) -> Hyper:
    """A hyperparameter ready to multiply `like` without changing its dtype."""
    return value.astype(like.dtype, copy=False) if isinstance(value, np.ndarray) else value


def power(base: Hyper, exponent: Hyper) -> Hyper:
    """`base ** exponent`, by Python's own power for floats and for each entry of arrays."""
    if isinstance(base, np.ndarray) or isinstance(exponent, np.ndarray):
        return _power(base, exponent).astype(np.float64)
    return base**exponent


def root(value: Hyper) -> Hyper:
    """The square root of a hyperparameter."""
    return np.sqrt(value) if isinstance(value, np.ndarray) else math.sqrt(value)


def scale(array: Array, factor: Hyper, out: Array) -> Array:
    """out <- factor array."""
    return np.multiply(array, coefficient(factor, array), out=out)


def average(mean: Array, value: Array, beta: Hyper, scratch: Array) -> None:
    """mean <- beta mean + (1 - beta) value, in place."""
    scale(mean, beta, out=mean)
    scale(value, 1 - beta, out=scratch)
    np.add(mean, scratch, out=mean)


def average_square(mean: Array, value: Array, beta: Hyper, scratch: Array) -> None:
    """mean <- beta mean + (1 - beta) value^2, in place."""
    scale(mean, beta, out=mean)
    np.multiply(value, value, out=scratch)
    scale(scratch, 1 - beta, out=scratch)
    np.add(mean, scratch, out=mean)


def divide_by_root(numerator: Array, square: Array, eps: Hyper, out: Array) -> Array:
    """out <- numerator / (sqrt(square) + eps)."""
    np.sqrt(square, out=out)
    np.add(out, coefficient(eps, out), out=out)
    return np.divide(numerator, out, out=out)


def root_step(numerator: Array, square: Array, eps: Hyper, length: Hyper, out: Array) -> Array:
    """out <- -length numerator / (sqrt(square) + eps)."""
    return scale(divide_by_root(numerator, square, eps, out=out), -length, out=out)


def is_zero(value: Hyper) -> bool:
    """Whether a hyperparameter is 0 for every run, so that a pass can be left out."""
    return isinstance(value, float) and value == 0


def correction(beta: Hyper, t: int) -> Hyper:
    """1 - beta^t: the weight that an average started at zero has gathered after t steps."""
    return 1 - power(beta, t)


def with_l2(grads: Array, weight_decay: Hyper, step: Step) -> Array:
    """grads + weight_decay theta, in `step.extra`; `grads` itself where there is no decay."""
    if is_zero(weight_decay):
        return grads
    decay = scale(step.params, weight_decay, out=step.extra)
    return np.add(grads, decay, out=decay)


def less_decay(update: Array, weight_decay: Hyper, step: Step) -> Array:
    """update <- update - lr weight_decay theta (decoupled decay); uses `step.spare`."""
    if is_zero(weight_decay):
        return update
    decay = scale(step.params, step.lr * weight_decay, out=step.spare)
    return np.subtract(update, decay, out=update)
