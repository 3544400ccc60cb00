"""Inside an optimizer: what its slots and its effective learning rate do, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from adamcli.figures.steps import TOP, Line, Row, draw_rows, pitch
from adamcli.figures.style import Page, look
from adamcli.figures.subject import Plan, Plans, Subject, Trained, by_label
from adamcli.layout import Array
from adamcli.optimizers import Panel, Rule
from adamcli.palette import DASHED, DOTTED, Style
from adamcli.text import slug

MAX_TRACES = 12

_NAMES = {
    "grad": "gradient",
    "g_prev": "previous gradient",
    "ahead": "m ahead",
    "lr": "learning rate",
    "effective_lr": "effective learning rate",
}

# For a rule that offers nothing to draw.
_PLAIN = (Panel("gradient", ("grad",)), Panel("update", ("update",)))

_HEIGHT, _LOW_HEIGHT, _MANY_PANELS = 1.3, 1.05, 5


def plans(subject: Subject) -> Plans:
    """For each label the trace of its first traced parameter at the first seed that has one."""
    found = [one for one in map(_first_traced, by_label(subject.trained).values()) if one]
    notes = []
    if len(found) > MAX_TRACES:
        notes = [f"trace: the first {MAX_TRACES} of {len(found)} labels, the others are left out"]
    return [_plan(one, subject.styles[one.run.label]) for one in found[:MAX_TRACES]], notes


def _plan(one: Trained, style: Style) -> Plan:
    """The figure of a run's first traced parameter."""
    param = next(iter(one.history.traces))
    return Plan(f"trace-{slug(one.run.label)}", partial(draw_trace, one, param, style))


def _first_traced(group: Sequence[Trained]) -> Trained | None:
    """The first run of a label that has a trace."""
    return next((one for one in group if one.history.traces), None)


@look()
def draw_trace(one: Trained, param: str, style: Style, log: bool = False) -> Figure:
    """The panels of a rule for one parameter: the first steps and the whole training.

    Args:
        one: a run and its history, which has a trace of the parameter.
        param: its name, such as `W1[0,0]`.
        style: the label's in its experiment.
        log: all panels on log axes, of magnitudes where a series changes its sign.
    """
    run, history = one
    series = history.traces[param]
    panels = offered(run.rule, series)
    height = _LOW_HEIGHT if len(panels) >= _MANY_PANELS else _HEIGHT
    subtitle = f"parameter {param}, {one.seed_and_end}"
    page = Page(TOP + len(panels) * pitch(height) + 0.08, f"inside {run.label}", subtitle)
    rows = [Row(panel.title, _lines(series, panel, style), log=log) for panel in panels]
    draw_rows(page, rows, height)
    return page.figure


def offered(rule: Rule, series: Mapping[str, Array]) -> list[Panel]:
    """The panels of a rule with what there is to draw: a slot may depend on the settings."""
    return _with_series(rule.panels, series) or _with_series(_PLAIN, series)


def _with_series(panels: Sequence[Panel], series: Mapping[str, Array]) -> list[Panel]:
    """The panels without the series that are missing, and without those that have none."""
    left = [
        Panel(title, tuple(name for name in names if name in series)) for title, names in panels
    ]
    return [panel for panel in left if panel.series]


def printed(name: str) -> str:
    """The name of a series as a reader knows it: `m̂, corrected` for m_hat."""
    if name in _NAMES:
        return _NAMES[name]
    stem, _, ending = name.rpartition("_")
    if ending == "hat" and stem:
        return (
            f"{stem}\N{COMBINING CIRCUMFLEX ACCENT}, corrected"
            if len(stem) == 1
            else f"{stem}, corrected"
        )
    if ending == "max" and stem:
        return f"largest {stem}"
    return name.replace("_", " ")


def _lines(series: Mapping[str, Array], panel: Panel, style: Style) -> list[Line]:
    """The series of a panel, with their names if there are several."""
    lines = _distinct({name: series[name] for name in panel.series})
    pens = _pens(len(lines), style)
    several = len(panel.series) > 1
    return [
        Line(values, pen, name if several else "")
        for (name, values), pen in zip(lines.items(), pens, strict=True)
    ]


def _distinct(series: Mapping[str, Array]) -> dict[str, Array]:
    """Series by their names in print; equal ones, as without correction, are one: `m = m̂`."""
    names: list[str] = []
    distinct: list[Array] = []
    for name, values in series.items():
        twin = next((k for k, v in enumerate(distinct) if _equal(v, values)), None)
        if twin is None:
            names.append(printed(name))
            distinct.append(values)
        else:
            names[twin] += f" = {printed(name).split(',')[0]}"
    return dict(zip(names, distinct, strict=True))


def _equal(one: Array, other: Array) -> bool:
    """Whether two series are the same, steps without a value included; not if there are none."""
    return len(one) > 0 and np.array_equal(one, other, equal_nan=True)


def _pens(count: int, style: Style) -> list[dict[str, Any]]:
    """Looks for the series of a panel: the last one in the label's colour, on top."""
    under: list[dict[str, Any]] = [
        {"color": "#b5b5b5", "linewidth": 1.6},
        {"color": "#6a6a6a", "linewidth": 1.1, "dashes": DASHED},
        {"color": "#b08850", "linewidth": 1.3, "dashes": DOTTED},
    ]
    return [*(under * count)[: count - 1], {"color": style.colour, "linewidth": 1.0}]
