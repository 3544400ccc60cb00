"""`reproduce`: train saved runs again and compare every number."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adamcli.cli import options, output

if TYPE_CHECKING:
    from adamcli.config import Run
    from adamcli.history import RunHistory
    from adamcli.reproduction import Reproduction
    from adamcli.store import Result

_DIFFERENT = 3


def reproduce(
    run: options.RunName = None,
    sample: Annotated[
        int | None,
        typer.Option(
            min=1, metavar="K", help="Only K of the runs, always the same.", show_default=False
        ),
    ] = None,
    plugins: options.Plugins = None,
    out: options.Out = options.OUTPUTS,
    jobs: options.Jobs = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Train a finished run again and compare every number with what was saved.

    Metrics at every epoch, final parameters, traces, status and step of divergence. The same
    adamcli, NumPy, BLAS and machine must give the same bits; where they differ, what differs
    is named and rounding tolerated. Nothing is written. Exit code 3: a run came out different.
    Runs of a plug-in take --plugin with the file that they were trained with.

    Example: adamcli reproduce spiral --sample 2
    """
    from adamcli import config as configs
    from adamcli import store
    from adamcli.environment import environment
    from adamcli.reproduction import TOLERANCES, Verdict, changes
    from adamcli.reproduction import sample as drawn
    from adamcli.tables import reproduction_table

    own = [configs.find(plugin, configs.PLUGIN) for plugin in plugins or ()]
    result = store.find(run, out).load(own)
    changed = changes(result.manifest["environment"], environment())
    places = drawn(len(result.histories), sample)
    tolerances = TOLERANCES if changed else dict.fromkeys(TOLERANCES, 0.0)
    results = _results(result, places, tolerances, jobs, silent=json or quiet)
    tolerance = max(tolerances[run.task.dtype] for run in result.experiment.runs)
    if json:
        output.show_json(_document(result, results, changed, tolerance))
    elif not quiet:
        name, total = result.experiment.name, len(result.histories)
        output.show(reproduction_table(name, results, total, changed, tolerance))
    if any(each.verdict is Verdict.DIFFERENT for each in results):
        raise typer.Exit(_DIFFERENT)


def _results(
    result: Result,
    places: Sequence[int],
    tolerances: dict[str, float],
    jobs: int | None,
    *,
    silent: bool,
) -> list[Reproduction]:
    """The saved runs at some places, trained again and compared, in order."""
    from adamcli.plugins import StandIn
    from adamcli.reproduction import reproduction

    by_key = {(each.label, each.seed): each for each in result.experiment.runs}
    saved = [result.histories[place] for place in places]
    runs = [by_key[history.key] for history in saved]
    for run in runs:
        if isinstance(run.rule, StandIn):
            run.rule.refuse()
    again = {history.key: history for history in _trained(runs, jobs, silent)}
    return [
        reproduction(history, again[history.key], tolerances[run.task.dtype])
        for history, run in zip(saved, runs, strict=True)
    ]


def _trained(runs: Sequence[Run], jobs: int | None, silent: bool) -> list[RunHistory]:
    """The histories of runs, trained in view of the user."""
    from adamcli.runner import Progress, train_runs
    from adamcli.tables import LiveView

    histories: list[RunHistory] = []
    with LiveView(runs, output.stderr(), output.view_mode(silent)) as view:
        for news in train_runs(runs, jobs):
            if isinstance(news, Progress):
                view.update(news)
                histories += news.finished
    return histories


def _document(
    result: Result, results: Sequence[Reproduction], changed: dict[str, Any], tolerance: float
) -> dict[str, Any]:
    """What `reproduce --json` prints."""
    return {
        "run": str(result.path),
        "environment": changed,
        "tolerance": tolerance,
        "results": [
            {
                "label": each.label,
                "seed": each.seed,
                "verdict": each.verdict,
                "first_difference": each.first._asdict() if each.first else None,
                "largest_deviation": each.largest,
            }
            for each in results
        ],
    }
