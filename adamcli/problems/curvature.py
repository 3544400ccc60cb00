"""The curvature of a network's loss: the diagonal of its Gauss-Newton matrix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from adamcli.layout import Array
from adamcli.problems.activations import Activation


class GaussNewton:
    """Backward passes that end in squares, over the latest forward pass of R networks.

    The Gauss-Newton matrix of a mean loss is the mean over the samples of J' H J: J has the
    derivatives of the logits by the parameters, H the second derivatives of the loss by the
    logits. With H = sum_k s_k s_k' its diagonal is the sum of the squares of all J' s_k, and
    each J' s_k is what an ordinary backward pass makes of s_k, before the sum over samples.
    It equals the diagonal of the Hessian where the logits have no second derivative by any
    one parameter, as in a network of ReLUs almost everywhere; it is never negative.

    Source:  Dangel, Kunstner and Hennig, BackPACK: Packing more into Backprop, ICLR 2020,
             arXiv:1912.10985; the matrix: Schraudolph, Fast Curvature Matrix-Vector Products
             for Second-Order Gradient Descent, Neural Computation 14(7), 2002.

    Args:
        signals: of the hidden layers, (R, H + 1, B) each, with a last row of ones.
        activations: of the same layers.
        logits: (R, K, B).
    """

    def __init__(
        self, signals: Sequence[Array], activations: Sequence[Activation], logits: Array
    ) -> None:
        self._signals, self._activations = signals, activations
        hidden = [signal[:, :-1] for signal in signals]
        self._slopes = [np.empty(h.shape, h.dtype) for h in hidden]
        self._deltas = [np.empty(h.shape, h.dtype) for h in hidden]
        self._delta_squares = [np.empty(a.shape, a.dtype) for a in (*hidden, logits)]
        self._signal_squares = [np.empty_like(signal) for signal in signals]

    def fill(
        self, weights: Sequence[Array], inputs: Array, roots: Iterable[Array], out: Sequence[Array]
    ) -> None:
        """out <- the diagonal for every layer, (R, inputs + 1, outputs) each.

        Args:
            weights: of every layer, (R, inputs, outputs), without biases.
            inputs: (R, F + 1, B), with a last row of ones.
            roots: the s_k of the mean loss, (R, K, B) each; they are overwritten.
        """
        for slope, activation in zip(self._slopes, self._activations, strict=True):
            slope.fill(1)
            activation.pull_back(slope)
        for squares in self._delta_squares:
            squares.fill(0)
        for root in roots:
            self._add_squares(weights, root)
        for signal, squares in zip(self._signals, self._signal_squares, strict=True):
            np.multiply(signal, signal, out=squares)
        below = (inputs * inputs, *self._signal_squares)
        for signals, deltas, diagonal in zip(below, self._delta_squares, out, strict=True):
            np.matmul(signals, deltas.transpose(0, 2, 1), out=diagonal)

    def _add_squares(self, weights: Sequence[Array], delta: Array) -> None:
        """Take a root from the logits down and add the square of what arrives at each layer."""
        for k in range(len(weights) - 1, 0, -1):
            below = np.matmul(weights[k], delta, out=self._deltas[k - 1])
            np.multiply(below, self._slopes[k - 1], out=below)
            self._delta_squares[k] += np.multiply(delta, delta, out=delta)
            delta = below
        self._delta_squares[0] += np.multiply(delta, delta, out=delta)
