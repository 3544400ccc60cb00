"""Datasets: points with a class or a number each, drawn anew for every seed.

A dataset is a frozen dataclass whose fields are the keys under `dataset:`. `draw` gives
`samples` points of its distribution in random order; the training set, the test set and the
one for validation are draws from streams of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np

from adamcli.layout import Array
from adamcli.seeding import Rng, Streams
from adamcli.settings import setting

HeldOut = Literal["test", "validation"]
"""Which points are held out of training: those of the report, or those that tuning reads."""


class Split(NamedTuple):
    """The data of one seed.

    Attributes:
        train_x: (n, F) float64 inputs.
        train_y: (n,) integer classes, 0 to K - 1, or float64 numbers in a regression.
        held_out_x: (n_held_out, F); there may be none.
        held_out_y: (n_held_out,).
    """

    train_x: Array
    train_y: Array
    held_out_x: Array
    held_out_y: Array


class Dataset(Protocol):
    """Where the points that a network learns come from."""

    @property
    def test_samples(self) -> int:
        """The number of points held out for the report."""
        ...

    @property
    def validation_samples(self) -> int:
        """The number of points held out for tuning."""
        ...

    @property
    def features(self) -> int:
        """F, the number of inputs."""
        ...

    @property
    def classes(self) -> int:
        """K, the number of classes; 0 in a regression."""
        ...

    @property
    def train_size(self) -> int:
        """n, the number of training points."""
        ...

    def split(self, streams: Streams, held_out: HeldOut = "test") -> Split:
        """The training set of one seed, and the points that are held out for a purpose."""
        ...


def standardized(split: Split) -> Split:
    """Each input shifted and scaled to mean 0 and deviation 1 over the training set.

    A constant input is only shifted.
    """
    mean = split.train_x.mean(axis=0)
    deviation = split.train_x.std(axis=0)
    deviation[deviation == 0] = 1.0
    return split._replace(
        train_x=(split.train_x - mean) / deviation,
        held_out_x=(split.held_out_x - mean) / deviation,
    )


_SAMPLES: Any = {"default": 2000, "doc": "training points", "ge": 2, "le": 10_000_000}
_TEST: Any = {"default": 2000, "doc": "held-out points, 0 for none", "ge": 0, "le": 10_000_000}
_STANDARDIZE: Any = {
    "default": False,
    "doc": "shift and scale each input to mean 0, deviation 1 over the training set",
}
_JITTER = "standard deviation of the Gaussian noise on both coordinates"


@dataclass(frozen=True, kw_only=True)
class _Drawn:
    """What the synthetic datasets share: two draws, optional standardising."""

    samples: int = setting(**_SAMPLES)
    test_samples: int = setting(**_TEST)
    standardize: bool = setting(**_STANDARDIZE)

    @property
    def train_size(self) -> int:
        """As many as asked for."""
        return self.samples

    @property
    def validation_samples(self) -> int:
        """As many as for the report: points cost nothing here."""
        return self.test_samples

    def draw(self, rng: Rng, samples: int) -> tuple[Array, Array]:
        """`samples` points (n, F) in random order and their targets (n,)."""
        raise NotImplementedError

    def split(self, streams: Streams, held_out: HeldOut = "test") -> Split:
        """One draw to train on, an independent one to hold out."""
        train = self.draw(streams.data, self.samples)
        rng = streams.test if held_out == "test" else streams.validation
        split = Split(*train, *self.draw(rng, self.test_samples))
        return standardized(split) if self.standardize else split


@dataclass(frozen=True, kw_only=True)
class _Planar(_Drawn):
    """Points of the plane in two classes."""

    @property
    def features(self) -> int:
        """Two coordinates."""
        return 2

    @property
    def classes(self) -> int:
        """Two classes."""
        return 2


@dataclass(frozen=True, kw_only=True)
class Spiral(_Planar):
    """Two spiral arms wound around each other, two turns each.

    Arm c has the points (t cos(t + c pi), t sin(t + c pi)) for t evenly spaced from 0.5 to
    4 pi, plus noise, all times 2 / (4 pi). samples // 2 points on each arm: an odd number
    loses one. As in the article; a test of fitting a boundary that no line comes near.
    """

    noise: float = setting(0.25, _JITTER, ge=0, le=1e6)

    @property
    def train_size(self) -> int:
        """An even number: half on each arm."""
        return self.samples // 2 * 2

    def draw(self, rng: Rng, samples: int) -> tuple[Array, Array]:
        """Both arms, shuffled by one permutation."""
        angle = np.linspace(0.5, 4 * np.pi, samples // 2)
        arms = []
        for turn in (0.0, np.pi):
            arm = np.stack([angle * np.cos(angle + turn), angle * np.sin(angle + turn)], axis=1)
            arms.append(arm + rng.normal(0.0, self.noise, size=arm.shape))
        x = np.concatenate(arms) * (2 / (4 * np.pi))
        return _shuffled(rng, x, np.repeat([0, 1], samples // 2))


@dataclass(frozen=True, kw_only=True)
class Moons(_Planar):
    """Two interleaving half circles, as in scikit-learn's make_moons; an easy, curved boundary."""

    noise: float = setting(0.1, _JITTER, ge=0, le=1e6)

    def draw(self, rng: Rng, samples: int) -> tuple[Array, Array]:
        """Evenly spaced along both moons, then jittered and shuffled."""
        y = _balanced(samples, 2)
        outer, inner = (np.linspace(0, np.pi, np.count_nonzero(y == k)) for k in (0, 1))
        x = np.concatenate(
            [
                np.stack([np.cos(outer), np.sin(outer)], axis=1),
                np.stack([1 - np.cos(inner), 0.5 - np.sin(inner)], axis=1),
            ]
        )
        return _shuffled(rng, x + rng.normal(0.0, self.noise, size=x.shape), y)


