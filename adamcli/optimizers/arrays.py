"""What rules need that look at whole named arrays: their norms, and one array at a time."""

from __future__ import annotations

import numpy as np

from adamcli.layout import Array, Layout, Tensor


def matrices(layout: Layout) -> list[Tensor]:
    """The arrays that are matrices, or stacks of them."""
    return [tensor for tensor in layout.tensors if len(tensor.shape) > 1]


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
