"""What went on inside the runs of a result: as recorded, or recorded by a second training."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from adamcli import figures
from adamcli.cli import output
from adamcli.config import Run
from adamcli.errors import UsageError
from adamcli.history import RunHistory
from adamcli.layout import Array
from adamcli.palette import run_styles
from adamcli.runner import Progress, train_runs
from adamcli.store import Result
from adamcli.text import slug, suggestion


@dataclass(frozen=True)
class Choice:
    """Which runs to look into.

    Attributes:
        optimizers: labels or names of rules; empty for all.
        seed: None for the first.
        compare: whether they are to share one figure.
        quiet: whether nothing is said of what is trained again.
    """

    optimizers: tuple[str, ...] = ()
    seed: int | None = None
    compare: bool = False
    quiet: bool = False


@dataclass(frozen=True)
class Trace:
    """One parameter of one run, at every step.

    Attributes:
        usual: whether it is the one that `run` draws by itself.
    """

    run: Run
    history: RunHistory
    param: str
    usual: bool

    @property
    def trained(self) -> figures.Trained:
        """The run as figures take it."""
        return figures.Trained(self.run, self.history)

    @property
    def name(self) -> str:
        """The figure's file name without its ending."""
        return f"trace-{slug(self.run.label)}{self.place}"

    @property
    def place(self) -> str:
        """The parameter and the seed as the end of a file name, if they are not the usual ones."""
        return "" if self.usual else f"-{slug(self.param)}-seed{self.run.seed}"

    def document(self) -> dict[str, Any]:
        """All series, for JSON."""
        return {
            **_named(self.run),
            "param": self.param,
            "series": _listed(self.history.traces[self.param]),
        }


@dataclass(frozen=True)
class Layers:
    """The norms of every named array of one run, at every step.

    Attributes:
        usual: whether the seed is the one that `run` records.
    """

    run: Run
    history: RunHistory
    usual: bool

    @property
    def trained(self) -> figures.Trained:
        """The run as figures take it."""
        return figures.Trained(self.run, self.history)

    @property
    def name(self) -> str:
        """The figure's file name without its ending."""
        seed = "" if self.usual else f"-seed{self.run.seed}"
        return f"layers-{slug(self.run.label)}{seed}"

    def document(self) -> dict[str, Any]:
        """All series by array, for JSON."""
        arrays = {name: _listed(series) for name, series in self.history.layers.items()}
        return {**_named(self.run), "arrays": arrays}


def inside(
    result: Result, choice: Choice, param: str | None, *, layers: bool, log: bool
) -> tuple[dict[str, figures.Figure], dict[str, Any]]:
    """The figures that are asked for, by file name without its ending, and their series.

    Args:
        param: such as `W1[0,0]`; None for the first one that the experiment names.
        layers: whether layers are drawn instead of a parameter.
        log: whether all values are on log axes.

    Raises:
        UsageError: no such label, seed or parameter, or nothing to draw.
    """
    if layers:
        found = find_layers(result, choice)
        drawn = {one.name: figures.draw_layers(one.trained, log) for one in found}
        return drawn, {"layers": [one.document() for one in found]}
    traces = find_traces(result, choice, param)
    draw = draw_comparison if choice.compare else draw_traces
    return draw(result, traces, log=log), {"traces": [trace.document() for trace in traces]}


def find_traces(result: Result, choice: Choice, param: str | None) -> list[Trace]:
    """A trace for every chosen label; what was not recorded is trained again.

    Args:
        param: such as `W1[0,0]`; None for the first one that the experiment names.

    Raises:
        UsageError: no such label, seed or parameter, or nothing to draw.
    """
    wanted: list[tuple[Run, bool]] = []
    for first, run in _having(_chosen(result, choice), param):
        usual = next(iter(first.traced), None)
        name = _canonical(run, param) if param else usual
        if name is not None:
            wanted.append(
                (replace(run, traced=(name,), layers=False), run is first and name == usual)
            )
    if not wanted:
        raise UsageError(
            "no parameter was traced", where=str(result.path), fix="name one: --param 'W1[0,0]'"
        )
    histories = _recorded(result, [run for run, _ in wanted], choice.quiet)
    return [
        Trace(run, history, run.traced[0], usual)
        for (run, usual), history in zip(wanted, histories, strict=True)
    ]


def find_layers(result: Result, choice: Choice) -> list[Layers]:
    """The layers of every chosen label; what was not recorded is trained again.

    Raises:
        UsageError: no such label or seed.
    """
    chosen = _chosen(result, choice)
    runs = [replace(run, traced=(), layers=True) for _, run in chosen]
    histories = _recorded(result, runs, choice.quiet)
    return [
        Layers(run, history, usual=run is first)
        for (first, run), history in zip(chosen, histories, strict=True)
    ]


def draw_traces(result: Result, traces: Sequence[Trace], *, log: bool) -> dict[str, figures.Figure]:
    """A figure for every trace, by file name without its ending."""
    styles = run_styles(result.experiment.runs)
    return {
        trace.name: figures.draw_trace(trace.trained, trace.param, styles[trace.run.label], log)
        for trace in traces
    }


def draw_comparison(
    result: Result, traces: Sequence[Trace], *, log: bool
) -> dict[str, figures.Figure]:
    """One figure of all traces, which are of the same parameter, by its name."""
    styles = run_styles(result.experiment.runs)
    trained = [trace.trained for trace in traces]
    figure = figures.draw_comparison(trained, traces[0].param, styles, log)
    return {f"trace-compare{traces[0].place}": figure}


