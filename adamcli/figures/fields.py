"""What a network predicts over the plane of its data: the numbers behind a boundary map."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from adamcli.figures.scales import limits
from adamcli.history import RunHistory
from adamcli.layout import Array
from adamcli.problems import NetworkTask, Split, predict
from adamcli.seeding import streams

# Points along a side of the grid; fewer where the network would take seconds over them.
_SIDE, _LEAST_SIDE = 200, 40
_OPERATIONS = 2e9

# Activations of a piece of the grid stay in the cache.
_PIECE_BYTES = 4 * 2**20


class Extent(NamedTuple):
    """The part of the plane that is shown."""

    left: float
    right: float
    bottom: float
    top: float


@dataclass(frozen=True)
class Field:
    """The predictions of one network on a square grid.

    Attributes:
        extent: where the grid lies.
        chances: (side, side, K) probabilities of the classes, rows from bottom to top.
    """

    extent: Extent
    chances: Array

    @property
    def coordinates(self) -> tuple[Array, Array]:
        """The first and the second input along the grid, (side,) each."""
        return _coordinates(self.extent, len(self.chances))

    def margins(self) -> list[Array]:
        """By how much each class beats the best of the others, (side, side) each.

        A class's boundary is where its margin is zero; two classes share theirs.
        """
        ranked = np.sort(self.chances, axis=-1)
        best, second = ranked[..., -1], ranked[..., -2]
        classes = self.chances.shape[-1]
        return [
            np.where(chance == best, best - second, chance - best)
            for chance in np.moveaxis(self.chances, -1, 0)[: 1 if classes == 2 else classes]
        ]


def split_of(task: NetworkTask) -> Split:
    """The data that a task was trained and tested on."""
    return task.dataset.split(streams(task.random, task.seed))


def extent_of(splits: Sequence[Split]) -> Extent:
    """The range of all training points (n, 2) with a margin."""
    across, up = (limits([split.train_x[:, axis] for split in splits]) for axis in (0, 1))
    return Extent(*(across or (0.0, 1.0)), *(up or (0.0, 1.0)))


def flat_params(task: NetworkTask, history: RunHistory) -> Array:
    """The parameters of a trained network end to end, (P,)."""
    return np.concatenate([history.params[t.name].ravel() for t in task.layout.tensors])


def field(task: NetworkTask, history: RunHistory, extent: Extent) -> Field:
    """The predictions of a trained network over an extent."""
    params = flat_params(task, history)
    side, rows = _side(task), _rows(task)
    grid = np.stack(np.meshgrid(*_coordinates(extent, side)), axis=-1).reshape(-1, 2)
    with np.errstate(all="ignore"):
        pieces = [predict(task, params, grid[at : at + rows]) for at in range(0, len(grid), rows)]
    return Field(extent, np.nan_to_num(np.concatenate(pieces)).reshape(side, side, -1))


def _coordinates(extent: Extent, side: int) -> tuple[Array, Array]:
    """`side` evenly spaced places along both sides of an extent."""
    return (
        np.linspace(extent.left, extent.right, side),
        np.linspace(extent.bottom, extent.top, side),
    )


def _side(task: NetworkTask) -> int:
    """How many points a side of the grid has."""
    affordable = math.isqrt(int(_OPERATIONS / (2 * task.layout.size)))
    return max(_LEAST_SIDE, min(_SIDE, affordable))


def _rows(task: NetworkTask) -> int:
    """How many points are predicted at once."""
    return max(64, _PIECE_BYTES // (16 * (sum(task.model.hidden) + task.outputs)))
