"""A curve in one line of text."""

from __future__ import annotations

import numpy as np

from adamcli.layout import Array

_BLOCKS = "▁▂▃▄▅▆▇█"
_ASCII = "_.:-=+*#"


def sparklines(curves: Array, ascii_only: bool = False) -> list[str]:
    """Positive curves on one logarithmic scale, a character per point.

    The scale goes from the smallest value of all curves to the value that the median curve
    starts with. What is above is drawn at the top, so that a run that blows up does not
    flatten the others. Points that are not measured are left blank.

    Args:
        curves: (L, K), NaN where nothing is known.
        ascii_only: whether the terminal has no block characters.
    """
    marks = np.array([" ", *(_ASCII if ascii_only else _BLOCKS)])
    with np.errstate(all="ignore"):
        logs = np.log10(curves)
    levels = np.where(np.isnan(logs), 0, 1 + _levels(logs, len(marks) - 1))
    return ["".join(row) for row in marks[levels]]


def _levels(logs: Array, count: int) -> Array:
    """The level, 0 to count - 1, of every point (L, K)."""
    finite = logs[np.isfinite(logs)]
    starts = np.array([row[known][0] for row in logs if (known := np.isfinite(row)).any()])
    low = finite.min() if len(finite) else 0.0
    high = max(np.sort(starts)[(len(starts) - 1) // 2], low + 0.1) if len(finite) else 1.0
    scaled = np.clip((logs - low) / (high - low), 0, 1)
    levels: Array = np.rint(np.nan_to_num(scaled) * (count - 1)).astype(int)
    return levels