def rendered(
    drawn: Mapping[str, figures.Figure], formats: Sequence[str], *, log: bool
) -> dict[str, bytes]:
    """Figures in every format, by file name."""
    ending = "-log" if log else ""
    return {
        f"{name}{ending}.{kind}": figures.render(figure, kind)
        for name, figure in drawn.items()
        for kind in formats
    }


def _chosen(result: Result, choice: Choice) -> list[tuple[Run, Run]]:
    """The first run and the chosen one of every wanted label that took a step."""
    labels = _by_label(result, choice.optimizers)
    if choice.compare:
        labels = _comparable(labels, choice.quiet)
    chosen = [(runs[0], _with_seed(runs, choice.seed)) for runs in labels]
    stillborn = {history.key for history in result.histories if history.stopped_at == 0}
    for _, run in chosen:
        if (run.label, run.seed) in stillborn:
            _say(f"{run.label}, seed {run.seed}: failed before the first step", choice.quiet)
    return [(first, run) for first, run in chosen if (run.label, run.seed) not in stillborn]


def _by_label(result: Result, optimizers: Sequence[str]) -> list[list[Run]]:
    """The runs of every wanted label, in the order asked for or that of the experiment."""
    labels: dict[str, list[Run]] = {}
    for run in result.experiment.runs:
        labels.setdefault(run.label, []).append(run)
    wanted: dict[str, list[Run]] = {}
    for name in optimizers or labels:
        same = {label: runs for label, runs in labels.items() if runs[0].optimizer == name}
        found = {name: labels[name]} if name in labels else same
        if not found:
            raise UsageError(
                f"no label or optimizer {name!r}",
                where=str(result.path),
                fix=suggestion(name, labels),
            )
        wanted |= found
    return [*wanted.values()]


def _comparable(labels: list[list[Run]], quiet: bool) -> list[list[Run]]:
    """As many labels as one figure can hold."""
    most = figures.MAX_COMPARED
    if len(labels) < 2:
        raise UsageError(
            f"only {labels[0][0].label!r} to compare",
            where="--compare",
            fix="name two labels, or none for all: --optimizer sgdm --optimizer adam",
        )
    if len(labels) > most:
        _say(f"note: the first {most} of {len(labels)} labels; --optimizer chooses others", quiet)
    return labels[:most]


def _with_seed(runs: Sequence[Run], seed: int | None) -> Run:
    """The run with a seed, the first one by default."""
    seeds = {run.seed: run for run in runs}
    if seed is not None and seed not in seeds:
        raise UsageError(
            f"no seed {seed}",
            where=runs[0].label,
            fix=f"use one of {', '.join(map(str, seeds))}",
        )
    return runs[0] if seed is None else seeds[seed]


def _having(chosen: list[tuple[Run, Run]], param: str | None) -> list[tuple[Run, Run]]:
    """Those that have the parameter, if any has: the problems of a suite have different ones."""
    having = [(first, run) for first, run in chosen if param is None or param in run.task.layout]
    return having or chosen


def _canonical(run: Run, param: str) -> str:
    """The parameter's name without blanks, if the network has it."""
    try:
        run.task.layout.index(param)
    except ValueError as error:
        raise UsageError(str(error), where="--param", fix="name one entry, W1[0,0]") from error
    return "".join(param.split())


def _recorded(result: Result, runs: Sequence[Run], quiet: bool) -> list[RunHistory]:
    """Histories with all that these runs record; those that lack it are trained again.

    A second training has the bits of the first one, and is checked to have them.
    """
    saved = {history.key: history for history in result.histories}
    missing = [run for run in runs if not _has(saved.get((run.label, run.seed)), run)]
    for run in missing:
        what = f"{run.traced[0]} was" if run.traced else "layers were"
        _say(f"{run.label}, seed {run.seed}: {what} not recorded, training again", quiet)
    progress = (news for news in train_runs(missing, jobs=1) if isinstance(news, Progress))
    again = {history.key: history for news in progress for history in news.finished}
    for key, history in again.items():
        if key in saved and not _same(saved[key], history):
            output.say(
                f"warning: {history.label}, seed {history.seed} came out differently from what is "
                "saved: another machine, BLAS or data file; the figure shows the new training"
            )
    histories = saved | again
    return [histories[run.label, run.seed] for run in runs]


def _has(history: RunHistory | None, run: Run) -> bool:
    """Whether a history has what a run is to record."""
    if history is None or (run.layers and not history.layers):
        return False
    return all(param in history.traces for param in run.traced)


def _say(text: str, quiet: bool) -> None:
    """A line on stderr, unless the user wants silence."""
    if not quiet:
        output.say(text)


def _same(saved: RunHistory, trained: RunHistory) -> bool:
    """Whether the final parameters have the same bits; those of a diverged run may be NaN."""
    return all(
        np.array_equal(values, trained.params[name], equal_nan=True)
        for name, values in saved.params.items()
    )


def _named(run: Run) -> dict[str, Any]:
    """What names a run in a JSON document."""
    return {"label": run.label, "optimizer": run.optimizer, "seed": run.seed}


def _listed(series: Mapping[str, Array]) -> dict[str, list[float]]:
    """Series as lists."""
    return {name: values.tolist() for name, values in series.items()}
