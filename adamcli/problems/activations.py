"""Nonlinearities of the hidden layers, in place on preallocated arrays.

Arrays are (R, H, B): runs, units, samples. Each class is made once for a shape and keeps
the scratch it needs; `apply` turns pre-activations into activations, `pull_back` turns the
gradient with respect to the activations into the one with respect to the pre-activations.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from adamcli.layout import Array


class Activation(Protocol):
    """One nonlinearity for arrays of one shape."""

    def __init__(self, shape: tuple[int, int, int], dtype: np.dtype) -> None: ...

    def apply(self, z: Array) -> None:
        """z <- activation(z), in place."""
        ...

    def pull_back(self, delta: Array, a: Array) -> None:
        """delta <- delta activation'(z), in place, for the `a` of the latest `apply`."""
        ...


class ReLU:
    """max(z, 0), with derivative 0 at 0."""

    def __init__(self, shape: tuple[int, int, int], dtype: np.dtype) -> None:
        # An array of zeros, since maximum with a scalar takes NumPy's slow loop (5x).
        self._zeros = np.zeros(shape[1:], dtype)
        self._positive = np.empty(shape, bool)

    def apply(self, z: Array) -> None:
        """z <- max(z, 0)."""
        np.maximum(z, self._zeros, out=z)

    def pull_back(self, delta: Array, a: Array) -> None:
        """delta <- delta where a > 0, else 0."""
        np.greater(a, 0, out=self._positive)
        np.multiply(delta, self._positive, out=delta)


class Tanh:
    """The hyperbolic tangent."""

    def __init__(self, shape: tuple[int, int, int], dtype: np.dtype) -> None:
        self._slope = np.empty(shape, dtype)

    def apply(self, z: Array) -> None:
        """z <- tanh(z)."""
        np.tanh(z, out=z)

    def pull_back(self, delta: Array, a: Array) -> None:
        """delta <- delta (1 - a^2)."""
        np.multiply(a, a, out=self._slope)
        np.subtract(1, self._slope, out=self._slope)
        np.multiply(delta, self._slope, out=delta)


class GELU:
    """z/2 (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3))).

    Source:  Hendrycks and Gimpel, Gaussian Error Linear Units, 2016, arXiv:1606.08415, in
             their tanh form (NumPy has no erf).
    """

    _SCALE = float(np.sqrt(2 / np.pi))
    _CUBIC = 0.044715

    def __init__(self, shape: tuple[int, int, int], dtype: np.dtype) -> None:
        self._z = np.empty(shape, dtype)
        self._tanh = np.empty(shape, dtype)
        self._slope = np.empty(shape, dtype)

    def apply(self, z: Array) -> None:
        """z <- gelu(z); keeps z and the tanh for `pull_back`."""
        kept, bend = self._z, self._tanh
        np.copyto(kept, z)
        np.multiply(z, z, out=bend)
        np.multiply(bend, self._CUBIC, out=bend)
        np.add(bend, 1, out=bend)
        np.multiply(bend, z, out=bend)
        np.multiply(bend, self._SCALE, out=bend)
        np.tanh(bend, out=bend)
        np.add(bend, 1, out=z)
        np.multiply(z, kept, out=z)
        np.multiply(z, 0.5, out=z)

    def pull_back(self, delta: Array, a: Array) -> None:
        """delta <- delta (1 + tanh + z (1 - tanh^2) scale (1 + 3 cubic z^2)) / 2."""
        z, bend, slope = self._z, self._tanh, self._slope
        np.multiply(z, z, out=slope)
        np.multiply(slope, 3 * self._CUBIC, out=slope)
        np.add(slope, 1, out=slope)
        np.multiply(slope, self._SCALE, out=slope)
        np.multiply(slope, z, out=slope)
        np.multiply(bend, bend, out=z)
        np.subtract(1, z, out=z)
        np.multiply(slope, z, out=slope)
        np.add(slope, bend, out=slope)
        np.add(slope, 1, out=slope)
        np.multiply(slope, 0.5, out=slope)
        np.multiply(delta, slope, out=delta)


ACTIVATION_CLASSES: dict[str, type[Activation]] = {"relu": ReLU, "tanh": Tanh, "gelu": GELU}
