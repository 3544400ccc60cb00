"""Ranges of a sweep: `{log: [1.0e-4, 1.0], n: 16}`, numbers between two ends on some scale."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from adamcli.config.nodes import Node, PlacedError, brief, mistake_at
from adamcli.text import suggestion

GROUPS = ("halton", "together")
"""Keys of `sweep:` that are no path: their values are swept together, not multiplied."""

MAX_VALUES = 100_000
_DIGITS = 12  # of a value between the ends: the last bits of exp and log differ between machines


class Scale(NamedTuple):
    """What a range is even on.

    Attributes:
        to, back: to the scale, increasing, and back from it.
        above, below: what the ends are between.
    """

    to: Callable[[float], float]
    back: Callable[[float], float]
    above: float
    below: float


SCALES = {
    "linear": Scale(float, float, -math.inf, math.inf),
    "log": Scale(math.log, math.exp, 0, math.inf),
    "log1m": Scale(lambda x: -math.log1p(-x), lambda y: -math.expm1(-y), -math.inf, 1),
}
"""By the word of the file: `log` is even in log x, `log1m` in log(1 - x), as for a decay."""

_ENDS = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
_COUNT = {"type": "integer", "maximum": MAX_VALUES, "description": "how many values"}
_PLACES = {
    "linear": {**_ENDS, "description": "the ends, evenly divided"},
    "log": {**_ENDS, "description": "the ends, evenly divided in log x"},
    "log1m": {**_ENDS, "description": "the ends, evenly divided in log(1 - x)"},
}
_VALUES = {"type": "array", "minItems": 1}
_SEED = {"type": "integer", "minimum": 0, "maximum": 2**32 - 1, "description": "scrambles"}
_ONE_SCALE = {"additionalProperties": False, "minProperties": 1, "maxProperties": 1}
SPACE: dict[str, Any] = {
    "type": "object",
    "additionalProperties": {"type": "object", "properties": _PLACES, **_ONE_SCALE},
}
"""The JSON schema of `tune.space`."""

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "halton": {
            "type": "object",
            "description": "points that fill the ranges of several settings together",
            "properties": {"n": {**_COUNT, "minimum": 1}, "seed": _SEED},
            "required": ["n"],
            "additionalProperties": SPACE["additionalProperties"],
        },
        "together": {
            "type": "object",
            "description": "lists of equal length, whose values go together place by place",
            "additionalProperties": _VALUES,
        },
    },
    "additionalProperties": {
        "anyOf": [
            _VALUES,
            {
                "type": "object",
                "properties": {**_PLACES, "n": {**_COUNT, "minimum": 2}},
                "required": ["n"],
                "additionalProperties": False,
                "minProperties": 2,
                "maxProperties": 2,
            },
        ]
    },
}
"""The JSON schema of `sweep:`."""


@dataclass(frozen=True)
class Range:
    """Two ends and the scale between them.

    Attributes:
        ends: the two numbers as written.
    """

    scale: str
    ends: tuple[Node, Node]

    def at(self, shares: Iterable[float]) -> list[float]:
        """The value at each share, 0 to 1, of the way from end to end on the scale."""
        low, high = (float(end.value) for end in self.ends)
        to, back, *_ = SCALES[self.scale]
        start, stop = to(low), to(high)
        between = (back(start * (1 - share) + stop * share) for share in shares)
        return [min(high, max(low, float(f"{value:.{_DIGITS}g}"))) for value in between]

    def divided(self, count: int) -> list[float]:
        """So many values at equal distances on the scale, the first and last the ends."""
        between = self.at(i / (count - 1) for i in range(1, count - 1))
        low, high = (float(end.value) for end in self.ends)
        return [low, *between, high]


def read_range(node: Node, others: Sequence[str] = ()) -> tuple[Range | None, list[PlacedError]]:
    """The range that a mapping says, or None and all that is wrong with it.

    Args:
        others: keys that it has besides the one of its scale.
    """
    mistakes = unknown_keys(node, [*SCALES, *others], "a range")
    scales = [key for key in node.children if key in SCALES]
    if not scales and not mistakes:
        fix = "add the ends, such as log: [1.0e-4, 1.0]"
        mistakes.append(mistake_at(node, f"missing key {_either(SCALES)} for a range", fix))
    for key in scales[1:]:
        what = f"two scales for a range, {scales[0]} and {key}"
        mistakes.append(mistake_at(node.children[key], what, "keep one of them", at_key=True))
    if len(scales) != 1:
        return None, mistakes
    ends, wrong = _ends(scales[0], node.children[scales[0]])
    return (Range(scales[0], ends) if ends else None), mistakes + wrong


def unknown_keys(node: Node, known: Sequence[str], what: str) -> list[PlacedError]:
    """The keys of a mapping that it may not have."""
    return [
        mistake_at(
            under, f"unknown key {brief(key)} for {what}", suggestion(key, known), at_key=True
        )
        for key, under in node.children.items()
        if key not in known
    ]


def read_whole(
    node: Node, key: str, least: int, most: int, default: int | None = None
) -> tuple[int, list[PlacedError]]:
    """The whole number under a key of a mapping, or `least` and what is wrong with it."""
    found = node.children.get(key)
    if found is None and default is not None:
        return default, []
    wanted = f"an integer with {least} <= x <= {most}"
    if found is None:
        return least, [mistake_at(node, f"missing key {brief(key)}", f"add {key}: {wanted}")]
    value = found.value
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        what = f"expected {wanted}, got {brief(found.value)}"
        return least, [mistake_at(found, what, f"give {key} {wanted}, such as 16")]
    return value, []


def _ends(scale: str, node: Node) -> tuple[tuple[Node, Node] | None, list[PlacedError]]:
    """The two numbers of a range, in order and on its scale, or None and what is wrong."""
    items = node.value if isinstance(node.value, list) else []
    if len(items) != 2:
        got = f"{len(items)} values" if isinstance(node.value, list) else brief(node.value)
        fix = f"write the low and the high end, such as {scale}: {_EXAMPLES[scale]}"
        return None, [mistake_at(node, f"expected two numbers, got {got}", fix)]
    mistakes = [error for item in items for error in _off_scale(scale, item)]
    low, high = items
    if not mistakes and not low.value < high.value:
        what = f"the low end {brief(low.value)} is not below the high end {brief(high.value)}"
        mistakes.append(mistake_at(low, what, "write the smaller number first"))
    return (None if mistakes else (low, high)), mistakes


_EXAMPLES = {"linear": "[0.0, 1.0]", "log": "[1.0e-4, 1.0]", "log1m": "[0.5, 0.999]"}


def _off_scale(scale: str, node: Node) -> list[PlacedError]:
    """What is wrong with one end: no number, or none that the scale has."""
    above, below = SCALES[scale].above, SCALES[scale].below
    limits = {"log": " with 0 < x", "log1m": " with x < 1"}.get(scale, "")
    value = node.value
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if number and above < value < below and abs(value) <= 1e300:
        return []
    what = f"expected a number{limits}, got {brief(value)}"
    fix = f"write two numbers, such as {scale}: {_EXAMPLES[scale]}"
    return [mistake_at(node, what, fix)]


def _either(words: Iterable[str]) -> str:
    """`'a', 'b' or 'c'`."""
    *first, last = map(brief, words)
    return f"{', '.join(first)} or {last}"
