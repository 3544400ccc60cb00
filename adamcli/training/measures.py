"""Norms of gradients and sizes of updates, of each row with the bits of a row alone."""

from __future__ import annotations

import numpy as np

from adamcli.layout import Array, Layout


def norms(grads: Array) -> Array:
    """The Euclidean norm of every row, (R, 1)."""
    lengths: Array = np.sqrt((grads * grads).sum(axis=1, keepdims=True))
    return lengths


def clip(grads: Array, largest: Array) -> None:
    """Scale the rows of `grads` that are longer than `largest`, (R, 1), in place."""
    lengths = norms(grads)
    long = lengths > largest
    huge = long & np.isinf(lengths)
    if huge.any():  # the squares overflow even where the gradient does not
        np.divide(grads, np.abs(grads).max(axis=1, keepdims=True), out=grads, where=huge)
        lengths = np.where(huge, norms(grads), lengths)
    np.multiply(grads, np.where(long, largest / lengths, 1), out=grads)


def update_sizes(updates: Array, layout: Layout) -> Array:
    """The average over the arrays of the mean |update| in each, (R,) float64; as the article."""
    sizes = np.abs(updates.astype(np.float64))
    means = [sizes[:, tensor.start : tensor.stop].mean(axis=1) for tensor in layout.tensors]
    # One after another: NumPy's own sum over eight or more takes another order for one run.
    return sum(means[1:], start=means[0]) / len(means)
