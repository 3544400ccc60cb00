"""Inside a network: how far each named array moves, next to its gradient and its size."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import matplotlib
import numpy as np
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from adamcli.figures import legend
from adamcli.figures.steps import TOP, Line, Row, course_note, draw_rows, pitch
from adamcli.figures.style import Page, look
from adamcli.figures.subject import Plan, Plans, Subject, Trained, by_label
from adamcli.palette import DASH_DOT, DASHED, DOTTED, SOLID
from adamcli.text import slug

MAX_LABELS = 12

_HEIGHT = 1.55

# From dark to light, so that print without colours keeps the order of the layers.
_COLOURS, _LIGHTEST = matplotlib.colormaps["plasma"], 0.8

# Of the kinds of arrays in a layer: weights, biases, whatever else.
_DASHES = (SOLID, DASHED, DOTTED, DASH_DOT)

# More entries beside each other do not fit the page.
_MOST_ACROSS = 7


def plans(subject: Subject) -> Plans:
    """For each label the layers of the first seed that has them."""
    found = [one for one in map(_first_recorded, by_label(subject.trained).values()) if one]
    notes = []
    if len(found) > MAX_LABELS:
        notes = [f"layers: the first {MAX_LABELS} of {len(found)} labels, the others are left out"]
    drawn = found[:MAX_LABELS]
    return [Plan(f"layers-{slug(x.run.label)}", partial(draw_layers, x)) for x in drawn], notes


def _first_recorded(group: Sequence[Trained]) -> Trained | None:
    """The first run of a label whose layers are recorded."""
    return next((one for one in group if one.history.layers), None)


@look()
def draw_layers(one: Trained, log: bool = False) -> Figure:
    """Update over weight, gradient and weight of every named array, step by step.

    Args:
        one: a run and its history, which has layers.
        log: the weights on a log axis, too.
    """
    names = [*one.history.layers]
    across = min(len(_layers(names)), _MOST_ACROSS)
    rows = _rows(one, names, log)
    height = TOP + len(rows) * pitch(_HEIGHT) + 0.2 + -(-len(names) // across) * legend.ROW
    steps = len(one.history.layers[names[0]]["weight"])
    page = Page(
        height,
        f"layers of {one.run.label}",
        f"Euclidean norms, {one.seed_and_end}{course_note(steps)}",
    )
    draw_rows(page, rows, _HEIGHT)
    samples = [Line2D([], [], **{**pen, "linewidth": 1.5}) for pen in layer_pens(names).values()]
    legend.add_legend(page, samples, names, across)
    return page.figure


def _rows(one: Trained, names: Sequence[str], log: bool) -> list[Row]:
    """The three panels, the most telling one first."""
    pens = layer_pens(names)

    def lines(series: str) -> list[Line]:
        return [Line(one.history.layers[name][series], pens[name]) for name in names]

    return [
        Row("update over weight, |Δθ| / |θ|", lines("ratio"), log=True, course=True),
        Row("gradient norm |g|", lines("grad"), log=True, course=True),
        Row("weight norm |θ|", lines("weight"), log=log, course=True),
    ]


def layer_pens(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Looks for named arrays: a colour for each layer, a dash for each kind, `W` or `b`."""
    layers, kinds = _layers(names), [*dict.fromkeys(_parts(name)[0] for name in names)]
    shades = [to_hex(c) for c in _COLOURS(np.linspace(0, _LIGHTEST, max(len(layers), 2)))]
    return {
        name: {
            "color": shades[layers.index(_parts(name)[1])],
            "dashes": _DASHES[kinds.index(_parts(name)[0]) % len(_DASHES)] or (None, None),
            "linewidth": 1.2,
        }
        for name in names
    }


def _layers(names: Sequence[str]) -> list[str]:
    """The layers that arrays belong to, by the numbers at the end of their names."""
    return [*dict.fromkeys(_parts(name)[1] for name in names)]


def _parts(name: str) -> tuple[str, str]:
    """`W1` as `W` and `1`."""
    stem = name.rstrip("0123456789")
    return stem, name[len(stem) :]
