"""A run trained again beside what was saved of it: which numbers are the same, and how nearly.

The same adamcli, NumPy, BLAS and processor give the same bits, so there nothing is tolerated.
Elsewhere products are summed in another order. Over the 2,240 steps of the spirals other
kernels of OpenBLAS moved no float64 loss by more than 1e-13 of itself and no parameter by more
than 3e-12; float32 losses moved by up to 1 %, and one run in six went another way altogether.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NamedTuple

import numpy as np

from adamcli.history import RunHistory
from adamcli.layout import Array
from adamcli.seeding import generator

TOLERANCES = {"float64": 1e-8, "float32": 1e-2}
"""What rounding may have grown to on another machine, relative to the number, by dtype."""

SAMPLE_SEED = 0
"""Fixes which runs a sample has."""


class Verdict(StrEnum):
    """How a run came out the second time."""

    IDENTICAL = "identical"
    TOLERATED = "within tolerance"
    DIFFERENT = "different"


class Difference(NamedTuple):
    """The first number that came out differently.

    Attributes:
        metric: what it is: `test_loss`, `initial test_loss`, `W1[3,4]`, `trace W1[0,0] m_hat`,
            `status`.
        epoch: the epoch in which it was recorded, 0 before the first step; None where there
            was none.
        step: the step after which it was recorded.
        saved, retrained: both values; None for what is not there.
        deviation: how far they are apart, relative to the saved value; infinite where that
            cannot be said.
    """

    metric: str
    epoch: int | None
    step: int
    saved: Any
    retrained: Any
    deviation: float = float("inf")


@dataclass(frozen=True)
class Reproduction:
    """What became of one run.

    Attributes:
        first: the first difference that the verdict rests on; None for an identical run.
        largest: the largest deviation of a number, as a `Difference` has it; 0 for none.
    """

    label: str
    seed: int
    verdict: Verdict
    first: Difference | None
    largest: float


class _Series(NamedTuple):
    """Numbers of one name over time, as saved and as trained again."""

    name: str
    saved: Array  # (T,)
    retrained: Array  # (T,)
    steps: Array  # (T,), after which step each was recorded
    scale: Array  # (T,) or (1,), what a deviation is relative to


def reproduction(saved: RunHistory, retrained: RunHistory, tolerance: float) -> Reproduction:
    """Compare every recorded number of a run.

    Args:
        tolerance: the largest deviation that is put down to rounding; 0 for none.
    """
    missing = [*_odd_ends(saved, retrained), *_odd_arrays(saved, retrained)]
    series = [
        *_initial(saved, retrained),
        *_metrics(saved, retrained),
        *_traces(saved, retrained),
        *_params(saved, retrained),
    ]
    largest = max((float(_deviations(each).max(initial=0)) for each in series), default=0.0)
    beyond = _first(saved, missing, series, tolerance)
    if beyond is not None:
        return Reproduction(*saved.key, Verdict.DIFFERENT, beyond, largest)
    bit = _first(saved, [], series, 0)
    verdict = Verdict.IDENTICAL if bit is None else Verdict.TOLERATED
    return Reproduction(*saved.key, verdict, bit, largest)


def sample(count: int, wanted: int | None) -> list[int]:
    """Which of so many runs are trained again, in order; all for None."""
    if wanted is None or wanted >= count:
        return list(range(count))
    order = generator(SAMPLE_SEED, "reproduction").permutation(count)
    return sorted(order[:wanted].tolist())


def changes(saved: Mapping[str, Any], here: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What of an environment may change numbers and is another one here.

    Args:
        saved: of the manifest.
        here: as `adamcli.environment.environment` gives it.

    Returns:
        `saved` and `here` by name, such as `numpy` or `blas`.
    """
    before, now = _facts(saved), _facts(here)
    return {
        name: {"saved": before[name], "here": now[name]}
        for name in now
        if before[name] != now[name]
    }


def _facts(environment: Mapping[str, Any]) -> dict[str, Any]:
    """What may change a number, by name; None for what an environment does not say."""
    names = ("adamcli", "git_commit", "python", "platform", "processor")
    facts = {name: environment.get(name) for name in names}
    blas = ", ".join(map(_library, environment.get("blas") or []))
    return {**facts, "numpy": environment.get("packages", {}).get("numpy"), "blas": blas or None}


def _library(blas: Mapping[str, Any]) -> str:
    """A BLAS in words; its threads do not matter, training takes one."""
    return " ".join(str(blas.get(fact)) for fact in ("library", "version", "kernel"))


def _odd_ends(saved: RunHistory, retrained: RunHistory) -> Iterator[Difference]:
    """A run that ended otherwise, or was evaluated more or less often."""
    stops = [h.stopped_at for h in (saved, retrained) if h.stopped_at is not None]
    if saved.status != retrained.status:
        yield Difference("status", None, min(stops), str(saved.status), str(retrained.status))
    elif saved.stopped_at != retrained.stopped_at:
        yield Difference("stopped_at", None, min(stops), saved.stopped_at, retrained.stopped_at)
    elif not np.array_equal(saved.steps, retrained.steps):
        counts = len(saved.steps), len(retrained.steps)
        yield Difference("evaluations", None, _last_step(saved), *counts)


