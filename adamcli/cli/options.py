"""The options that several commands share, each defined once."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Literal, NamedTuple

import typer

from adamcli.errors import UsageError
from adamcli.text import quoted

FORMATS = ("png", "svg", "pdf")
OUTPUTS = Path("outputs")
CHECKPOINT_EVERY = 30.0

Engine = Literal["processes", "dask"]
_ADDRESS = re.compile(r"(tcp|tls|ws|wss)://(\[[0-9A-Fa-f:.%]+\]|[\w.-]+):\d{1,5}")


def _complete_config(incomplete: str) -> list[str]:
    """Experiment files below the current folder that start like this."""
    files = [*Path().glob("*.yaml"), *Path("configs").glob("*.yaml")]
    return sorted(str(path) for path in files if str(path).startswith(incomplete))


def _complete_claim(incomplete: str) -> list[str]:
    """Claim files below the current folder that start like this."""
    files = [*Path().glob("*.yaml"), *Path("configs/claims").glob("*.yaml")]
    return sorted(str(path) for path in files if str(path).startswith(incomplete))


def _complete_run(incomplete: str) -> list[str]:
    """Run directories in `outputs` that start like this."""
    manifests = Path("outputs").glob("*/manifest.json")
    return sorted(
        {path.parent.name for path in manifests if path.parent.name.startswith(incomplete)}
    )


def _complete_rule(incomplete: str) -> list[str]:
    """Optimizer names that start like this."""
    from adamcli.optimizers import RULES

    return [name for name in RULES if name.startswith(incomplete)]


def parse_formats(text: str) -> tuple[str, ...]:
    """`png,svg` as a tuple of `FORMATS`."""
    wanted = tuple(dict.fromkeys(part.strip().lower() for part in text.split(",")))
    unknown = [part for part in wanted if part not in FORMATS]
    if unknown:
        raise UsageError(
            f"no format {quoted(unknown[0], 40)}",
            where="--format",
            fix=f"use one or more of {', '.join(FORMATS)}, separated by commas",
        )
    return wanted


class Workplace(NamedTuple):
    """Where runs are to be trained, and how often what is under way is saved.

    Attributes:
        jobs: processes; None for as many as are worth it.
        scheduler: the address of a dask scheduler that is there.
        scheduler_file: names its address instead.
        checkpoint_every: in seconds.
    """

    jobs: int | None = None
    engine: Engine = "processes"
    scheduler: str | None = None
    scheduler_file: Path | None = None
    checkpoint_every: float = CHECKPOINT_EVERY


def workplace(
    jobs: int | None,
    engine: Engine | None,
    scheduler: str | None,
    file: Path | None,
    checkpoint_every: float,
) -> Workplace:
    """The options that say where to train, if they go together; a scheduler is one of dask's.

    Raises:
        UsageError: they contradict each other, or the address of the scheduler is none.
    """
    if scheduler is None and file is None:
        return Workplace(jobs, engine or "processes", checkpoint_every=checkpoint_every)
    option = "--scheduler" if file is None else "--scheduler-file"
    if engine == "processes":
        raise UsageError(f"{option} without dask", where="--engine", fix="leave out --engine")
    if scheduler is not None and file is not None:
        what, where = "two schedulers", "--scheduler and --scheduler-file"
        raise UsageError(what, where=where, fix="leave out one of them")
    if jobs is not None:
        what = f"{option} with a number of processes, which its workers decide"
        raise UsageError(what, where="--jobs", fix="leave out --jobs")
    if scheduler is not None and not _ADDRESS.fullmatch(scheduler):
        fix = "write it as tcp://HOST:PORT or tls://HOST:PORT"
        raise UsageError(f"no address {quoted(scheduler)}", where="--scheduler", fix=fix)
    return Workplace(None, "dask", scheduler, file, checkpoint_every)


ConfigFile = Annotated[
    Path,
    typer.Argument(
        metavar="CONFIG", help="Experiment file (YAML).", autocompletion=_complete_config
    ),
]
ClaimFiles = Annotated[
    list[Path] | None,
    typer.Argument(
        metavar="FILE",
        help="Claim files (YAML); all that come with adamcli if left out.",
        autocompletion=_complete_claim,
        show_default=False,
    ),
]
BaseConfig = Annotated[
    Path | None,
    typer.Option(
        "--config",
        metavar="CONFIG",
        help="Take dataset, model, training and settings from this experiment.",
        autocompletion=_complete_config,
        show_default=False,
    ),
]
RuleNames = Annotated[
    list[str],
    typer.Argument(metavar="OPT", help="Optimizers to compare.", autocompletion=_complete_rule),
]
RuleOrFile = Annotated[
    str | None,
    typer.Argument(
        metavar="[NAME|FILE]",
        help="An optimizer, or a Python file with one.",
        autocompletion=_complete_rule,
        show_default=False,
    ),
]
EveryRule = Annotated[bool, typer.Option("--all", help="Check every built-in optimizer.")]
Reference = Annotated[
    Path | None,
    typer.Option(
        "--reference",
        metavar="DIR",
        help="Replay the recorded trajectories in this folder.",
        show_default=False,
    ),
]
RunName = Annotated[
    str | None,
    typer.Argument(
        metavar="RUN",
        help="Run directory, its name or a unique prefix; the latest if left out.",
        autocompletion=_complete_run,
        show_default=False,
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="PATH=VALUE",
        help="Override one value, such as train.epochs=5 or adam.lr=1e-3; repeatable.",
        show_default=False,
    ),
]
Plugins = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin",
        metavar="FILE",
        help="Python file with an optimizer of your own, which is executed; repeatable.",
        show_default=False,
    ),
]
Seeds = Annotated[
    int | None,
    typer.Option("--seeds", min=1, help="Train seeds 0 to N-1.", metavar="N", show_default=False),
]
Out = Annotated[Path, typer.Option("--out", metavar="DIR", help="Where run directories are kept.")]
Jobs = Annotated[
    int | None,
    typer.Option(
        "--jobs",
        min=1,
        max=1024,
        metavar="N",
        help="Processes that train; one per core if the work takes over a second.",
        show_default=False,
    ),
]
EngineName = Annotated[
    Engine | None,
    typer.Option(
        "--engine",
        help="What trains: processes of this machine (if left out), or dask with workers anywhere.",
        show_default=False,
    ),
]
Scheduler = Annotated[
    str | None,
    typer.Option(
        "--scheduler",
        metavar="tcp://HOST:PORT",
        help="Train on the workers of this dask scheduler.",
        show_default=False,
    ),
]
SchedulerFile = Annotated[
    Path | None,
    typer.Option(
        "--scheduler-file",
        metavar="FILE",
        help="The same; its address is in this file, which the scheduler has written.",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document on stdout.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Print nothing but errors.")]
CheckpointEvery = Annotated[
    float,
    typer.Option(
        "--checkpoint-every",
        min=0,
        metavar="SECONDS",
        help="How much work of a stack of runs may be lost at most when a training is cut short.",
    ),
]
Fresh = Annotated[bool, typer.Option("--fresh", help="Train anew what is already trained.")]
DryRun = Annotated[
    bool, typer.Option("--dry-run", help="Only say what it would take: runs, time, memory.")
]
Tune = Annotated[
    int | None,
    typer.Option(
        "--tune",
        min=1,
        max=10_000,
        metavar="TRIALS",
        help="Tune every optimizer first, with so many trials for each.",
        show_default=False,
    ),
]
NoFigures = Annotated[bool, typer.Option("--no-figures", help="Draw no figures.")]
Formats = Annotated[
    str,
    typer.Option(
        "--format",
        metavar="png,svg,pdf",
        help="File formats of the figures, separated by commas.",
    ),
]
