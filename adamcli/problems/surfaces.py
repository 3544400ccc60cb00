"""Analytic surfaces: functions in closed form whose minimum is known.

Each tests one thing that training meets, where it can be seen. Each seed starts somewhere
else in a box. `noise` makes the gradients random as those of batches are; without it a run
is plain descent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from adamcli.layout import Array
from adamcli.problems.landscape import LandscapeStack, Normals, Seeds
from adamcli.problems.task import Kind
from adamcli.seeding import Rng
from adamcli.settings import setting

Box = tuple[tuple[float, float], ...]
"""The lower and the upper end of each coordinate."""

STEPS: Any = {"default": 100, "doc": "steps that make an epoch", "ge": 1, "le": 100_000}
NOISE: Any = {
    "default": 0.0,
    "doc": "standard deviation of the Gaussian noise on every entry of a gradient",
    "ge": 0,
    "le": 1e6,
}
DIMENSIONS: Any = {"doc": "number of parameters", "le": 1000}


@dataclass(frozen=True, kw_only=True)
class Surface:
    """What the surfaces share: steps, noise, starts in a box. A `Landscape` itself."""

    kind: ClassVar[Kind] = "surface"

    steps: int = setting(**STEPS)
    noise: float = setting(**NOISE)

    @property
    def dimensions(self) -> int:
        """Two coordinates."""
        return 2

    @property
    def steps_per_epoch(self) -> int:
        """As many as asked for."""
        return self.steps

    @property
    def metrics(self) -> tuple[str, ...]:
        """The height above the minimum."""
        return ("train_loss",)

    @property
    def numbers(self) -> int:
        """Noise of an epoch."""
        return self.steps * self.dimensions

    @property
    def step_numbers(self) -> int:
        """Noise."""
        return self.dimensions

    @property
    def box(self) -> Box:
        """Where runs start."""
        raise NotImplementedError

    def problem(self, seeds: Sequence[int], dtype: np.dtype) -> LandscapeStack:
        """The surface with a row for each seed."""
        source = Seeds(seeds)
        start = source.drawn("init", self._start).astype(dtype)
        noise = Normals(source, "batches", self.steps, self.dimensions, self.noise)
        return LandscapeStack(self, start, self.steps, noise if self.noise else None)

    def _start(self, rng: Rng) -> Array:
        """A point of the box, (P,)."""
        low, high = np.array(self.box).T
        return rng.uniform(low, high)

    def value(self, x: Array) -> Array:
        """By how much f is above its minimum, (R, P) to (R,)."""
        raise NotImplementedError

    def gradient(self, x: Array, out: Array) -> None:
        """out <- gradient of f, (R, P)."""
        raise NotImplementedError

    def curvature(self, x: Array, out: Array) -> None:
        """out <- diagonal of the Hessian of f, (R, P)."""
        raise NotImplementedError


@dataclass(frozen=True, kw_only=True)
class Rosenbrock(Surface):
    """Rosenbrock's valley, curved and nearly flat: is progress kept up along a bent ravine?

    f(x) = sum over i of 100 (x[i+1] - x[i]^2)^2 + (1 - x[i])^2, least at (1, ..., 1). In 4
    to 30 dimensions there is a second, local minimum near (-1, 1, ..., 1).
    Starts: uniform in [-2, 2].
    Source: Rosenbrock, 1960; in n dimensions Shang and Qiu, A Note on the Extended Rosenbrock
        Function, Evolutionary Computation 14(1), 2006.
    """

    size: int = setting(2, **DIMENSIONS, ge=2)

    @property
    def dimensions(self) -> int:
        """As many as asked for."""
        return self.size

    @property
    def box(self) -> Box:
        """Both sides of the valley."""
        return ((-2.0, 2.0),) * self.size

    def value(self, x: Array) -> Array:
        """The sum over all neighbours, (R, P) to (R,)."""
        bend, gap = x[:, 1:] - x[:, :-1] * x[:, :-1], 1 - x[:, :-1]
        total: Array = (100 * (bend * bend) + gap * gap).sum(axis=1)
        return total

    def gradient(self, x: Array, out: Array) -> None:
        """Of each term to its left coordinate, then to its right one."""
        bend = x[:, 1:] - x[:, :-1] * x[:, :-1]
        out[:, -1] = 0
        out[:, :-1] = -400 * x[:, :-1] * bend - 2 * (1 - x[:, :-1])
        out[:, 1:] += 200 * bend

    def curvature(self, x: Array, out: Array) -> None:
        """1200 x[i]^2 - 400 x[i+1] + 2, and 200 but for the first."""
        out[:, -1] = 0
        out[:, :-1] = 1200 * (x[:, :-1] * x[:, :-1]) - 400 * x[:, 1:] + 2
        out[:, 1:] += 200


@dataclass(frozen=True, kw_only=True)
class Beale(Surface):
    """Beale's function, a plateau with steep walls: do small gradients still move a run?

    f(x) = (1.5 - a + a b)^2 + (2.25 - a + a b^2)^2 + (2.625 - a + a b^3)^2 with a, b the two
    coordinates, least at (3, 0.5). Some starts slide into a valley that has no end.
    Starts: uniform in [-1, 4] x [-1, 1].
    Source: Beale, 1958.
    """

    @property
    def box(self) -> Box:
        """Around the plateau, below the walls."""
        return ((-1.0, 4.0), (-1.0, 1.0))

    def value(self, x: Array) -> Array:
        """The sum of the three squares, (R, 2) to (R,)."""
        first, second, third = self._residuals(x)
        return first * first + second * second + third * third

    def gradient(self, x: Array, out: Array) -> None:
        """Twice each residual times its derivative."""
        first, second, third = self._residuals(x)
        a, b = x[:, 0], x[:, 1]
        out[:, 0] = 2 * (first * (b - 1) + second * (b * b - 1) + third * (b * b * b - 1))
        out[:, 1] = 2 * a * (first + 2 * b * second + 3 * (b * b) * third)

    def curvature(self, x: Array, out: Array) -> None:
        """Squares of the derivatives, and residuals times second derivatives."""
        _, second, third = self._residuals(x)
        a, b = x[:, 0], x[:, 1]
        slopes = [b - 1, b * b - 1, b * b * b - 1]
        out[:, 0] = 2 * sum(slope * slope for slope in slopes)
        squares = 1 + 4 * (b * b) + 9 * (b * b * b * b)
        out[:, 1] = 2 * a * (a * squares + 2 * second + 6 * b * third)

    def _residuals(self, x: Array) -> tuple[Array, Array, Array]:
        """What is squared, (R,) each."""
        a, b = x[:, 0], x[:, 1]
        return 1.5 - a + a * b, 2.25 - a + a * (b * b), 2.625 - a + a * (b * b * b)


@dataclass(frozen=True, kw_only=True)
class Himmelblau(Surface):
    """Himmelblau's function, four equal minima: which one a run ends in does not matter.

    f(x) = (a^2 + b - 11)^2 + (a + b^2 - 7)^2 with a, b the two coordinates, 0 at (3, 2) and
    at three points more, with saddles between them.
    Starts: uniform in [-5, 5].
    Source: Himmelblau, Applied Nonlinear Programming, 1972.
    """

    @property
    def box(self) -> Box:
        """All four basins."""
        return ((-5.0, 5.0),) * 2

    def value(self, x: Array) -> Array:
        """The sum of both squares, (R, 2) to (R,)."""
        first, second = self._residuals(x)
        return first * first + second * second

    def gradient(self, x: Array, out: Array) -> None:
        """Twice each residual times its derivative."""
        first, second = self._residuals(x)
        out[:, 0] = 4 * x[:, 0] * first + 2 * second
        out[:, 1] = 2 * first + 4 * x[:, 1] * second

    def curvature(self, x: Array, out: Array) -> None:
        """8 a^2 + 4 first + 2, and the same of b."""
        first, second = self._residuals(x)
        out[:, 0] = 8 * (x[:, 0] * x[:, 0]) + 4 * first + 2
        out[:, 1] = 8 * (x[:, 1] * x[:, 1]) + 4 * second + 2

    def _residuals(self, x: Array) -> tuple[Array, Array]:
        """What is squared, (R,) each."""
        a, b = x[:, 0], x[:, 1]
        return a * a + b - 11, a + b * b - 7


@dataclass(frozen=True, kw_only=True)
class Rastrigin(Surface):
    """Rastrigin's function, a bowl full of dents: is a run caught in the nearest one?

    f(x) = sum over i of x[i]^2 + 10 - 10 cos(2 pi x[i]), least at 0, with a local minimum
    near every point of whole numbers. Descent with small steps ends in the nearest; momentum
    and noise can carry a run on.
    Starts: uniform in [-5.12, 5.12].
    Source: Rastrigin, 1974; in n dimensions Muehlenbein, Schomisch and Born, 1991.
    """

    size: int = setting(2, **DIMENSIONS, ge=1)

    @property
    def dimensions(self) -> int:
        """As many as asked for."""
        return self.size

    @property
    def box(self) -> Box:
        """Ten dents each way."""
        return ((-5.12, 5.12),) * self.size

    def value(self, x: Array) -> Array:
        """The sum over all coordinates, (R, P) to (R,)."""
        total: Array = (x * x + (10 - 10 * np.cos(2 * np.pi * x))).sum(axis=1)
        return total

    def gradient(self, x: Array, out: Array) -> None:
        """2 x + 20 pi sin(2 pi x)."""
        np.add(2 * x, 20 * np.pi * np.sin(2 * np.pi * x), out=out)

    def curvature(self, x: Array, out: Array) -> None:
        """2 + 40 pi^2 cos(2 pi x)."""
        np.add(40 * np.pi**2 * np.cos(2 * np.pi * x), 2, out=out)


@dataclass(frozen=True, kw_only=True)
class Saddle(Surface):
    """A saddle between two minima, entered along its ridge: how soon is it left again?

    f(x) = a^2 / 2 + b^4 / 4 - b^2 / 2 + 1/4 with a, b the two coordinates: a saddle of
    height 1/4 at 0, minima of height 0 at (0, 1) and (0, -1).
    Starts: a uniform in [-2, 2], b in [-0.001, 0.001], where the gradient leads to the saddle.
    Source: Nesterov, Introductory Lectures on Convex Optimization, 2004, example 1.2.2.
    """

    @property
    def box(self) -> Box:
        """A narrow strip along the ridge."""
        return ((-2.0, 2.0), (-0.001, 0.001))

    def value(self, x: Array) -> Array:
        """a^2 / 2 + (b^2 - 1)^2 / 4, which is the same, (R, 2) to (R,)."""
        a, well = x[:, 0], x[:, 1] * x[:, 1] - 1
        return 0.5 * (a * a) + 0.25 * (well * well)

    def gradient(self, x: Array, out: Array) -> None:
        """a and b^3 - b."""
        b = x[:, 1]
        out[:, 0] = x[:, 0]
        out[:, 1] = b * (b * b - 1)

    def curvature(self, x: Array, out: Array) -> None:
        """1 and 3 b^2 - 1."""
        out[:, 0] = 1
        out[:, 1] = 3 * (x[:, 1] * x[:, 1]) - 1
