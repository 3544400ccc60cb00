"""What a claim can be about: one number of a run, by the name that a claim file gives it.

    train_loss, test_accuracy, ...        a score at the horizon; of accuracies more is better
    accuracy_gap                          train_accuracy - test_accuracy at the horizon
    grad_norm, update_size                of the last step before the horizon
    steps to test_accuracy 0.99           when a score first held a value
    update at step 1                      size of a traced series at a step
    m_hat over mean gradient at step 10   the same in units of the mean of the gradients so far
    roughness of m_hat                    how much a traced series changes from step to step

Sizes of traced series are root mean squares over the traced parameters. Accuracies and their
gap are compared by their difference, everything else by the logarithm of its ratio.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np

from adamcli.layout import Array
from adamcli.stats.comparing import DIFFERENCE, LOG_RATIO
from adamcli.stats.runs import SCORES, Trained, final, higher_is_better, worst
from adamcli.stats.targets import Target, time_to_target

LESS, MORE = "less", "more"
"""Which of two values of a metric is in favour of its label."""

FORMS = (
    *SCORES,
    "accuracy_gap",
    "grad_norm",
    "update_size",
    "steps to SCORE VALUE",
    "SERIES at step T",
    "SERIES over mean gradient at step T",
    "roughness of SERIES",
)
"""How metrics are named; capitals stand for what is to be filled in."""


class Recorded(Trained, Protocol):
    """A run with what was recorded at every step."""

    @property
    def traces(self) -> Mapping[str, Mapping[str, Array]]:
        """For each traced parameter its series, (T,) each; T steps."""
        ...


@dataclass(frozen=True)
class Aspect:
    """One number of a run.

    Attributes:
        name: as a claim file writes it.
        unit: `LOG_RATIO` or `DIFFERENCE`.
        value: of a run at a horizon in epochs, None for the end; NaN where it has none. A run
            that did not get there has the worst there is, if there is a worst.
        better: `LESS` or `MORE` if one of them is better, whatever is claimed.
        needs: the metrics that it is computed from.
        traced: whether it is computed from traces.
        by_order: whether it is tested by order, as infinity is among its values.
    """

    name: str
    unit: str
    value: Callable[[Recorded, int | None], float]
    better: str | None = None
    needs: tuple[str, ...] = ()
    traced: bool = False
    by_order: bool = False

    @property
    def is_factor(self) -> bool:
        """Whether it is compared by a factor."""
        return self.unit == LOG_RATIO

    @property
    def at_horizon(self) -> bool:
        """Whether it is a value at the horizon, not at a step that its name says."""
        return bool(self.needs) and not self.by_order


def aspect_of(name: str) -> Aspect | None:
    """The aspect of a name; None if there is none, see `FORMS`."""
    if name in SCORES:
        better, unit = (MORE, DIFFERENCE) if higher_is_better(name) else (LESS, LOG_RATIO)
        return Aspect(name, unit, partial(_score, name), better, (name,))
    if name == "accuracy_gap":
        return Aspect(name, DIFFERENCE, _gap, LESS, ("train_accuracy", "test_accuracy"))
    if name in ("grad_norm", "update_size"):
        return Aspect(name, LOG_RATIO, partial(_measured, name), None, (name,))
    for form, made in _MADE.items():
        if found := form.fullmatch(name):
            return made(name, *found.groups())
    return None


def _steps_to(name: str, score: str, value: str) -> Aspect | None:
    """The steps until a score first held a value."""
    target = Target(score, float(value))
    steps = partial(_steps, target)
    return Aspect(name, LOG_RATIO, steps, LESS, (score,), by_order=True)


def _traced(value: Callable[..., float]) -> Callable[..., Aspect | None]:
    """What makes an aspect from the series and the step in its name, if it names a step."""

    def made(name: str, series: str, *steps: str) -> Aspect | None:
        at = [int(step) for step in steps]
        return (
            Aspect(name, LOG_RATIO, partial(value, series, *at), traced=True) if all(at) else None
        )

    return made


def _score(name: str, run: Recorded, horizon: int | None) -> float:
    """A score, the worst where the run did not get there."""
    value = final(run, name) if horizon is None else _at(run, name, horizon)
    return worst(name) if math.isnan(value) else value


def _measured(name: str, run: Recorded, horizon: int | None) -> float:
    """What is neither good nor bad, so that a run that did not get there has none."""
    return run.final(name) if horizon is None else _at(run, name, horizon)


def _gap(run: Recorded, horizon: int | None) -> float:
    """How much better a run does on the points it was trained on; infinite if it did not finish."""
    train, test = (_measured(f"{part}_accuracy", run, horizon) for part in ("train", "test"))
    return math.inf if math.isnan(train - test) else train - test


def _at(run: Recorded, name: str, epoch: int) -> float:
    """A metric as evaluated after an epoch; NaN where it was not."""
    places = np.flatnonzero(run.epochs == epoch)
    values = run.metrics.get(name, np.empty(0))
    return float(values[places[0]]) if len(places) and len(values) else math.nan


def _steps(target: Target, run: Recorded, horizon: int | None) -> float:
    """When a target was first held; infinite for a miss."""
    return time_to_target(run, target).step


def _series_at(name: str, step: int, run: Recorded, horizon: int | None) -> float:
    """The size of a series at a step, from 1."""
    return _size([values[step - 1] for values in _series(run, name, step)])


def _over_gradient(name: str, step: int, run: Recorded, horizon: int | None) -> float:
    """The size of a series at a step over that of the mean of the gradients up to it."""
    mean = _size([values[:step].mean() for values in _series(run, "grad", step)])
    return _series_at(name, step, run, horizon) / mean if mean else math.nan


def _roughness(name: str, run: Recorded, horizon: int | None) -> float:
    """The size of a series' changes from step to step over that of the series itself."""
    series = _series(run, name, 2)
    changes = _size([_size(np.diff(values)) for values in series])
    size = _size([_size(values) for values in series])
    return changes / size if size else math.nan


def _series(run: Recorded, name: str, steps: int) -> list[Array]:
    """A series of every traced parameter, (T,) each; none where one is missing or too short."""
    found = [series.get(name, np.empty(0)) for series in run.traces.values()]
    return found if all(len(values) >= steps for values in found) else []


def _size(values: Array | list[float]) -> float:
    """The root mean square; NaN of nothing."""
    return float(np.sqrt(np.mean(np.square(values)))) if len(values) else math.nan


_SERIES, _STEP = r"([A-Za-z]\w*)", r"([0-9]{1,9})"
_MADE: dict[re.Pattern[str], Callable[..., Aspect | None]] = {
    re.compile(rf"steps to ({'|'.join(SCORES)}) ([0-9]+(?:\.[0-9]+)?(?:e-?[0-9]+)?)"): _steps_to,
    re.compile(rf"{_SERIES} at step {_STEP}"): _traced(_series_at),
    re.compile(rf"{_SERIES} over mean gradient at step {_STEP}"): _traced(_over_gradient),
    re.compile(rf"roughness of {_SERIES}"): _traced(_roughness),
}