@dataclass(frozen=True, kw_only=True)
class Circles(_Planar):
    """A circle inside another, as in scikit-learn's make_circles; the boundary must close."""

    noise: float = setting(0.08, _JITTER, ge=0, le=1e6)
    factor: float = setting(0.5, "radius of the inner circle; the outer has 1", gt=0, lt=1)

    def draw(self, rng: Rng, samples: int) -> tuple[Array, Array]:
        """Random angles on both circles, jittered and shuffled."""
        y = _balanced(samples, 2)
        angle = rng.uniform(0, 2 * np.pi, size=samples)
        radius = np.where(y == 1, self.factor, 1.0)
        x = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
        return _shuffled(rng, x + rng.normal(0.0, self.noise, size=x.shape), y)


@dataclass(frozen=True, kw_only=True)
class Xor(_Planar):
    """The square [-1, 1]^2, classed by whether its coordinates agree in sign; no line helps."""

    noise: float = setting(0.1, _JITTER, ge=0, le=1e6)

    def draw(self, rng: Rng, samples: int) -> tuple[Array, Array]:
        """Uniform points, classed, then jittered: noise blurs the classes at the axes."""
        x = rng.uniform(-1, 1, size=(samples, 2))
        y = ((x[:, 0] > 0) != (x[:, 1] > 0)).astype(int)
        return _shuffled(rng, x + rng.normal(0.0, self.noise, size=x.shape), y)


@dataclass(frozen=True, kw_only=True)
class Blobs(_Planar):
    """K Gaussian blobs with their centres evenly on a circle of radius 2; the K-class case."""

    noise: float = setting(0.6, "standard deviation of each blob", ge=0, le=1e6)
    blobs: int = setting(4, "how many blobs, one class each", ge=2, le=20)

    @property
    def classes(self) -> int:
        """One class per blob."""
        return self.blobs

    def draw(self, rng: Rng, samples: int) -> tuple[Array, Array]:
        """As equally many points of each blob as the number allows, shuffled."""
        y = _balanced(samples, self.blobs)
        angle = 2 * np.pi * y / self.blobs
        centre = 2 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
        return _shuffled(rng, centre + rng.normal(0.0, self.noise, size=centre.shape), y)


@dataclass(frozen=True, kw_only=True)
class Checkerboard(_Planar):
    """The square [-1, 1]^2 as a checkerboard; many separate regions of each class."""

    noise: float = setting(0.02, _JITTER, ge=0, le=1e6)
    cells: int = setting(4, "fields along each side", ge=2, le=50)

    def draw(self, rng: Rng, samples: int) -> tuple[Array, Array]:
        """Uniform points, classed by the colour of their field, then jittered."""
        x = rng.uniform(-1, 1, size=(samples, 2))
        field = np.floor((x + 1) * self.cells / 2).astype(int)
        y = field.sum(axis=1) % 2
        return _shuffled(rng, x + rng.normal(0.0, self.noise, size=x.shape), y)


@dataclass(frozen=True, kw_only=True)
class Wave(_Drawn):
    """A noisy wave on a slope, y = sin(3 x) + x / 3: the regression, where the loss is all.

    x is uniform in [-3, 3], three periods; the network has a linear output and its loss is
    the mean squared error, which cannot become less than the variance of the noise.
    """

    noise: float = setting(0.1, "standard deviation of the Gaussian noise on y", ge=0, le=1e6)

    @property
    def features(self) -> int:
        """The abscissa."""
        return 1

    @property
    def classes(self) -> int:
        """None: the target is a number."""
        return 0

    def draw(self, rng: Rng, samples: int) -> tuple[Array, Array]:
        """Uniform abscissas and the noisy wave above them."""
        x = rng.uniform(-3, 3, size=(samples, 1))
        wave = np.sin(3 * x[:, 0]) + x[:, 0] / 3
        return x, wave + rng.normal(0.0, self.noise, size=samples)


def _balanced(samples: int, classes: int) -> Array:
    """Class labels in order, as equally many of each as the number allows, (n,)."""
    return np.sort(np.arange(samples) % classes)


def _shuffled(rng: Rng, x: Array, y: Array) -> tuple[Array, Array]:
    """The rows of both in the order of one permutation."""
    order = rng.permutation(len(y))
    return x[order], y[order]
