"""Where every run of a training stands, and what that makes of each label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from adamcli import stats
from adamcli.history import METRICS
from adamcli.layout import Array

if TYPE_CHECKING:
    from adamcli.config import Run
    from adamcli.runner import Block, Progress

CURVE_POINTS = 24
"""Points that are kept of each run's loss curve."""


class Over(NamedTuple):
    """A number over the runs of each of L labels, (L,) each; NaN where none has it."""

    min: Array
    median: Array
    max: Array


@dataclass(frozen=True)
class Standings:
    """Where the first L labels stand.

    Attributes:
        labels: their names, (L,).
        runs: how many runs each has, (L,).
        epochs: epochs to do, (L,).
        epoch: epochs done.
        diverged: how many runs have diverged, (L,).
        failed: how many runs have failed, (L,).
        metrics: the metrics by name, over the runs that have reported. A diverged or failed
            run counts as worst in loss and accuracy and has no gradient norm and no update.
        curves: the median loss over the length of the training, (L, CURVE_POINTS); NaN for
            what is still to come, infinite after a run has stopped.
    """

    labels: Sequence[str]
    runs: Array
    epochs: Array
    epoch: Over
    diverged: Array
    failed: Array
    metrics: Mapping[str, Over]
    curves: Array


@dataclass(slots=True)
class _Place:
    """Where one block stands, and what of it has not been entered on the board.

    Attributes:
        points: how many points of the curves are known.
        curve: from which point to which the runs had which losses.
        news: whether there is anything to enter.
    """

    epochs: int
    epoch: int = 0
    metrics: Mapping[str, Array] = field(default_factory=dict)
    diverged_at: Array | int = 0
    failed: Sequence[int] = ()
    points: int = 0
    curve: list[tuple[int, int, Array]] = field(default_factory=list)
    news: bool = True


class Board:
    """Collects the news of a training; cheap to tell, dear to ask.

    Attributes:
        labels: the names of the settings, in the order of the runs.
        most_runs: the largest number of runs that a label has.
        total: epochs to do, summed over all runs.
        done: epochs done.
    """

    def __init__(self, runs: Sequence[Run]) -> None:
        members: dict[str, list[int]] = {}
        for number, run in enumerate(runs):
            members.setdefault(run.label, []).append(number)
        self.labels = list(members)
        self.most_runs = max(map(len, members.values()), default=0)
        self.total = sum(run.task.epochs for run in runs)
        self.done = 0
        self._places: dict[Block, _Place] = {}
        # Labels with fewer runs than others are filled up with the run -1, of which nothing
        # is ever known.
        self._runs = _rectangle(list(members.values()), self.most_runs)
        self._epochs = np.array([*(run.task.epochs for run in runs), 0])
        self._epoch = np.append(np.zeros(len(runs)), np.nan)
        self._diverged = np.zeros(len(runs) + 1, dtype=bool)
        self._failed = np.zeros(len(runs) + 1, dtype=bool)
        self._metrics = {name: np.full(len(runs) + 1, np.nan) for name in METRICS}
        measured = [*(run.task.metrics for run in runs), ()]
        self._scored = {
            name: np.array([name in metrics for metrics in measured]) for name in stats.SCORES
        }
        self._curve = np.full((CURVE_POINTS, len(runs) + 1), np.nan)

    @property
    def progress(self) -> float:
        """The share of the training that is done, 0 to 1."""
        return self.done / self.total if self.total else 1.0

    def note(self, progress: Progress) -> None:
        """Remember where a block stands; keeps references to its metrics, copies nothing."""
        block, snapshot = progress.block, progress.snapshot
        place = self._places.get(block)
        if place is None:
            place = self._places[block] = _Place(int(self._epochs[block[0]]))
        epoch = place.epochs if progress.finished else snapshot.epoch
        self.done += (epoch - place.epoch) * len(block)
        place.epoch, place.news = epoch, True
        place.metrics, place.diverged_at = snapshot.metrics, snapshot.diverged_at
        place.failed = [block[row] for row in snapshot.failed]
        points = -(-snapshot.epoch * CURVE_POINTS // place.epochs)
        if points != place.points:
            place.curve.append((place.points, points, snapshot.metrics["train_loss"]))
            place.points = points

    def standings(self, labels: int | None = None) -> Standings:
        """Where the first labels stand, or all of them."""
        self._enter_news()
        runs = self._runs[:labels]
        return Standings(
            labels=self.labels[:labels],
            runs=np.count_nonzero(runs >= 0, axis=1),
            epochs=self._epochs[runs].max(axis=1, initial=0),
            epoch=_over(self._epoch[runs]),
            diverged=np.count_nonzero(self._diverged[runs], axis=1),
            failed=np.count_nonzero(self._failed[runs], axis=1),
            metrics={name: self._metric(name, runs) for name in METRICS},
            curves=_over(self._curve[:, runs]).median.T,
        )

    def _enter_news(self) -> None:
        """Enter what the blocks have reported since the last time."""
        for block, place in self._places.items():
            if not place.news:
                continue
            runs = list(block)
            self._epoch[runs] = place.epoch
            self._diverged[runs] = place.diverged_at
            self._failed[list(place.failed)] = True
            for name, values in place.metrics.items():
                self._metrics[name][runs] = values
            for start, stop, losses in place.curve:
                self._curve[start:stop, runs] = np.where(np.isnan(losses), np.inf, losses)
            place.curve.clear()
            place.news = False

    def _metric(self, name: str, runs: Array) -> Over:
        """A metric over each label's runs (L, n)."""
        values = self._metrics[name][runs]
        if name in stats.SCORES and not np.isnan(self._metrics[name]).all():
            stopped = self._diverged[runs] | self._failed[runs]
            lost = stopped & self._scored[name][runs]
            values = np.where(lost, stats.worst(name), values)
        return _over(values)


def _rectangle(members: Sequence[Sequence[int]], width: int) -> Array:
    """Rows of numbers, short ones filled up with -1, (L, width)."""
    rows = [[*row, *[-1] * (width - len(row))] for row in members]
    return np.array(rows, dtype=np.int64).reshape(len(members), width)


def _over(values: Array) -> Over:
    """Minimum, median and maximum along the last axis, leaving out NaN: (..., n) to (...)."""
    ordered = np.sort(values, axis=-1)  # NaN comes last
    count = np.count_nonzero(~np.isnan(values), axis=-1)
    low, below, above, high = (
        np.take_along_axis(ordered, np.maximum(place, 0)[..., None], axis=-1)[..., 0]
        for place in (0 * count, (count - 1) // 2, count // 2, count - 1)
    )
    middle = np.where(count % 2, below, below / 2 + above / 2)
    return Over(low, np.where(count, middle, np.nan), high)
