"""Traces of a result: the recorded ones, and those that a second training records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from adamcli import figures
from adamcli.cli import output
from adamcli.config import Run
from adamcli.errors import UsageError
from adamcli.history import RunHistory
from adamcli.palette import run_styles
from adamcli.problems import layout_of
from adamcli.runner import train_runs
from adamcli.store import Result
from adamcli.text import slug, suggestion


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
    def name(self) -> str:
        """The figure's file name without its ending."""
        label = f"trace-{slug(self.run.label)}"
        return label if self.usual else f"{label}-{slug(self.param)}-seed{self.run.seed}"

    def document(self) -> dict[str, Any]:
        """All series, for JSON."""
        series = self.history.traces[self.param]
        return {
            "label": self.run.label,
            "optimizer": self.run.optimizer,
            "seed": self.run.seed,
            "param": self.param,
            "series": {name: values.tolist() for name, values in series.items()},
        }


def find_traces(
    result: Result, optimizer: str | None, param: str | None, seed: int | None, *, quiet: bool
) -> list[Trace]:
    """A trace for every label that is asked for; what was not recorded is trained again.

    Args:
        optimizer: a label or the name of a rule; None for all.
        param: such as `W1[0,0]`; None for the first one that the experiment names.
        seed: None for the first.

    Raises:
        UsageError: no such label, seed or parameter, or nothing to draw.
    """
    histories = {history.key: history for history in result.histories}
    traces = []
    for runs in _by_label(result, optimizer):
        usual = next(iter(runs[0].traced), None)
        name = _canonical(runs[0], param) if param else usual
        run = _with_seed(runs, seed)
        history = histories.get((run.label, run.seed))
        if history is not None and history.stopped_at == 0:
            _say(f"{run.label}, seed {run.seed}: failed before the first step", quiet)
        elif name is not None:
            if history is None or name not in history.traces:
                history = _retrained(run, name, history, quiet)
            traces.append(Trace(run, history, name, usual=run is runs[0] and name == usual))
    if not traces:
        raise UsageError(
            "no parameter was traced", where=str(result.path), fix="name one: --param 'W1[0,0]'"
        )
    return traces


def draw_traces(
    result: Result, traces: Sequence[Trace], formats: Sequence[str], *, log: bool
) -> dict[str, bytes]:
    """The figure of every trace in every format, by file name."""
    drawn: dict[str, bytes] = {}
    styles = run_styles(result.experiment.runs)
    for trace in traces:
        trained = figures.Trained(trace.run, trace.history)
        figure = figures.draw_trace(trained, trace.param, styles[trace.run.label], log=log)
        name = f"{trace.name}-log" if log else trace.name
        drawn |= {f"{name}.{kind}": figures.render(figure, kind) for kind in formats}
    return drawn


def _by_label(result: Result, optimizer: str | None) -> list[list[Run]]:
    """The runs of every wanted label, in the order of the experiment and its seeds."""
    labels: dict[str, list[Run]] = {}
    for run in result.experiment.runs:
        labels.setdefault(run.label, []).append(run)
    if optimizer is None:
        return list(labels.values())
    if optimizer in labels:
        return [labels[optimizer]]
    chosen = [runs for runs in labels.values() if runs[0].optimizer == optimizer]
    if not chosen:
        raise UsageError(
            f"no label or optimizer {optimizer!r}",
            where=str(result.path),
            fix=suggestion(optimizer, labels),
        )
    return chosen


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


def _canonical(run: Run, param: str) -> str:
    """The parameter's name without blanks, if the network has it."""
    try:
        layout_of(run.task).index(param)
    except ValueError as error:
        raise UsageError(str(error), where="--param", fix="name one entry, W1[0,0]") from error
    return "".join(param.split())


def _retrained(run: Run, param: str, saved: RunHistory | None, quiet: bool) -> RunHistory:
    """The run trained again with a trace of one parameter; same bits, and checked to be."""
    _say(f"{run.label}, seed {run.seed}: {param} was not recorded, training again", quiet)
    *_, last = train_runs([replace(run, traced=(param,))], jobs=1)
    history = last.finished[0]
    if saved is not None and not _same(saved, history):
        output.say(
            f"warning: {run.label}, seed {run.seed} came out differently from what is saved: "
            "another machine, BLAS or data file; the trace shows the new training"
        )
    return history


def _say(text: str, quiet: bool) -> None:
    """A line on stderr, unless the user wants silence."""
    if not quiet:
        output.say(text)


def _same(saved: RunHistory, trained: RunHistory) -> bool:
    """Whether the final parameters have the same bits."""
    return all(np.array_equal(saved.params[name], trained.params[name]) for name in saved.params)
