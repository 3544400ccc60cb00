"""What is known of a rule in words: its docstring taken apart, its family, its state."""

from __future__ import annotations

import inspect
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from adamcli.layout import Layout
from adamcli.optimizers.rule import Rule

SECTIONS = ("Rule", "Slots", "Source", "Forks", "Use")
"""What every rule's docstring says, in this order."""

_HEAD = re.compile(r"^([A-Z]\w*):\s+", re.MULTILINE)

# The network of the article, on which the state of a rule is counted.
_NETWORK = Layout.of(
    {"W1": (2, 32), "b1": (32,), "W2": (32, 32), "b2": (32,), "W3": (32, 1), "b3": (1,)}
)


@dataclass(frozen=True)
class Page:
    """A rule in words.

    Attributes:
        family: the first line of the module it stands in.
        summary: the first line of its docstring.
        sections: the rest by the heads in `SECTIONS`, lines as they stand.
        state: numbers that it keeps per parameter of the article's network.
    """

    name: str
    family: str
    summary: str
    sections: Mapping[str, str]
    state: float


def page_of(name: str, rule: type[Rule]) -> Page:
    """The page of one rule."""
    summary, _, body = (inspect.getdoc(rule) or "").partition("\n")
    heads = [(match[1], match.start(), match.end()) for match in _HEAD.finditer(body)]
    ends = [start for _, start, _ in heads[1:]] + [len(body)]
    sections = {
        head: inspect.cleandoc(" " * (start - begin) + body[start:end])
        for (head, begin, start), end in zip(heads, ends, strict=True)
    }
    return Page(name, family_of(rule), summary, sections, state_of(rule))


def family_of(rule: type[Rule]) -> str:
    """The first line of the module in which a rule stands, without its full stop."""
    text = sys.modules[rule.__module__].__doc__ or ""
    return text.partition("\n")[0].removesuffix(".")


def families(rules: Mapping[str, type[Rule]]) -> dict[str, dict[str, type[Rule]]]:
    """Rules by family, both in the order of the registry."""
    found: dict[str, dict[str, type[Rule]]] = {}
    for name, rule in rules.items():
        found.setdefault(family_of(rule), {})[name] = rule
    return found


def state_of(rule: type[Rule]) -> float:
    """The numbers that a rule keeps per parameter, beside parameters and gradients."""
    slots = rule().init(np.zeros((1, _NETWORK.size)), _NETWORK)
    return sum(slot.size for slot in slots.values()) / _NETWORK.size
