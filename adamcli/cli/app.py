"""The Typer application: every command, registered here, lives in a file of its kind."""

from __future__ import annotations

from typing import Annotated

import typer

from adamcli import __version__
from adamcli.cli import check, claims, explain, plots, reproduce, results, setup, train

app = typer.Typer(
    name="adamcli",
    epilog="Start with: adamcli run configs/spiral.yaml",
    context_settings={"help_option_names": ["-h", "--help"]},
    invoke_without_command=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


def _print_version(wanted: bool) -> None:
    """Print the version and stop."""
    if wanted:
        print(f"adamcli {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks of errors.")] = False,
) -> None:
    """A laboratory for optimizers in a terminal: fair, fast and open to the inside."""
    if context.invoked_subcommand is None:
        print(context.get_help())


for _name, _command, _summary in (
    ("run", train.run, "Train an experiment, save data and figures."),
    ("compare", train.compare, "Train optimizers side by side on the same seeds."),
    ("plot-trace", plots.plot_trace, "Draw what went on inside an optimizer."),
    ("plot", plots.plot, "Draw all figures of a run again."),
    ("show", results.show, "Print the table of a run."),
    ("reproduce", reproduce.reproduce, "Train a run again and compare every number."),
    ("runs", results.runs, "List the runs that are there."),
    ("optimizers", explain.optimizers, "List the optimizers, or explain one."),
    ("datasets", explain.datasets, "List the datasets, or explain one."),
    ("check", check.check, "Check whether an optimizer is right, built in or yours."),
    ("claims", claims.claims, "Test written claims about optimizers."),
    ("doctor", setup.doctor, "Print versions, BLAS, fonts and terminal."),
):
    app.command(_name, short_help=_summary)(_command)
app.add_typer(
    setup.config_app, name="config", short_help="Check or print an experiment, or the schema."
)
