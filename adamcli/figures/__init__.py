"""Figures of a finished run, drawn from saved data: the only user of Matplotlib.

A family is a file with a function that plans its figures from a `Subject`; a row in
`FAMILIES` adds one.
"""

from __future__ import annotations

import adamcli.figures.guard  # noqa: F401

# isort: split
from collections.abc import Callable

from matplotlib.figure import Figure

from adamcli.figures import (
    boundary,
    curves,
    fit,
    layers,
    profile,
    seeds,
    sensitivity,
    surface,
    targets,
    trace,
    tuning,
)
from adamcli.figures.comparison import MAX_COMPARED, draw_comparison
from adamcli.figures.glyphs import fonts
from adamcli.figures.layers import draw_layers
from adamcli.figures.style import FORMATS, render
from adamcli.figures.subject import Plan, Plans, Result, Subject, Trained
from adamcli.figures.trace import draw_trace

FAMILIES: dict[str, Callable[[Subject], Plans]] = {
    "curves": curves.plans,
    "seeds": seeds.plans,
    "targets": targets.plans,
    "tuning": tuning.plans,
    "sensitivity": sensitivity.plans,
    "profile": profile.plans,
    "boundary": boundary.plans,
    "fit": fit.plans,
    "surface": surface.plans,
    "trace": trace.plans,
    "layers": layers.plans,
}

__all__ = [
    "FAMILIES",
    "FORMATS",
    "MAX_COMPARED",
    "Figure",
    "Plan",
    "Trained",
    "draw_comparison",
    "draw_layers",
    "draw_trace",
    "fonts",
    "plan",
    "render",
]


def plan(result: Result) -> Plans:
    """All figures of a result, not yet drawn, and a line on each thing that is left out."""
    subject = Subject.of(result)
    plans: list[Plan] = []
    notes: list[str] = []
    for family in FAMILIES.values():
        figures, left_out = family(subject)
        plans += figures
        notes += left_out
    return plans, notes
