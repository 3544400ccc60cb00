"""What is kept of a training: metrics over time, final parameters, traces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from adamcli.layout import Array


class Status(StrEnum):
    """How a run ended."""

    FINISHED = "finished"
    DIVERGED = "diverged"
    FAILED = "failed"


@dataclass(frozen=True)
class Failure:
    """How a run failed: its rule broke its contract, or its process died.

    Attributes:
        step: at which step, of a lost run the last that is known of; 0 before the first.
        message: what, where and how to mend it.
        log: the traceback of the rule's code, empty where it raised nothing.
        lost: whether it is not the rule's fault but the end of the process that trained it;
            such a run is trained again by the next `run`.
    """

    step: int
    message: str
    log: str = ""
    lost: bool = False


VALIDATION = ("validation_loss", "validation_accuracy")
"""Metrics on points held out for tuning, measured while tuning alone."""

METRICS = (
    "train_loss",
    "train_accuracy",
    "test_loss",
    "test_accuracy",
    "grad_norm",
    "update_size",
    *VALIDATION,
)
"""The metrics of a run in the order of metrics.csv; a task has some of them."""

MEASURED = ("grad_norm", "update_size")
"""Those of them that the training itself measures, whatever it minimises."""


def metrics_of(task: Iterable[str]) -> list[str]:
    """The metrics of a run, ordered: those of its task and those of any training."""
    known = {*task, *MEASURED}
    return [name for name in METRICS if name in known]


LAYER_SERIES = ("weight", "grad", "update", "ratio")
"""Of a named array at each step: the Euclidean norms of its parameters before the step, of
its gradient as the rule is given it, of its update, and update over parameters."""

Taken = Mapping[int, Mapping[str, Array]]
"""What was recorded of some rows of a stack since the last evaluation, (steps, K) each."""


@dataclass(frozen=True)
class Memory:
    """All that a training needs to go on later with the same bits.

    Attributes:
        facts: plain values, as JSON has them.
        arrays: by name; order of axes in memory counts, since sums depend on it.
    """

    facts: dict[str, Any] = field(default_factory=dict)
    arrays: dict[str, Array] = field(default_factory=dict)

    @classmethod
    def joined(cls, parts: Mapping[str, Memory]) -> Memory:
        """One memory of several parts, each with a name."""
        facts = {name: part.facts for name, part in parts.items()}
        arrays = {
            f"{name}/{key}": array
            for name, part in parts.items()
            for key, array in part.arrays.items()
        }
        return cls(facts, arrays)

    def part(self, name: str) -> Memory:
        """One of the parts that were joined, without its arrays if there are none.

        Raises:
            ValueError: there is no such part.
        """
        if name not in self.facts:
            raise ValueError(f"no {name} is remembered")
        start = f"{name}/"
        arrays = {k.removeprefix(start): a for k, a in self.arrays.items() if k.startswith(start)}
        return Memory(self.facts[name], arrays)

    def check(self, like: Mapping[str, Array]) -> None:
        """Refuse arrays that are not of the names, shapes and dtypes of others.

        Raises:
            ValueError: they are not; the message names the first that differs.
        """
        if self.arrays.keys() != like.keys():
            names = [", ".join(sorted(each)) or "nothing" for each in (self.arrays, like)]
            raise ValueError(f"remembered is {names[0]} where there is {names[1]}")
        for name, array in like.items():
            kinds = [f"{each.dtype} {each.shape}" for each in (self.arrays[name], array)]
            if kinds[0] != kinds[1]:
                raise ValueError(f"{name} is {kinds[1]}, remembered {kinds[0]}")


def memory_axes(array: Array) -> tuple[int, ...]:
    """The axes of an array from the slowest to the fastest in memory.

    Transposed by them, an array without gaps is C-contiguous.
    """
    return tuple(int(axis) for axis in np.argsort([-s for s in array.strides], kind="stable"))


def laid_out(array: Array, axes: Sequence[int]) -> Array:
    """A copy of an array, without gaps, whose `memory_axes` are the given ones."""
    copy: Array = array.transpose(axes).copy(order="C").transpose(np.argsort(axes))
    return copy


@dataclass(frozen=True, slots=True)
class RunHistory:
    """All that is recorded of one run.

    Attributes:
        label: which setting of the experiment; unique together with `seed`.
        optimizer: the name of its rule.
        cell: the swept values of the problem, empty without a sweep.
        diverged_at: the step whose loss was not finite, None where all were.
        epochs: (E,), how many epochs were done at each evaluation.
        steps: (E,), how many steps were done.
        metrics: some of `METRICS`, each (E,) float64; a diverged or failed run ends before
            that, so E may be 0.
        params: the final value of every parameter array, by name.
        traces: for each traced parameter its series, each (T,), one value per step.
        layers: for each named array the `LAYER_SERIES`, each (T,), where they are recorded.
        failure: how its rule failed, None where it did not.
        initial: the metrics of its task before the first step, as far as they are finite.
    """

    label: str
    optimizer: str
    cell: str
    seed: int
    diverged_at: int | None
    epochs: Array
    steps: Array
    metrics: Mapping[str, Array]
    params: Mapping[str, Array] = field(default_factory=dict)
    traces: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    layers: Mapping[str, Mapping[str, Array]] = field(default_factory=dict)
    failure: Failure | None = None
    initial: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        wrong = [name for name, values in self.metrics.items() if values.shape != self.epochs.shape]
        if wrong or self.steps.shape != self.epochs.shape:
            raise ValueError(f"{wrong or 'steps'} and epochs differ in length")

    @property
    def key(self) -> tuple[str, int]:
        """Label and seed, which name the run within its experiment."""
        return (self.label, self.seed)

    @property
    def status(self) -> Status:
        """How the run ended."""
        if self.failure is not None:
            return Status.FAILED
        return Status.FINISHED if self.diverged_at is None else Status.DIVERGED

    @property
    def stopped_at(self) -> int | None:
        """The step at which it diverged or failed, None for a finished run."""
        return self.diverged_at if self.failure is None else self.failure.step

    def final(self, metric: str) -> float:
        """The last value of a metric; NaN for a run that stopped or a metric it has not."""
        if self.status is not Status.FINISHED or metric not in self.metrics:
            return float("nan")
        return float(self.metrics[metric][-1])

    def best(self, metric: str) -> float:
        """The smallest loss or the largest accuracy it ever had; NaN if there is none."""
        values = self.metrics.get(metric, np.empty(0))
        if not len(values):
            return float("nan")
        return float(values.max() if metric.endswith("accuracy") else values.min())


class StackHistory:
    """Metrics of a stack of R runs as they come, time first: (E, R)."""

    def __init__(self, runs: int) -> None:
        self._runs = runs
        self._epochs: list[int] = []
        self._steps: list[int] = []
        self._metrics: list[Mapping[str, Array]] = []
        self._traces: list[Taken] = []
        self._layers: list[Taken] = []

    def append(
        self,
        epoch: int,
        step: int,
        metrics: Mapping[str, Array],
        traces: Taken,
        layers: Taken | None = None,
    ) -> None:
        """Add an evaluation: metrics are (R,) each, traces and layers as in a snapshot.

        Raises:
            ValueError: a metric is not of shape (R,) or the names changed.
        """
        for name, values in metrics.items():
            if values.shape != (self._runs,):
                raise ValueError(f"{name} has shape {values.shape}, expected ({self._runs},)")
        if self._metrics and metrics.keys() != self._metrics[0].keys():
            raise ValueError(f"metrics changed from {[*self._metrics[0]]} to {[*metrics]}")
        self._epochs.append(epoch)
        self._steps.append(step)
        self._metrics.append(metrics)
        self._traces.append(traces)
        self._layers.append(layers or {})

    def memory(self) -> Memory:
        """All of it, the pieces of each series as one."""
        times = {"epochs": np.array(self._epochs, int), "steps": np.array(self._steps, int)}
        names = self._metrics[0] if self._metrics else ()
        metrics = {name: np.array([m[name] for m in self._metrics]) for name in names}
        parts = {"times": Memory(arrays=times), "metrics": Memory(arrays=metrics)}
        for kind, pieces in (("traces", self._traces), ("layers", self._layers)):
            rows = {str(row): Memory(arrays=_whole(pieces, row)) for row in _rows(pieces)}
            parts[kind] = Memory.joined(rows)
        return Memory.joined(parts)

    def recall(self, memory: Memory) -> None:
        """Be as another history of as many runs was at its `memory`.

        Raises:
            ValueError: the memory is none of so many runs.
        """
        times, metrics = memory.part("times").arrays, memory.part("metrics").arrays
        evaluations = len(times["epochs"])
        for name, values in metrics.items():
            if values.shape != (evaluations, self._runs):
                expected = (evaluations, self._runs)
                raise ValueError(f"{name} has shape {values.shape}, expected {expected}")
        self._epochs, self._steps = times["epochs"].tolist(), times["steps"].tolist()
        self._metrics = [
            {name: values[k] for name, values in metrics.items()} for k in range(evaluations)
        ]
        if evaluations:
            self._traces = [_by_row(memory.part("traces"))]
            self._layers = [_by_row(memory.part("layers"))]

    def times(self, row: int) -> tuple[Array, Array, dict[str, Array]]:
        """Epochs, steps and metrics of one run up to where it stopped, each (E,)."""
        loss = np.array([metrics["train_loss"][row] for metrics in self._metrics])
        count = len(loss) - np.count_nonzero(np.isnan(loss))
        names = self._metrics[0]
        metrics = {name: np.array([m[name][row] for m in self._metrics[:count]]) for name in names}
        epochs, steps = (np.array(v[:count], np.int64) for v in (self._epochs, self._steps))
        return epochs, steps, metrics

    def trace(self, row: int, steps: int) -> dict[str, Array]:
        """The recorded series of one traced run over its first `steps` steps, (steps, K) each."""
        return {name: values[:steps] for name, values in _whole(self._traces, row).items()}

    def norms(self, row: int, steps: int) -> dict[str, Array]:
        """The norms of one run's named arrays over its first `steps` steps, (steps, T) each."""
        return {name: values[:steps] for name, values in _whole(self._layers, row).items()}


def _rows(pieces: Sequence[Taken]) -> Iterable[int]:
    """Of which rows there are series; the same in every piece."""
    return pieces[0] if pieces else ()


def _whole(pieces: Sequence[Taken], row: int) -> dict[str, Array]:
    """The series of a row that came in pieces."""
    return {name: np.concatenate([p[row][name] for p in pieces]) for name in pieces[0][row]}


def _by_row(memory: Memory) -> Taken:
    """The series of all rows, as one piece."""
    return {int(row): memory.part(row).arrays for row in memory.facts}
