"""A legend below the panels of a page, where it covers nothing."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.lines import Line2D

from adamcli.figures.glyphs import columns, drawable, inscribe
from adamcli.figures.style import WIDTH, Page, pen
from adamcli.palette import Style

ROW = 0.2
"""Inches that a row of entries takes."""

# Inches: the left edge, a line's sample with the gaps around it, a character of middling width.
_LEFT, _SAMPLE, _CHARACTER = 0.58, 0.7, 0.076


def across(entries: Sequence[str]) -> int:
    """How many entries to put beside each other, filled column by column, in full rows."""
    widths = [_SAMPLE + _CHARACTER * columns(drawable(entry)[0]) for entry in entries]
    for count in range(len(entries), 1, -1):
        rows = -(-len(entries) // count)
        if sum(part.max() for part in np.array_split(widths, count)) < WIDTH - _LEFT:
            return -(-len(entries) // rows)
    return 1


def add_legend(page: Page, handles: Sequence[Line2D], entries: Sequence[str], count: int) -> None:
    """All entries at the foot of a page, `count` of them beside each other."""
    # A legend drops entries that begin with an underscore, so their text is set afterwards.
    legend = page.figure.legend(
        handles,
        ["entry"] * len(handles),
        loc="lower left",
        bbox_to_anchor=(_LEFT / WIDTH - 0.005, 0),
        ncols=count,
        handlelength=3.4,
        columnspacing=1.8,
        labelspacing=0.45,
        borderaxespad=0.25,
    )
    for artist, entry in zip(legend.get_texts(), entries, strict=True):
        inscribe(artist, entry)


def sample(style: Style, marker: bool = True) -> Line2D:
    """A sample of a label's line."""
    return Line2D([], [], **(pen(style) if marker else pen(style) | {"marker": ""}))
