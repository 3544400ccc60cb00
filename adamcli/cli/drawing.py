"""Drawing the figures of a result, here or as the process behind a `Painter`."""

from __future__ import annotations

import json
import os
import pickle
import sys
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from adamcli.cli import output
from adamcli.store import Result, RunDirectory


@dataclass
class Painted:
    """Figures as files' contents, by name; what was left out; what went wrong."""

    images: dict[str, bytes] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    def keep(self, directory: RunDirectory, result: Result, *, quiet: bool) -> Result:
        """Write the figures into the directory and say what is missing."""
        for warning in self.warnings:
            output.say(f"warning: {warning}")
        for note in () if quiet else self.notes:
            output.say(f"note: {note}")
        return directory.add_figures(result, self.images) if self.images else result


def paint(result: Result, formats: Sequence[str], have: Collection[str] = ()) -> Painted:
    """Draw the figures of a result; one that cannot be drawn costs nothing but itself.

    Args:
        formats: some of png, svg, pdf.
        have: file names that need not be drawn again.
    """
    from adamcli import figures

    plans, notes = figures.plan(result)
    painted = Painted(notes=notes)
    for plan in plans:
        missing = {f"{plan.name}.{kind}": kind for kind in formats}
        missing = {name: kind for name, kind in missing.items() if name not in have}
        try:
            if missing:
                figure = plan.draw()
                made = {name: figures.render(figure, kind) for name, kind in missing.items()}
                painted.images |= made
        except Exception as error:  # a figure never fails a run
            painted.warnings.append(f"no figure {plan.name} ({type(error).__name__}: {error})")
    return painted


def answer() -> None:
    """The life of a painter's process: load Matplotlib, draw what stdin asks for, end."""
    from adamcli import figures  # noqa: F401  (being ahead with this is what it is for)

    asked = sys.stdin.buffer.read()
    if asked:
        request = json.loads(asked)
        result = RunDirectory(Path(request["path"])).load()
        painted = paint(result, request["formats"], request["have"])
        sys.stdout.buffer.write(pickle.dumps(painted))
        sys.stdout.flush()
    os._exit(0)  # an orderly end would take Matplotlib another 0.1 s