def _odd_arrays(saved: RunHistory, retrained: RunHistory) -> Iterator[Difference]:
    """Series and parameters that are not there the second time, or of another shape."""
    for (name, before), now in zip(_arrays(saved), _same_arrays(saved, retrained), strict=True):
        if now is None or now.shape != before.shape:
            shape = str(now.shape) if now is not None else None
            yield Difference(name, None, _last_step(saved), str(before.shape), shape)


def _arrays(history: RunHistory) -> Iterator[tuple[str, Array]]:
    """Traces, norms and parameters by what messages call them."""
    for what, recorded in (("trace", history.traces), ("layer", history.layers)):
        for param, series in recorded.items():
            yield from ((f"{what} {param} {name}", values) for name, values in series.items())
    yield from history.params.items()


def _same_arrays(saved: RunHistory, retrained: RunHistory) -> Iterator[Array | None]:
    """What another history has under the names of a saved one."""
    found = dict(_arrays(retrained))
    yield from (found.get(name) for name, _ in _arrays(saved))


def _pairs(saved: RunHistory, retrained: RunHistory) -> Iterator[tuple[str, Array, Array]]:
    """Traces, norms and parameters that both have, in the same shape."""
    for (name, before), now in zip(_arrays(saved), _same_arrays(saved, retrained), strict=True):
        if now is not None and now.shape == before.shape:
            yield name, before, now


def _initial(saved: RunHistory, retrained: RunHistory) -> Iterator[_Series]:
    """The metrics before the first step, where they were saved, each as a series of one."""
    for name, value in saved.initial.items():
        before, now = np.array([value]), np.array([retrained.initial.get(name, np.nan)])
        scale = np.ones(1) if name.endswith("accuracy") else np.abs(before)
        yield _Series(f"initial {name}", before, now, np.zeros(1, dtype=np.int64), scale)


def _metrics(saved: RunHistory, retrained: RunHistory) -> Iterator[_Series]:
    """Every metric over the evaluations that both have."""
    count = min(len(saved.steps), len(retrained.steps))
    for name, values in saved.metrics.items():
        before, now = values[:count], retrained.metrics[name][:count]
        scale = np.ones(1) if name.endswith("accuracy") else np.abs(before)
        yield _Series(name, before, now, saved.steps[:count], scale)


def _traces(saved: RunHistory, retrained: RunHistory) -> Iterator[_Series]:
    """What was recorded at every step."""
    for name, before, now in _pairs(saved, retrained):
        if name not in saved.params:
            yield _Series(name, before, now, np.arange(1, len(before) + 1), _largest(before))


def _params(saved: RunHistory, retrained: RunHistory) -> Iterator[_Series]:
    """The final parameters, each array as a series at the last step."""
    for name, before, now in _pairs(saved, retrained):
        if name in saved.params:
            steps = np.full(before.size, _last_step(saved))
            yield _Series(name, before.ravel(), now.ravel(), steps, _largest(before))


def _first(
    saved: RunHistory, found: Sequence[Difference], series: Sequence[_Series], tolerance: float
) -> Difference | None:
    """The earliest of the differences that are found and those of series beyond a tolerance."""
    differences = list(found)
    for each in series:
        deviations = _deviations(each)
        beyond = np.flatnonzero(deviations > tolerance)
        if len(beyond):
            place = int(beyond[0])
            differences.append(_difference(saved, each, place, float(deviations[place])))
    return min(differences, key=lambda difference: difference.step, default=None)


def _deviations(series: _Series) -> Array:
    """How far each number is off, relative to its scale, (T,); 0 for the same bits alone."""
    before, now = (values.astype(np.float64) for values in (series.saved, series.retrained))
    same = (before == now) & (np.signbit(before) == np.signbit(now))
    same |= np.isnan(before) & np.isnan(now)
    with np.errstate(all="ignore"):
        off = np.abs(before - now) / np.where(series.scale > 0, series.scale, 1)
    off = np.where(np.isfinite(off), np.maximum(off, np.finfo(np.float64).tiny), np.inf)
    return np.where(same, 0, off)


def _difference(saved: RunHistory, series: _Series, place: int, deviation: float) -> Difference:
    """The difference at one place of a series."""
    step = int(series.steps[place])
    at = int(np.searchsorted(saved.steps, step))
    epoch = int(saved.epochs[at]) if at < len(saved.epochs) else None
    epoch = epoch if step else 0
    name = series.name
    if name in saved.params:
        entry = np.unravel_index(place, saved.params[name].shape)
        name = f"{name}[{','.join(map(str, entry))}]"
    values = float(series.saved[place]), float(series.retrained[place])
    return Difference(name, epoch, step, *values, deviation)


def _largest(values: Array) -> Array:
    """The largest magnitude, (1,), in which the deviations of an array are told."""
    finite = np.abs(values[np.isfinite(values)])
    return np.array([finite.max() if finite.size else 1.0], dtype=np.float64)


def _last_step(history: RunHistory) -> int:
    """The step after which a run stood still."""
    if history.stopped_at is not None:
        return max(0, history.stopped_at - 1)
    return int(history.steps[-1]) if len(history.steps) else 0
