"""The Typer application: every command, registered here, lives in a file of its kind."""

from __future__ import annotations

from typing import Annotated

import typer

from adamcli import __version__
from adamcli.cli import explain, plots, results, setup, train

app = typer.Typer(
    name="adamcli",
    help="A laboratory for optimizers in a terminal: fair, fast and open to the inside.",
    epilog="Start with: adamcli run configs/spiral.yaml",
    context_settings={"help_option_names": ["-h", "--help"]},
    no_args_is_help=True,
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
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    pass


app.command("run")(train.run)
app.command("compare")(train.compare)
app.command("plot-trace")(plots.plot_trace)
app.command("plot")(plots.plot)
app.command("show")(results.show)
app.command("runs")(results.runs)
app.command("optimizers")(explain.optimizers)
app.command("datasets")(explain.datasets)
app.add_typer(setup.config_app, name="config")
app.command("doctor")(setup.doctor)
