"""`show` and `runs`: what `outputs/` holds."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from adamcli.cli import options, output
from adamcli.errors import DamagedError, UsageError

if TYPE_CHECKING:
    from adamcli.store import RunDirectory, Verification


def show(
    run: options.RunName = None,
    hashed: Annotated[
        bool, typer.Option("--hash", help="Only one SHA-256 over all recorded numbers.")
    ] = False,
    verify: Annotated[
        bool, typer.Option("--verify", help="Only what is damaged, missing or not ours.")
    ] = False,
    out: options.Out = options.OUTPUTS,
    json: options.Json = False,
) -> None:
    """Print the table and the verdicts of a run from its saved data.

    Every file is checked against its recorded hash first; damaged data is refused. With
    --hash one line: equal for two runs whose numbers are equal in every bit, whatever
    processes, stacks, threads, interruptions or files they went through. With --verify every
    file that is not as it was saved, figures too, of a finished or an unfinished run. Exit code
    6: something is damaged or missing. What only costs time does not count: a damaged
    checkpoint, or what a killed process left, and files that are not ours are never touched.

    Example: adamcli show spiral --verify
    """
    from adamcli import store
    from adamcli.cli.telling import run_document, show_result
    from adamcli.tables import summary_table

    if hashed and verify:
        fix = "leave one of the two out"
        raise UsageError("--hash and --verify are two questions", where="--hash", fix=fix)
    if verify:
        _show_verification(store.verify(store.find(run, out, store.BEGUN)), json)
        return
    if hashed:
        _show_hash(store.find(run, out), json)
        return
    result = store.find(run, out).load()
    show_result(result, summary_table, run_document if json else None)
    if not json:
        output.say(f"saved {result.path}")


def _show_hash(directory: RunDirectory, json: bool) -> None:
    """The hash of all numbers; a note if runs are missing."""
    result, digest = directory.hashed()
    missing = len(result.experiment.runs) - len(result.histories)
    if missing:
        output.say(f"note: {missing} of {len(result.experiment.runs)} runs are not trained yet")
    if json:
        output.show_json({"hash": digest})
    else:
        output.show_lines([digest])


def _show_verification(found: Verification, json: bool) -> None:
    """What is not as it was saved.

    Raises:
        DamagedError: some of it is damaged or missing.
    """
    from adamcli.tables import verification_table

    if json:
        output.show_json(found.document())
    else:
        output.show(verification_table(found))
    if found.harmed:
        what = f"{len(found.harmed)} of {found.files} files are damaged or missing"
        raise DamagedError(what, where=str(found.path), fix=found.fix)


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
