"""`config` and `doctor`: what an experiment says, and what this installation is."""

from __future__ import annotations

import os
import sys
from typing import Any

import typer

from adamcli.cli import options, output
from adamcli.cli.train import experiment_of

config_app = typer.Typer(
    name="config",
    invoke_without_command=True,
    rich_markup_mode=None,
)


@config_app.callback()
def _root(context: typer.Context) -> None:
    """Check an experiment file, print it resolved, or print the JSON schema."""
    if context.invoked_subcommand is None:
        print(context.get_help())


@config_app.command("check", short_help="Check an experiment file and its data.")
def check(
    config: options.ConfigFile,
    overrides: options.Set = None,
    plugins: options.Plugins = None,
    seeds: options.Seeds = None,
    json: options.Json = False,
) -> None:
    """Check an experiment file and its data; print all mistakes at once.

    Example: adamcli config check configs/spiral.yaml
    """
    experiment = experiment_of(config, overrides, seeds, plugins)
    labels = list(dict.fromkeys(run.label for run in experiment.runs))
    trials = len(experiment.tuning.trials.runs) if experiment.tuning else 0
    if json:
        counts = {"runs": len(experiment.runs), "trials": trials, "labels": labels}
        output.show_json({"valid": True, "directory": experiment.directory, **counts})
    else:
        runs = f"{len(experiment.runs)} run{'s' * (len(experiment.runs) != 1)}"
        tuned = f", after {trials} that tune" if trials else ""
        output.show_lines([f"{config} is valid: {runs} of {', '.join(labels)}{tuned}"])


@config_app.command("show", short_help="Print an experiment with every default.")
def show(
    config: options.ConfigFile,
    overrides: options.Set = None,
    plugins: options.Plugins = None,
    seeds: options.Seeds = None,
    json: options.Json = False,
) -> None:
    """Print an experiment with every default filled in and where each value comes from.

    Example: adamcli config show configs/spiral.yaml --set adam.lr=1e-3
    """
    experiment = experiment_of(config, overrides, seeds, plugins)
    if json:
        output.show_json({"config": experiment.resolved, "origins": experiment.origins})
    else:
        output.show_lines(experiment.annotated().splitlines())


@config_app.command("schema", short_help="Print the JSON schema of an experiment file.")
def schema() -> None:
    """Print the JSON schema (draft-07) of an experiment file, for editors.

    Example: adamcli config schema > schema.json
    """
    from adamcli import config as configs

    output.show_json(configs.schema())


def doctor(json: options.Json = False) -> None:
    """Print versions, BLAS, processor, fonts and terminal: what to add to a bug report.

    Example: adamcli doctor
    """
    from adamcli.tables import facts_table

    if json:
        output.show_json(_facts())
    else:
        output.show(facts_table(_facts()))


def _facts() -> dict[str, Any]:
    """Everything `doctor` knows."""
    import numpy  # noqa: F401  (loads the BLAS that is reported)

    from adamcli import figures
    from adamcli.environment import environment

    return {**environment(), "cores": os.cpu_count(), "fonts": figures.fonts(), **_terminal()}


def _terminal() -> dict[str, Any]:
    """What kind of terminal this is."""
    console = output.stdout()
    return {
        "terminal": sys.stdout.isatty(),
        "terminal_size": f"{console.width} x {console.height}",
        "encoding": sys.stdout.encoding,
        "colours": console.color_system or "none",
        "TERM": os.environ.get("TERM", ""),
    }
