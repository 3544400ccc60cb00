"""A function with a known minimum for every row of a stack, as a problem."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np

from adamcli.layout import Array, Layout
from adamcli.seeding import Rng, generator

# Where the squares of all gradients sum to less, the values of all landscapes are finite.
_SURELY_FINITE = 1e200


class Landscape(Protocol):
    """A differentiable function on R rows, in whatever precision they come."""

    def value(self, x: Array) -> Array:
        """By how much f is above its minimum, (R, P) to (R,)."""
        ...

    def gradient(self, x: Array, out: Array) -> None:
        """out <- gradient of f, (R, P)."""
        ...

    def curvature(self, x: Array, out: Array) -> None:
        """out <- diagonal of the Hessian of f, (R, P)."""
        ...


class Seeds:
    """What the seeds of a stack stand for, drawn once for each seed and shared by its rows.

    Args:
        seeds: one per row.
    """

    def __init__(self, seeds: Sequence[int]) -> None:
        self.distinct = list(dict.fromkeys(seeds))
        places = {seed: place for place, seed in enumerate(self.distinct)}
        self.rows = np.array([places[seed] for seed in seeds])

    def drawn(self, purpose: str, draw: Callable[[Rng], Array]) -> Array:
        """What `draw` makes of each row's stream for a purpose, (R, ...)."""
        return np.stack([draw(generator(seed, purpose)) for seed in self.distinct])[self.rows]


class Normals:
    """Normal numbers (R, P) for each step; rows of one seed get the same ones.

    Args:
        seeds: of the rows.
        purpose: whose stream they are drawn from.
        steps: of an epoch; so many are drawn at once.
        size: P.
        deviation: their standard deviation.
    """

    def __init__(self, seeds: Seeds, purpose: str, steps: int, size: int, deviation: float) -> None:
        self._streams = [generator(seed, purpose) for seed in seeds.distinct]
        self._rows = seeds.rows
        self._shape = (steps, size)
        self._deviation = deviation

    def at(self, step: int) -> Array:
        """Those of a step of the epoch, (R, P) float64; step 0 draws those of a new epoch."""
        if step == 0:
            draws = [rng.normal(0.0, self._deviation, self._shape) for rng in self._streams]
            self._epoch = np.stack(draws, axis=1)  # (steps, seeds, P)
        return self._epoch[step, self._rows]


class LandscapeStack:
    """R rows on a landscape; a `Problem`, whose train loss is the height above the minimum.

    Args:
        start: (R, P), where the rows begin, in the precision of the training.
        steps_per_epoch: of equal steps, since there are no batches.
        noise: added to the gradients, if any.
        walk: how far the whole landscape moves before each step, if it does.
    """

    def __init__(
        self,
        landscape: Landscape,
        start: Array,
        steps_per_epoch: int,
        noise: Normals | None = None,
        walk: Normals | None = None,
    ) -> None:
        self.layout = Layout.of({"x": start.shape[1:]})
        self.steps_per_epoch = steps_per_epoch
        self._landscape = landscape
        self._start = start
        self._noise = noise
        self._walk = walk
        self._origin = np.zeros(start.shape)
        self._latest = start

    def start(self) -> Array:
        """The initial parameters, a new (R, P) array."""
        return self._start.copy()

    def gradient(self, params: Array, batch: int, out: Array) -> bool:
        """out <- gradient where the landscape is now, with noise, (R, P)."""
        if self._walk is not None:
            self._origin += self._walk.at(batch)
        self._latest = params
        self._landscape.gradient(self._seen(params), out)
        if self._noise is not None:
            np.add(out, self._noise.at(batch), out=out, casting="same_kind")
        flat = out.reshape(-1)
        return bool(flat.dot(flat) < _SURELY_FINITE) or bool(self.finite().all())

    def skip(self, epochs: int) -> None:
        """Draw the noise of so many epochs, and walk step by step: the order of a sum counts."""
        for _ in range(epochs):
            if self._noise is not None:
                self._noise.at(0)
            if self._walk is not None:
                for step in range(self.steps_per_epoch):
                    self._origin += self._walk.at(step)

    def finite(self) -> Array:
        """Whether each row's value at the latest parameters is finite, (R,)."""
        return np.asarray(np.isfinite(self._value(self._latest)))

    def curvature(self, params: Array, out: Array) -> None:
        """out <- diagonal of the Hessian where the landscape is now, (R, P)."""
        self._landscape.curvature(self._seen(params), out)

    def evaluate(self, params: Array) -> dict[str, Array]:
        """The height above the minimum, (R,), in double precision whatever the training's."""
        return {"train_loss": self._value(params)}

    def _value(self, params: Array) -> Array:
        """The height above the minimum where the landscape is now, (R,) float64."""
        return self._landscape.value(params - self._origin)  # the origin is in double precision

    def _seen(self, params: Array) -> Array:
        """The parameters (R, P) as the landscape sees them, from its own origin."""
        return params if self._walk is None else (params - self._origin).astype(params.dtype)
