"""Axes whose limits and ticks are decided from the data before anything is drawn."""

from __future__ import annotations

import math
from collections.abc import Iterable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.markers import TICKLEFT
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator

from adamcli.figures.style import EDGE
from adamcli.layout import Array

HUGE = 1e30
"""Larger magnitudes are not drawn: Matplotlib's ticks fail near the end of the floats."""

# A linear axis spans at least this part of its numbers, so that they need few digits.
_LEAST, _LEAST_RAISED = 1e-3, 0.05

_RAISED = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")

Limits = tuple[float, float]


def shown(values: Array, log: bool = False) -> Array:
    """The values as floats, NaN where they cannot be drawn on the scale; tiny ones are zero."""
    values = np.asarray(values, dtype=np.float64)
    with np.errstate(invalid="ignore"):
        good = (np.abs(values) <= HUGE) & ((values > 1 / HUGE) | (not log))
        tiny = np.abs(values) < 1 / HUGE
    return np.where(good, np.where(tiny, 0.0, values), np.nan)


def limits(arrays: Iterable[Array], log: bool = False) -> Limits | None:
    """The range of all values that can be drawn, with some air; None when there are none."""
    good = [values[np.isfinite(values)] for values in (shown(array, log) for array in arrays)]
    values = np.concatenate([*good, np.empty(0)])
    if not len(values):
        return None
    low, high = float(values.min()), float(values.max())
    if log:
        air = max(high / low, 1.2) ** 0.06 if high > low else 2.0
        return low / air, high * air
    if low == high:
        air = abs(high) * 0.1 or 1.0
    else:
        largest = max(abs(low), abs(high))
        least = largest * (_LEAST_RAISED if _is_raised(largest) else _LEAST)
        air = max((high - low) * 0.06, (least - (high - low)) / 2)
    return low - air, high + air


def inner_limits(axes: Axes) -> Limits:
    """The y limits of a panel without a small strip at either end."""
    to_data = axes.transLimits.inverted() + axes.transScale.inverted()
    return to_data.transform((0, 0.04))[1], to_data.transform((0, 0.96))[1]


def set_scale(axes: Axes, bounds: Limits | None, log: bool = False) -> None:
    """Give the y axis its scale, limits and ticks; without data, a note in its place."""
    if bounds is None:
        what = "no positive values" if log else "no finite values"
        axes.text(0.5, 0.5, what, transform=axes.transAxes, ha="center", va="center")
        bounds = (0.1, 1.0)
    axes.set_yscale("log" if log else "linear")
    axes.set_ylim(*bounds)
    if log:
        _set_log_ticks(axes, *bounds)
    else:
        set_linear_ticks(axes.yaxis)


def set_log_x(axes: Axes, low: float, high: float) -> None:
    """Give the x axis a logarithmic scale between two positive numbers, and few ticks."""
    axes.set_xscale("log")
    axes.set_xlim(low, high)
    ticks, _ = log_ticks(low, high)
    write = power if all(_is_power(tick) for tick in ticks) else plain
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: write(value)))
    axes.xaxis.set_minor_locator(NullLocator())


def hide_x(axes: Axes) -> None:
    """Leave the x axis without numbers, where a panel below has them."""
    axes.tick_params(axis="x", labelbottom=False)


def set_linear_ticks(axis: Axis, count: int = 5, whole: bool = False) -> None:
    """A few round numbers; only whole ones for counts."""
    axis.set_major_locator(MaxNLocator(count, integer=whole, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: _linear(value, axis)))


def _linear(value: float, axis: Axis) -> str:
    """A tick on a linear axis, with a power of ten where the numbers need one."""
    largest = max(abs(bound) for bound in axis.get_view_interval())
    return raised(value) if _is_raised(largest) and value else plain(value)


def _is_raised(largest: float) -> bool:
    """Whether numbers up to this one are written with a power of ten."""
    return not 1e-3 <= largest < 1e6


def _set_log_ticks(axes: Axes, low: float, high: float) -> None:
    """Powers of ten, or 1, 2, 5 times them on a short axis; small marks between them."""
    ticks, between = log_ticks(low, high)
    write = power if all(_is_power(tick) for tick in ticks) else plain
    if write is plain and any("e" in f"{tick:.6g}" for tick in ticks):
        write = raised
    axes.yaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: write(value)))
    axes.yaxis.set_minor_locator(NullLocator())
    if between:
        _mark(axes, between)


def _mark(axes: Axes, places: list[float]) -> None:
    """Small marks on the y axis: one line of markers costs a hundredth of so many ticks."""
    axes.plot(
        np.zeros(len(places)),
        places,
        transform=axes.get_yaxis_transform(),
        linestyle="none",
        marker=TICKLEFT,
        markersize=2,
        markeredgewidth=0.6,
        color=EDGE,
        clip_on=False,
    )


def log_ticks(low: float, high: float) -> tuple[list[float], list[float]]:
    """Places of labelled and of unlabelled ticks between two positive numbers."""
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    decades = range(first, last + 1)
    fine = [digit * 10.0**k for k in decades for digit in range(1, 10)]
    fine = [tick for tick in fine if low <= tick <= high]
    tens = [tick for tick in fine if _is_power(tick)]
    if len(tens) >= 3:
        return tens[:: -(-len(tens) // 5)], fine if len(tens) <= 5 else tens
    rounds = [tick for tick in fine if f"{tick:e}"[0] in "125"]
    return (rounds if len(rounds) >= 2 else _three(low, high)), fine


def _three(low: float, high: float) -> list[float]:
    """Three places, or two, on an axis too short for round ones."""
    places = (low * (high / low) ** part for part in (0.15, 0.5, 0.85))
    return [*dict.fromkeys(float(f"{place:.3g}") for place in places)]


def _is_power(value: float) -> bool:
    """Whether a tick is a power of ten."""
    return f"{value:.6e}".startswith("1.000000")


def plain(value: float) -> str:
    """A number as short as it gets, such as 0.25 or 10⁻⁵, with true minus and times signs."""
    short = f"{value:.6g}"
    return raised(value) if "e" in short else short.replace("-", "\N{MINUS SIGN}")


def raised(value: float) -> str:
    """A number with a power of ten, such as 10⁻⁵."""
    digits, _, exponent = f"{value:.5e}".partition("e")
    digits = f"{float(digits):g}"
    factor = {"1": "", "-1": "-"}.get(digits, f"{digits}\N{MULTIPLICATION SIGN}")
    number = f"{factor}10{str(int(exponent)).translate(_RAISED)}"
    return number.replace("-", "\N{MINUS SIGN}")


def power(value: float) -> str:
    """A power of ten, such as 10⁻³, in characters that need no typesetting."""
    return "10" + str(round(math.log10(value))).translate(_RAISED)
