"""What tuning tried and chose, and what speaks against it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType

from adamcli import palette, stats
from adamcli.stats import Searched, Tuned, Verdict
from adamcli.tables import words
from adamcli.tables.grid import EMPTY, Cell, Column, grouped, line, stack
from adamcli.tables.results import label_colours

if TYPE_CHECKING:
    from adamcli.config import Experiment

Rows = Sequence[tuple[Tuned, str, Searched]]
"""Every setting that was tuned, with the outcome that it belongs to."""


def tuning_table(experiment: Experiment) -> RenderableType | None:
    """A row for every setting that was tuned; None where nothing was."""
    if experiment.tuning is None:
        return None
    outcomes = experiment.tuning.outcomes
    rows = [(each, key, searched) for each in outcomes for key, searched in each.space.items()]
    columns = [
        Column("optimizer", _once(experiment, rows)),
        Column("setting", [Cell.of(key) for _, key, _ in rows]),
        Column("tried", [Cell.of(_range(searched)) for *_, searched in rows], rank=3),
        Column("chosen", [_chosen(each, key) for each, key, _ in rows], right=True),
        Column("validation\nloss", _scores(rows), rank=2, right=True),
        Column("stopped", _stopped(rows), rank=4, right=True),
    ]
    columns = columns if any(t.stopped for o in outcomes for t in o.trials) else columns[:-1]
    table = grouped([each.cell for each, *_ in rows], columns)
    head = line("Tuning", "bold")
    return stack(head, table, line(_caption(outcomes), "dim"), *_warnings(outcomes))


def audit_in_words(experiment: Experiment, verdicts: Sequence[Verdict]) -> RenderableType | None:
    """A line on each tuned optimizer that loses to one that it contains; None without any."""
    if experiment.tuning is None:
        return None
    lines = [
        line(
            f"{each.label} contains {each.contains} ({each.how}), yet loses to it: "
            "it is under-tuned, or its ranges leave that out",
            "yellow",
        )
        for each in stats.audited(verdicts, experiment.inclusions)
    ]
    return stack(*lines) if lines else None


def _once(experiment: Experiment, rows: Rows) -> list[Cell]:
    """The label of each optimizer in its colour, beside the first of its settings."""
    colours = {
        (run.cell, run.base): colour
        for label, colour in label_colours(experiment.runs).items()
        for run in experiment.runs
        if run.label == label
    }
    return [
        Cell.of(each.label, colours.get((each.cell, each.label), "")) if first else EMPTY
        for (each, *_), first in zip(rows, _firsts(rows), strict=True)
    ]


def _firsts(rows: Rows) -> list[bool]:
    """Whether each row is the first of its optimizer."""
    return [i == 0 or rows[i - 1][0] is not rows[i][0] for i in range(len(rows))]


def _range(searched: Searched) -> str:
    """The range that was searched."""
    low, high = (words.yaml_value(float(f"{end:.4g}")) for end in (searched.low, searched.high))
    return f"{low} to {high}"


def _chosen(outcome: Tuned, key: str) -> Cell:
    """What was chosen; at the edge of its range in another colour."""
    value = words.number(outcome.best.values[key], 3)
    edge = outcome.edges.get(key)
    return Cell(((value, ""), (f"\n{edge} edge", "yellow"))) if edge else Cell.of(value)


def _scores(rows: Rows) -> list[Cell]:
    """The median by which each optimizer's setting was chosen."""
    return [
        Cell.of(words.number(each.best.score)) if first else EMPTY
        for (each, *_), first in zip(rows, _firsts(rows), strict=True)
    ]


def _stopped(rows: Rows) -> list[Cell]:
    """How many of an optimizer's trials had a run that diverged or failed."""
    counts = [sum(trial.stopped > 0 for trial in each.trials) for each, *_ in rows]
    return [
        Cell.of(f"{count} of {len(each.trials)}") if first else EMPTY
        for (each, *_), first, count in zip(rows, _firsts(rows), counts, strict=True)
    ]


def _caption(outcomes: Sequence[Tuned]) -> str:
    """How the settings were chosen."""
    first = outcomes[0]
    metrics = words.listed([*dict.fromkeys(words.metric(each.metric) for each in outcomes)])
    trials = words.count(len(first.trials), "trial")
    stopped = any(trial.stopped for each in outcomes for trial in each.trials)
    rest = "; stopped: trials of which a run diverged or failed" if stopped else ""
    seeds = words.count(first.seeds, "seed")
    return f"{trials} for each optimizer, chosen by the median {metrics} over {seeds}{rest}."


def _warnings(outcomes: Sequence[Tuned]) -> list[RenderableType]:
    """A line on the settings whose best value is at the edge of what was tried."""
    edges = [
        f"{key} of {palette.setting_of(each.label, each.cell)}"
        + (f" on {each.cell}" if each.cell else "")
        for each in outcomes
        for key in each.edges
    ]
    if not edges:
        return []
    named = words.listed(edges if len(edges) <= _NAMED else [*edges[:_NAMED], "others"])
    text = f"The best {named} may lie outside of what was tried; widen it with tune.space."
    return [line(text, "yellow")]


_NAMED = 6
