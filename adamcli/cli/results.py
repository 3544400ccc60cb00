"""`show` and `runs`: what `outputs/` holds."""

from __future__ import annotations

from adamcli.cli import options, output


def show(
    run: options.RunName = None,
    out: options.Out = options.OUTPUTS,
    json: options.Json = False,
) -> None:
    """Print the table and the verdicts of a finished run from its saved data.

    Every file is checked against its recorded hash first; damaged data is refused.

    Example: adamcli show spiral
    """
    from adamcli import store
    from adamcli.cli.telling import run_document, show_result
    from adamcli.tables import summary_table

    result = store.find(run, out).load()
    show_result(result, summary_table, run_document if json else None)
    if not json:
        output.say(f"saved {result.path}")


def runs(out: options.Out = options.OUTPUTS, json: options.Json = False) -> None:
    """List the run directories, newest first.

    Example: adamcli runs
    """
    from adamcli import store
    from adamcli.tables import runs_table

    entries = store.entries(out)
    if json:
        output.show_json({"runs": [entry.document() for entry in entries]})
    elif entries:
        output.show(runs_table(entries))
    else:
        output.say(f"no runs in {out}; start with: adamcli run configs/spiral.yaml")
