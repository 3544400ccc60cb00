"""The table of `show --verify`: what is damaged, missing or not ours."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import RenderableType

from adamcli.tables.grid import Cell, Column, Grid, line, stack
from adamcli.tables.words import count

if TYPE_CHECKING:
    from adamcli.store import Verification


def verification_table(found: Verification) -> RenderableType:
    """Every file that is not as it should be, and how many are."""
    return stack(
        line(found.path.name, "bold"),
        *([_findings(found)] if found.findings else []),
        line(_verdict(found)),
    )


def _findings(found: Verification) -> Grid:
    """A row for each finding."""
    harmed = set(found.harmed)
    styles = ["red" if each in harmed else "" for each in found.findings]
    rows = list(zip(found.findings, styles, strict=True))
    return Grid(
        [
            Column("file", [Cell.of(each.file, "bold") for each in found.findings], least=16),
            Column("state", [Cell.of(each.state, style) for each, style in rows]),
            Column("what it means", [Cell.of(each.note) for each in found.findings], 1, least=20),
        ]
    )


def _verdict(found: Verification) -> str:
    """The state of the directory in a sentence."""
    runs, read = count(found.runs, "run"), count(found.files, "file")
    verdict = f"{len(found.harmed)} damaged or missing" if found.harmed else "nothing damaged"
    return f"{found.status}, {runs} saved; {read} read: {verdict}"
