"""Stress tests: one difficulty each, of a strength that can be chosen.

Quadratic bowls, since of these everything is known: what the difficulty does to an optimizer
is not mixed with what a network does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from adamcli.layout import Array
from adamcli.problems.landscape import LandscapeStack, Normals, Seeds
from adamcli.problems.surfaces import DIMENSIONS, NOISE, STEPS
from adamcli.problems.task import Kind
from adamcli.seeding import Rng
from adamcli.settings import setting


class Bowl:
    """f(x) = 1/2 sum over k of h[k] (x turned)[k]^2 for every row; a `Landscape`.

    Args:
        curvatures: h (P,), along the axes of the bowl.
        turns: (R, P, P), the axes of each row's bowl as columns; None for the coordinate axes.
        dtype: of the training.
    """

    def __init__(self, curvatures: Array, turns: Array | None, dtype: np.dtype) -> None:
        self._h = {kind: curvatures.astype(kind) for kind in (np.dtype(np.float64), dtype)}
        self._turns = turns
        self._narrow = turns if turns is None else turns.astype(dtype)
        squares = 1 if turns is None else turns * turns
        self._diagonal = (squares * curvatures).sum(axis=-1) if turns is not None else curvatures

    def value(self, x: Array) -> Array:
        """From double precision, (R, P) to (R,)."""
        along = x if self._turns is None else _product(x, self._turns)
        value: Array = 0.5 * (self._h[x.dtype] * (along * along)).sum(axis=1)
        return value

    def gradient(self, x: Array, out: Array) -> None:
        """Turned onto the axes, scaled and turned back."""
        h = self._h[x.dtype]
        if self._narrow is None:
            np.multiply(h, x, out=out)
        else:
            out[:] = _product(h * _product(x, self._narrow), self._narrow.transpose(0, 2, 1))

    def curvature(self, x: Array, out: Array) -> None:
        """The same everywhere: sum over k of h[k] (axis k)[i]^2."""
        out[:] = self._diagonal


def _product(x: Array, matrices: Array) -> Array:
    """Each row times its matrix, (R, P) and (R, P, P) to (R, P)."""
    return np.matmul(x[:, None, :], matrices)[:, 0]


def _rotation(rng: Rng, size: int) -> Array:
    """A random rotation (P, P), all equally likely.

    Source: Mezzadri, How to Generate Random Matrices from the Classical Compact Groups, 2007,
        arXiv:math-ph/0609050, section 5.
    """
    q, r = np.linalg.qr(rng.normal(size=(size, size)))
    rotation: Array = q * np.sign(np.diag(r))
    return rotation


@dataclass(frozen=True, kw_only=True)
class _Bowl:
    """What the bowls share: steps, noise, a normal start."""

    kind: ClassVar[Kind] = "stress"

    size: int = setting(20, **DIMENSIONS, ge=1)
    steps: int = setting(**STEPS)

    @property
    def dimensions(self) -> int:
        """As many as asked for."""
        return self.size

    @property
    def steps_per_epoch(self) -> int:
        """As many as asked for."""
        return self.steps

    @property
    def metrics(self) -> tuple[str, ...]:
        """The height above the minimum."""
        return ("train_loss",)

    def _normal(self, rng: Rng) -> Array:
        """A start, (P,)."""
        return rng.normal(size=self.size)

    def _normals(self, seeds: Seeds, purpose: str, deviation: float) -> Normals | None:
        """Normal numbers for each step; None where they all are zero."""
        return Normals(seeds, purpose, self.steps, self.size, deviation) if deviation else None


@dataclass(frozen=True, kw_only=True)
class Quadratic(_Bowl):
    """An ill-conditioned bowl with noisy gradients: do slow directions and noise both get done?

    f(x) = 1/2 x' H x with eigenvalues of H from 1 / condition to 1, evenly spaced on a log
    scale. `rotated` turns the axes of each seed's bowl at random: rules that scale every
    coordinate by itself, such as Adam, undo ill-conditioning along the coordinate axes, but
    not across them.
    Starts: standard normal.
    Source: the noisy quadratic model of Zhang et al., 2019, arXiv:1907.04164.
    """

    condition: float = setting(1000.0, "largest over smallest eigenvalue", ge=1, le=1e8)
    noise: float = setting(**{**NOISE, "default": 0.01})
    rotated: bool = setting(True, "whether the axes of the bowl are not the coordinate axes")

    @property
    def numbers(self) -> int:
        """Noise of an epoch and the axes."""
        return self.size * (self.steps + 2 * self.size * self.rotated)

    @property
    def step_numbers(self) -> int:
        """Noise, and the axes for turning there and back."""
        return self.size * (1 + 2 * self.size * self.rotated)

    def problem(self, seeds: Sequence[int], dtype: np.dtype) -> LandscapeStack:
        """A bowl for each seed."""
        source = Seeds(seeds)
        turns = (
            source.drawn("data", lambda rng: _rotation(rng, self.size)) if self.rotated else None
        )
        bowl = Bowl(np.geomspace(1 / self.condition, 1, self.size), turns, dtype)
        start = source.drawn("init", self._normal).astype(dtype)
        noise = self._normals(source, "batches", self.noise)
        return LandscapeStack(bowl, start, self.steps, noise)


@dataclass(frozen=True, kw_only=True)
class Drift(_Bowl):
    """A target that moves while it is sought: how well is it followed, in spite of noise?

    f(x) = 1/2 |x - c|^2, and before each step every coordinate of c takes a normal step of
    deviation `speed`: a random walk, the same for every optimizer at a seed. The loss is
    measured to where c is now, so it does not go to zero: long memory lags behind, short
    memory follows the noise.
    Starts: standard normal, c at 0.
    Source: the tracking problem of Widrow et al., Stationary and Nonstationary Learning
        Characteristics of the LMS Adaptive Filter, 1976.
    """

    speed: float = setting(0.01, "deviation of a step of every coordinate", ge=0, le=1e6)
    noise: float = setting(**{**NOISE, "default": 0.3})

    @property
    def numbers(self) -> int:
        """Noise and walk of an epoch."""
        return 2 * self.size * self.steps

    @property
    def step_numbers(self) -> int:
        """Noise and walk."""
        return 2 * self.size

    def problem(self, seeds: Sequence[int], dtype: np.dtype) -> LandscapeStack:
        """A walk for each seed."""
        source = Seeds(seeds)
        bowl = Bowl(np.ones(self.size), None, dtype)
        start = source.drawn("init", self._normal).astype(dtype)
        noise = self._normals(source, "batches", self.noise)
        walk = self._normals(source, "data", self.speed)
        return LandscapeStack(bowl, start, self.steps, noise, walk)
