"""Drawing the figures of a result, here or in a second process that has Matplotlib ready.

Loading Matplotlib takes as long as training a small experiment, so `run` starts a painter
first, which loads it on another core meanwhile; it then draws from the saved data. As a
process of its own it also cannot harm the training.
"""

from __future__ import annotations

import contextlib
import json
import pickle
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
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


class Painter:
    """A second process that draws, started ahead of need."""

    def __init__(self) -> None:
        # A session of its own, so that Ctrl-C reaches only us; it ends when its input does.
        # -P: no module of the current folder may stand in for one of ours.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-m", "adamcli.cli.painter"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def paint(self, path: Path, formats: Sequence[str], have: Collection[str]) -> Painted:
        """As `paint`, from what the run directory at `path` holds."""
        request = {"path": str(path.absolute()), "formats": [*formats], "have": sorted(have)}
        try:
            reply, _ = self._process.communicate(json.dumps(request).encode())
            painted: Painted = pickle.loads(reply)
        except (OSError, EOFError, pickle.UnpicklingError):
            fix = f"try `adamcli plot {path}`"
            return Painted(warnings=[f"no figures: the process that draws them has died; {fix}"])
        return painted

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.communicate()


@contextlib.contextmanager
def painter(*, wanted: bool) -> Iterator[Painter | None]:
    """A painter for the duration, or None if none is wanted or can be had."""
    try:
        started = Painter() if wanted else None
    except OSError:
        started = None
    try:
        yield started
    finally:
        if started is not None:
            started.stop()


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
