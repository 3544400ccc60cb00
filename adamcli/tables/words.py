"""How numbers, durations and counts are written in every table."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from adamcli.text import duration as duration

EN_DASH = "\N{EN DASH}"


def number(value: float, digits: int = 4) -> str:
    """At most four significant digits: `0.04213`, `3.12e-5`; `inf` and `none` as words."""
    if not math.isfinite(value):
        return "none" if math.isnan(value) else f"{value:g}"
    if value == 0:
        return "0"
    if 1e-3 <= abs(value) < 1e4:
        text = f"{value:#.{digits}g}".rstrip(".")
        if "e" not in text:
            return text
    mantissa, exponent = f"{value:.{min(digits, 3) - 1}e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def percent(share: float) -> str:
    """A share of 1 as `99.85%`."""
    return "none" if math.isnan(share) else f"{100 * share:.2f}%"


def score(name: str, value: float, digits: int = 4) -> str:
    """A metric's value: accuracies in percent, everything else as a number."""
    return percent(value) if name.endswith("accuracy") else number(value, digits)


def span(name: str, low: float, high: float) -> str:
    """The range of a metric's values, joined by a dash: 0.0312-0.0521, 98.10-99.25%.

    Three digits, four where three do not tell the ends apart, and empty where they are as
    good as equal.
    """
    if name.endswith("accuracy"):
        ends = (percent(low), percent(high))
        return "" if ends[0] == ends[1] else EN_DASH.join((ends[0].removesuffix("%"), ends[1]))
    for digits in (3, 4):
        if number(low, digits) != number(high, digits):
            return EN_DASH.join((number(low, digits), number(high, digits)))
    return ""


def count(n: int, noun: str) -> str:
    """`1 seed`, `20 seeds`."""
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def metric(name: str) -> str:
    """A metric as a reader names it: `test_loss` is `test loss`."""
    return name.replace("_", " ")


def listed(names: Sequence[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def yaml_value(value: Any) -> str:
    """A setting's value as one writes it in an experiment file."""
    writers: dict[type, Callable[[Any], str]] = {
        bool: lambda v: str(v).lower(),
        type(None): lambda v: "null",
        float: _yaml_float,
        tuple: lambda v: f"[{', '.join(map(yaml_value, v))}]",
    }
    return writers.get(type(value), str)(value)


def _yaml_float(value: float) -> str:
    """A float with no more digits than it needs: `0.001`, `1e-8`."""
    text = f"{value:.15g}"
    mantissa, _, exponent = text.partition("e")
    return f"{mantissa}e{int(exponent)}" if exponent else text
