"""What rules need that look at whole named arrays: their norms, and one array at a time."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np

from adamcli.layout import Array, Layout, Tensor
from adamcli.optimizers.rule import Hyper, State, Step


def matrices(layout: Layout) -> list[Tensor]:
    """The arrays that are matrices; all others count as vectors."""
    return [tensor for tensor in layout.tensors if len(tensor.shape) == 2]


def alone(tensor: Tensor, grads: Array, state: State, step: Step) -> tuple[Array, State, Step]:
    """What a rule sees that has one array, of n entries, for itself.

    Returns:
        views (R, n) of the gradients, of the slots (R, P), and of what the step has.
    """
    here = slice(tensor.start, tensor.stop)
    slots = {name: a[:, here] for name, a in state.items() if a.shape == grads.shape}
    params, out = step.params[:, here], step.out[:, here]
    spare, extra = (room(a, len(grads), tensor.size) for a in (step.spare, step.extra))
    mine = Step(step.t, step.lr, params, _layout_of(tensor), out, spare, extra)
    return grads[:, here], slots, mine


def room(scratch: Array, *shape: int) -> Array:
    """A contiguous array in the memory of scratch; Muon takes a third less time with it."""
    return scratch.reshape(-1)[: math.prod(shape)].reshape(shape)


@lru_cache
def _layout_of(tensor: Tensor) -> Layout:
    """The layout of an array that is alone."""
    return Layout.of({tensor.name: tensor.shape})


def lifted(value: Hyper) -> Hyper:
    """A hyperparameter that can act on matrices, (R, I, J): a column becomes (R, 1, 1)."""
    return value[:, :, None] if isinstance(value, np.ndarray) else value


def norms(values: Array, layout: Layout, scratch: Array) -> Array:
    """The Euclidean norm of each of the T arrays in (R, P) values, (R, T)."""
    lengths = _sums_of_squares(values, layout, scratch)
    return np.sqrt(lengths, out=lengths)


def root_mean_squares(values: Array, layout: Layout, scratch: Array) -> Array:
    """The root of the mean square of each of the T arrays in (R, P) values, (R, T)."""
    means = _sums_of_squares(values, layout, scratch)
    np.divide(means, layout.sizes, out=means, casting="same_kind")
    return np.sqrt(means, out=means)


def spread(per_array: Array, layout: Layout, out: Array) -> Array:
    """out <- (R, P), every entry the value of its array in `per_array`, (R, T)."""
    # mode="clip" lets take write straight into `out`; every index is in range.
    return np.take(per_array, layout.owners, axis=1, out=out, mode="clip")


def _sums_of_squares(values: Array, layout: Layout, scratch: Array) -> Array:
    """The sum of the squares of each of the T arrays in (R, P) values, (R, T)."""
    sums: Array = np.add.reduceat(np.multiply(values, values, out=scratch), layout.starts, axis=1)
    return sums
