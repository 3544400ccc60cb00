"""One colour, dash and marker per optimizer, the same in every figure and table.

The colours are those of Okabe and Ito (Color Universal Design, 2008), which readers with
any common colour vision tell apart, without yellow, too faint for a line, and with a grey
that shows on a white page and on a black terminal in place of black. Dashes and markers
tell lines apart without any colour.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

T = TypeVar("T")

Dash = tuple[float, ...]
"""Lengths on, off, on, ... in units of the line width; empty for a solid line."""


@dataclass(frozen=True)
class Style:
    """How one label is drawn: colour as #rrggbb, dash, and a marker in Matplotlib's letters."""

    colour: str
    dash: Dash
    marker: str


BLUE, VERMILLION, GREEN = "#0072B2", "#D55E00", "#009E73"
SKY, PURPLE, ORANGE, GREY = "#56B4E9", "#CC79A7", "#E69F00", "#767676"

SOLID: Dash = ()
DASHED: Dash = (4.5, 1.6)
DASH_DOT: Dash = (6.0, 1.6, 1.2, 1.6)
DOTTED: Dash = (1.2, 1.3)
LONG: Dash = (9.0, 2.2)
DASH_DOT_DOT: Dash = (6.0, 1.5, 1.2, 1.5, 1.2, 1.5)

# In the order in which a label without a style of its own is given one.
_COLOURS = (SKY, PURPLE, ORANGE, GREY, VERMILLION, GREEN, BLUE)
_DASHES = (DOTTED, DASHED, DASH_DOT_DOT, LONG, DASH_DOT, SOLID)
_MARKERS = ("D", "v", "P", "<", ">", "p", "h", "s", "^", "o")

RULE_STYLES = {
    "sgd": Style(GREY, LONG, "v"),
    "sgdm": Style(VERMILLION, DASHED, "s"),
    "nesterov": Style(ORANGE, DOTTED, "D"),
    "signsgd": Style(SKY, LONG, "<"),
    "signum": Style(SKY, DASHED, ">"),
    "lion": Style(ORANGE, SOLID, "p"),
    "rprop": Style(GREY, DOTTED, "h"),
    "adagrad": Style(GREEN, LONG, "v"),
    "adadelta": Style(GREEN, DOTTED, "D"),
    "rmsprop": Style(GREEN, DASH_DOT, "^"),
    "adam": Style(BLUE, SOLID, "o"),
    "adamw": Style(PURPLE, DASH_DOT_DOT, "P"),
    "amsgrad": Style(BLUE, DASHED, "s"),
    "adamax": Style(BLUE, DASH_DOT, "^"),
    "nadam": Style(BLUE, LONG, "D"),
    "adan": Style(ORANGE, DASH_DOT, "<"),
    "radam": Style(GREEN, SOLID, "p"),
    "adabelief": Style(PURPLE, SOLID, "h"),
    "yogi": Style(PURPLE, DASHED, ">"),
    "adopt": Style(VERMILLION, SOLID, "h"),
    "schedulefree_sgd": Style(GREY, DASHED, "o"),
    "schedulefree_adamw": Style(PURPLE, DOTTED, "D"),
    "prodigy": Style(SKY, DOTTED, "v"),
    "lamb": Style(VERMILLION, DASH_DOT_DOT, "P"),
    "lars": Style(ORANGE, DASHED, "s"),
    "adafactor": Style(GREY, SOLID, "p"),
    "muon": Style(SKY, SOLID, "h"),
    "sophia": Style(SKY, DASH_DOT_DOT, "^"),
    "soap": Style(VERMILLION, LONG, ">"),
    "mars": Style(PURPLE, LONG, "<"),
}
"""The style of each rule that adamcli ships, by its name: no two share colour and dash, and
the six that are compared most share neither."""


class Labelled(Protocol):
    """A run or its history: which setting, of which rule, at which swept values."""

    @property
    def label(self) -> str:
        """The name of the setting, unique in an experiment."""
        ...

    @property
    def optimizer(self) -> str:
        """The name of the rule."""
        ...

    @property
    def cell(self) -> str:
        """The swept values of the problem that the label repeats."""
        ...


def styles(labels: Iterable[tuple[str, str]]) -> dict[str, Style]:
    """A style for every label.

    The label that is the rule's own name has the rule's style, or else the rule's first
    label. The others, and the labels of unknown rules, get what is used least, in order.

    Args:
        labels: (label, optimizer) pairs in the order of the experiment.
    """
    optimizers = dict(labels)
    owners = _owners(optimizers)
    given = {label: RULE_STYLES[rule] for rule, label in owners.items() if rule in RULE_STYLES}
    for label in optimizers:
        if label not in given:
            given[label] = _least_used(list(given.values()))
    return {label: given[label] for label in optimizers}


def run_styles(runs: Iterable[Labelled]) -> dict[str, Style]:
    """A style for every full label: the cells of a sweep share that of their setting."""
    settings = {run.label: (setting_of(run.label, run.cell), run.optimizer) for run in runs}
    by_setting = styles(settings.values())
    return {label: by_setting[setting] for label, (setting, _) in settings.items()}


def curve_styles(runs: Iterable[Labelled], curves: Mapping[str, str]) -> dict[str, Style]:
    """A style for every curve, as if it were a label.

    Args:
        curves: the curve of each label that belongs to one.
    """
    return styles({curves[run.label]: run.optimizer for run in runs if run.label in curves}.items())


def setting_of(label: str, cell: str) -> str:
    """A label without the words of its cell: `adam` for `adam noise=0.1` at `noise=0.1`."""
    words = label.split(" ")
    for word in reversed(cell.split(" ")):
        if word in words[1:]:
            del words[len(words) - 1 - words[::-1].index(word)]
    return " ".join(words)


def _owners(optimizers: dict[str, str]) -> dict[str, str]:
    """For each rule the label that has the rule's own style."""
    owners: dict[str, str] = {}
    for label, rule in optimizers.items():
        if label == rule or rule not in owners:
            owners[rule] = label
    return owners


def _least_used(taken: Sequence[Style]) -> Style:
    """The colour, the dash and the marker that the fewest have, the earliest among equals."""
    return Style(
        _rarest(_COLOURS, [style.colour for style in taken]),
        _rarest(_DASHES, [style.dash for style in taken]),
        _rarest(_MARKERS, [style.marker for style in taken]),
    )


def _rarest(choices: Sequence[T], taken: Sequence[T]) -> T:
    """The choice that occurs least often among those taken."""
    counts = Counter(taken)
    return min(choices, key=lambda choice: counts[choice])
