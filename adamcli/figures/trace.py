"""Inside an optimizer: what its slots and its effective learning rate do, step by step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from adamcli.figures.glyphs import inscribe
from adamcli.figures.scales import hide_x, limits, set_linear_ticks, set_scale, shown
from adamcli.figures.style import EDGE, Page, look
from adamcli.figures.subject import Plan, Plans, Subject, Trained, by_label
from adamcli.history import RunHistory
from adamcli.layout import Array
from adamcli.optimizers import Panel
from adamcli.palette import Style
from adamcli.text import slug

MAX_TRACES = 12

EARLY = 100
"""The first steps have a column of their own: there bias correction decides."""

_NAMES = {
    "grad": "gradient",
    "m_hat": "m̂, corrected",
    "v_hat": "v̂, corrected",
    "effective_lr": "effective learning rate",
}

# A positive series that spans more than this is drawn on a log axis.
_WIDE = 30.0

_LEFT, _GAP, _HEIGHT, _TOP, _ROW = 0.72, 0.66, 1.3, 0.86, 1.65
_EARLY_WIDTH, _WHOLE_WIDTH = 2.65, 4.27


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

    A rule without panels, as a plug-in may be, has one for each series.

    Args:
        one: a run and its history, which has a trace of the parameter.
        param: its name, such as `W1[0,0]`.
        style: the label's in its experiment.
        log: all panels on log axes, of magnitudes where a series changes its sign.
    """
    run, history = one
    series = history.traces[param]
    panels = run.rule.panels or tuple(Panel(_NAMES.get(name, name), (name,)) for name in series)
    page = Page(_TOP + len(panels) * _ROW + 0.08, f"inside {run.label}", _subtitle(history, param))
    for row, panel in enumerate(panels):
        lines = _drawn(series, panel, log)
        columns = _columns(page, row, len(series["grad"]))
        for axes, stop in columns:
            _draw_lines(axes, lines, stop, style)
            if row < len(panels) - 1:
                hide_x(axes)
        _name_panel(columns[0][0], columns[-1][0], panel, lines)
    _name_steps(columns)
    return page.figure


class _Lines(NamedTuple):
    """The series of a panel by their names in print, and how they are drawn."""

    series: dict[str, Array]
    log: bool
    remark: str


def _drawn(series: Mapping[str, Array], panel: Panel, log: bool) -> _Lines:
    """The series of a panel as they are drawn.

    Without `log` a positive series that spans much is drawn on a log axis all the same.
    """
    lines = _distinct({name: series[name] for name in panel.series})
    signed = any((values < 0).any() for values in lines.values())
    if log and signed:
        magnitudes = {name: np.abs(values) for name, values in lines.items()}
        return _Lines(magnitudes, True, ", magnitude, log scale")
    if log or (not signed and any(_is_wide(values) for values in lines.values())):
        return _Lines(lines, True, ", log scale")
    return _Lines(lines, False, "")


def _distinct(series: Mapping[str, Array]) -> dict[str, Array]:
    """Series by their names in print; equal ones, as without correction, are one: `m = m̂`."""
    names: list[str] = []
    distinct: list[Array] = []
    for name, values in series.items():
        printed = _NAMES.get(name, name)
        twin = next((k for k, v in enumerate(distinct) if np.array_equal(v, values)), None)
        if twin is None:
            names.append(printed)
            distinct.append(values)
        else:
            names[twin] += f" = {printed.split(',')[0]}"
    return dict(zip(names, distinct, strict=True))


def _is_wide(values: Array) -> bool:
    """Whether positive values span more than a linear axis can show."""
    bounds = limits([values], log=True)
    return bounds is not None and bounds[1] / bounds[0] > _WIDE


def _columns(page: Page, row: int, steps: int) -> list[tuple[Axes, int]]:
    """The panels of a row, each with how many steps it shows; one if there are few steps."""
    top = _TOP + row * _ROW
    if steps <= 2 * EARLY:
        return [(page.panel(_LEFT, top, _EARLY_WIDTH + _GAP + _WHOLE_WIDTH, _HEIGHT), steps)]
    right = _LEFT + _EARLY_WIDTH + _GAP
    early = page.panel(_LEFT, top, _EARLY_WIDTH, _HEIGHT)
    return [(early, EARLY), (page.panel(right, top, _WHOLE_WIDTH, _HEIGHT), steps)]


def _draw_lines(axes: Axes, lines: _Lines, steps: int, style: Style) -> None:
    """The first steps of a panel's series, from step 1."""
    series = {name: shown(values[:steps], lines.log) for name, values in lines.series.items()}
    set_scale(axes, limits(series.values(), lines.log), lines.log)
    for (name, values), pen in zip(series.items(), _pens(len(series), style), strict=True):
        axes.plot(np.arange(1, steps + 1), values, label=name, **pen)
    axes.set_xlim(0, max(steps, 1) * 1.01)
    set_linear_ticks(axes.xaxis, count=6, whole=True)
    if not lines.log and axes.get_ylim()[0] < 0 < axes.get_ylim()[1]:
        axes.axhline(0, color=EDGE, linewidth=0.7, zorder=1)


def _pens(count: int, style: Style) -> list[dict[str, Any]]:
    """Looks for the series of a panel: the last one in the label's colour, on top."""
    under = [{"color": colour, "linewidth": 1.6} for colour in ("#b5b5b5", "#767676", "#d9b38c")]
    return [*(under * count)[: count - 1], {"color": style.colour, "linewidth": 1.0}]


def _name_panel(first: Axes, last: Axes, panel: Panel, lines: _Lines) -> None:
    """The panel's title above its first column, the names of several series above its last."""
    inscribe(first.set_title(panel.title), f"{panel.title}{lines.remark}")
    if len(panel.series) > 1:
        last.legend(
            loc="lower right", bbox_to_anchor=(1, 0.97), ncols=len(lines.series), borderaxespad=0
        )


def _name_steps(columns: Sequence[tuple[Axes, int]]) -> None:
    """The x axis of each column."""
    for axes, stop in columns:
        which = "all" if axes is columns[-1][0] else "the first"
        axes.set_xlabel(f"step, {which} {stop}")


def _subtitle(history: RunHistory, param: str) -> str:
    """Which parameter of which run."""
    end = history.stopped_at
    ending = f", {history.status} at step {end}" if end is not None else ""
    return f"parameter {param}, seed {history.seed}{ending}"
