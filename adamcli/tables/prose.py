"""Docstrings as text for a terminal of any width."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult

from adamcli.tables.grid import Cell

_WIDEST = 88
_HEAD = re.compile(r"[A-Z]\w*:\s+")


@dataclass(frozen=True)
class Prose:
    """A docstring's body: paragraphs, and sections such as `Rule:` with a hanging indent.

    It is filled anew only where it does not fit; formulas, the lines of `Rule:`, stay apart.
    """

    text: str

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = max(1, min(options.max_width, _WIDEST))
        for paragraph in _paragraphs(self.text):
            for filled in _filled(paragraph, width):
                yield Cell.of(filled).shown(options.ascii_only)


def _paragraphs(text: str) -> Iterator[list[str]]:
    """Lines that belong together; an empty line is a paragraph of its own."""
    paragraph: list[str] = []
    for line in text.split("\n"):
        if paragraph and (not line.strip() or not paragraph[0] or _HEAD.match(line)):
            yield paragraph
            paragraph = []
        paragraph.append(line)
    yield paragraph


def _filled(paragraph: list[str], width: int) -> list[str]:
    """A paragraph in lines of at most the given width."""
    if max(map(len, paragraph)) <= width:
        return paragraph
    head = _HEAD.match(paragraph[0])
    first = head[0] if head and len(head[0]) < width // 2 else ""
    lines = [line.strip() for line in paragraph]
    lines[0] = lines[0].removeprefix(first)
    if not first.startswith("Rule"):
        lines = [" ".join(lines)]
    filled = [part for line in lines for part in _wrapped(line, width - len(first))]
    return [(" " * len(first) if place else first) + part for place, part in enumerate(filled)]


def _wrapped(line: str, width: int) -> list[str]:
    """A line cut at blanks."""
    return textwrap.wrap(line, max(1, width), break_on_hyphens=False)
