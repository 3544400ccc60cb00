"""`plot` and `plot-trace`: figures from what is saved, without training where it can be."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from adamcli.cli import options, output
from adamcli.errors import UsageError

if TYPE_CHECKING:
    from adamcli.store import Result


def plot(
    run: options.RunName = None,
    out: options.Out = options.OUTPUTS,
    formats: options.Formats = "png",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Draw all figures of a run again from its saved data.

    Example: adamcli plot spiral --format svg,pdf
    """
    from adamcli import store
    from adamcli.cli.drawing import paint

    kinds = options.parse_formats(formats)
    directory = store.find(run, out)
    with directory.claimed():
        result = directory.load()
        result = paint(result, kinds).keep(directory, result, quiet=quiet or json)
    names = [path.name for path in result.figures]
    _present(result, names, quiet, {} if json else None)


def plot_trace(
    run: options.RunName = None,
    optimizer: Annotated[
        list[str] | None,
        typer.Option(
            metavar="LABEL",
            help="Only this label, or the labels of this optimizer; repeatable.",
            show_default=False,
        ),
    ] = None,
    param: Annotated[
        str | None,
        typer.Option(
            metavar="PARAM", help="A parameter such as 'W1[0,0]' or 'b2[7]'.", show_default=False
        ),
    ] = None,
    seed: Annotated[
        int | None,
        typer.Option(
            min=0, metavar="SEED", help="Only this seed; the first if left out.", show_default=False
        ),
    ] = None,
    layers: Annotated[
        bool, typer.Option("--layers", help="Norms and update over weight of every array.")
    ] = False,
    compare: Annotated[
        bool, typer.Option("--compare", help="All labels over each other in one figure.")
    ] = False,
    log: Annotated[bool, typer.Option("--log", help="Logarithmic axes.")] = False,
    out: options.Out = options.OUTPUTS,
    formats: options.Formats = "png",
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Draw what went on inside: slots, corrected values, effective learning rate, per step.

    Without options: every label that has a trace, in the latest run. With --compare one
    figure of what several optimizers do to the same parameter; with --layers how far every
    weight matrix and bias moves for its size. What was not recorded is trained again, with
    the same bits, to record it.

    Example: adamcli plot-trace --optimizer adam --param 'W2[3,4]' --seed 0
    """
    from adamcli import store
    from adamcli.cli import tracing

    kinds = options.parse_formats(formats)
    if layers and (param or compare):
        raise UsageError(
            "--layers is of all parameters of one run",
            where="--param" if param else "--compare",
            fix="leave one of the two out",
        )
    choice = tracing.Choice(tuple(optimizer or ()), seed, compare, quiet=quiet or json)
    directory = store.find(run, out)
    with directory.claimed():
        result = directory.load()
        drawn, document = tracing.inside(result, choice, param, layers=layers, log=log)
        images = tracing.rendered(drawn, kinds, log=log)
        result = directory.add_figures(result, images)
    _present(result, [*images], quiet, document if json else None)


def _present(
    result: Result, names: list[str], quiet: bool, document: dict[str, Any] | None
) -> None:
    """The paths of the figures on stdout, as lines or in a JSON document."""
    paths = [str(result.path / "figures" / name) for name in names]
    if document is not None:
        output.show_json({"run": str(result.path), "figures": paths, **document})
    elif not quiet:
        output.show_lines(paths)
