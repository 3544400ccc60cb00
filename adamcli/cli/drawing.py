"""Drawing the figures of a result into its directory."""

from __future__ import annotations

from collections.abc import Sequence

from adamcli import figures
from adamcli.cli import output
from adamcli.store import Result, RunDirectory


def draw_figures(
    directory: RunDirectory,
    result: Result,
    formats: Sequence[str],
    *,
    quiet: bool,
    again: bool = False,
) -> Result:
    """Draw the figures that the directory does not have yet, or all of them `again`.

    A figure that cannot be drawn is said on stderr and costs nothing else.
    """
    plans, notes = figures.plan(result)
    have = set() if again else {path.name for path in result.figures if path.is_file()}
    drawn: dict[str, bytes] = {}
    for plan in plans:
        names = {f"{plan.name}.{kind}": kind for kind in formats}
        missing = {name: kind for name, kind in names.items() if name not in have}
        if missing:
            drawn |= _draw(plan, missing)
    for note in () if quiet else notes:
        output.say(f"note: {note}")
    return directory.add_figures(result, drawn) if drawn else result


def _draw(plan: figures.Plan, names: dict[str, str]) -> dict[str, bytes]:
    """One figure in the wanted formats, or nothing and a line on stderr."""
    try:
        figure = plan.draw()
        return {name: figures.render(figure, kind) for name, kind in names.items()}
    except Exception as error:  # a figure never fails a run
        output.say(f"warning: no figure {plan.name} ({type(error).__name__}: {error})")
        return {}
