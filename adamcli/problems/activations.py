"""Nonlinearities of the hidden layers, in place on preallocated arrays.

A signal is (R, H + 1, B): runs, units and a row of ones, samples. Each class is made once
for a signal and keeps the scratch it needs; `apply` turns the pre-activations in it into
activations, `pull_back` turns the gradient with respect to the activations into the one with
respect to the pre-activations.
"""

from __future__ import annotations

from typing import Protocol

import numpy as np

from adamcli.layout import Array


class Activation(Protocol):
    """One nonlinearity of one signal."""

    def __init__(self, signal: Array) -> None: ...

    def apply(self) -> None:
        """z <- activation(z) for the z in the signal; its last row stays as it is."""
        ...

    def pull_back(self, delta: Array) -> None:
        """delta <- delta activation'(z), (R, H, B), in place, for the latest `apply`."""
        ...


class ReLU:
    """max(z, 0), with derivative 0 at 0."""

    def __init__(self, signal: Array) -> None:
        # Whole contiguous arrays take NumPy's fast loops (3x): the row of ones comes along
        # unharmed. Zeros, since maximum with a scalar takes a slow loop; never written to,
        # they are one page of memory however large, and leave the cache to others.
        self._signal = signal
        self._zeros = np.zeros(signal.shape, signal.dtype)
        self._positive = np.empty(signal.shape, bool)
        self._mask = self._positive[:, :-1]

    def apply(self) -> None:
        """z <- max(z, 0)."""
        np.maximum(self._signal, self._zeros, out=self._signal)

    def pull_back(self, delta: Array) -> None:
        """delta <- delta where a > 0, else 0."""
        np.greater(self._signal, 0, out=self._positive)
        np.multiply(delta, self._mask, out=delta)


class Tanh:
    """The hyperbolic tangent."""

    def __init__(self, signal: Array) -> None:
        self._a = signal[:, :-1]
        self._slope = np.empty_like(self._a)

    def apply(self) -> None:
        """z <- tanh(z)."""
        np.tanh(self._a, out=self._a)

    def pull_back(self, delta: Array) -> None:
        """delta <- delta (1 - a^2)."""
        np.multiply(self._a, self._a, out=self._slope)
        np.subtract(1, self._slope, out=self._slope)
        np.multiply(delta, self._slope, out=delta)


class GELU:
    """z/2 (1 + tanh(sqrt(2/pi) (z + 0.044715 z^3))).

    Source:  Hendrycks and Gimpel, Gaussian Error Linear Units, 2016, arXiv:1606.08415, in
             their tanh form (NumPy has no erf).
    """

    _SCALE = float(np.sqrt(2 / np.pi))
    _CUBIC = 0.044715

    def __init__(self, signal: Array) -> None:
        self._a = signal[:, :-1]
        self._z, self._tanh, self._slope = (np.empty_like(self._a) for _ in range(3))

    def apply(self) -> None:
        """z <- gelu(z); keeps z and the tanh for `pull_back`."""
        z, kept, bend = self._a, self._z, self._tanh
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

    def pull_back(self, delta: Array) -> None:
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
