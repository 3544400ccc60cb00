"""`run` and `compare`: train what is missing, save it, show it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from adamcli.cli import options, output
from adamcli.cli.painter import painter
from adamcli.errors import RuleError

if TYPE_CHECKING:
    from adamcli.cli.session import Request
    from adamcli.config import Experiment, Run
    from adamcli.store import Result

STANDARD = Path("configs/spiral.yaml")
COMPARE_SEEDS = 20


def run(
    config: options.ConfigFile,
    overrides: options.Set = None,
    plugins: options.Plugins = None,
    seeds: options.Seeds = None,
    out: options.Out = options.OUTPUTS,
    jobs: options.Jobs = None,
    engine: options.EngineName = None,
    scheduler: options.Scheduler = None,
    scheduler_file: options.SchedulerFile = None,
    checkpoint_every: options.CheckpointEvery = options.CHECKPOINT_EVERY,
    formats: options.Formats = "png",
    json: options.Json = False,
    quiet: options.Quiet = False,
    fresh: options.Fresh = False,
    no_figures: options.NoFigures = False,
    dry_run: options.DryRun = False,
) -> None:
    """Train every run of an experiment that is not done yet; save data and figures.

    Running the same experiment again finds its directory and trains only what is missing.

    Example: adamcli run configs/spiral.yaml --set train.epochs=20 --seeds 5
    """
    kinds = options.parse_formats(formats)
    place = options.workplace(jobs, engine, scheduler, scheduler_file, checkpoint_every)
    with painter(wanted=not no_figures and not dry_run) as ready:
        from adamcli.cli.planning import show_plan
        from adamcli.cli.session import Request, carry_out
        from adamcli.cli.telling import run_document, show_result
        from adamcli.tables import summary_table

        experiment = experiment_of(config, overrides, seeds, plugins)
        request = Request(out, place, kinds, json, quiet, fresh, not no_figures)
        if dry_run:
            show_plan(experiment, request)
            return
        result = carry_out(experiment, request, ready)
    if json or not quiet:
        show_result(result, summary_table, run_document if json else None)
    _say_what_is_next(result, request)
    _refuse_failures(result)


def compare(
    names: options.RuleNames,
    config: options.BaseConfig = None,
    overrides: options.Set = None,
    plugins: options.Plugins = None,
    seeds: options.Seeds = None,
    out: options.Out = options.OUTPUTS,
    jobs: options.Jobs = None,
    engine: options.EngineName = None,
    scheduler: options.Scheduler = None,
    scheduler_file: options.SchedulerFile = None,
    checkpoint_every: options.CheckpointEvery = options.CHECKPOINT_EVERY,
    formats: options.Formats = "png",
    json: options.Json = False,
    quiet: options.Quiet = False,
    fresh: options.Fresh = False,
    no_figures: options.NoFigures = False,
    dry_run: options.DryRun = False,
    tune: options.Tune = None,
) -> None:
    """Train the named optimizers on the same seeds and set them side by side.

    The standard experiment is the article's spiral: 2000 points, a 2-32-32-1 network, 70
    epochs, 20 seeds. An optimizer has the settings it has there, otherwise its defaults.
    Every seed gives all optimizers the same data, initial weights and batches. With --tune
    the hyperparameters of each are chosen first, by as many trials for each of them, on other
    seeds and on points that are not tested on.

    Example: adamcli compare sgdm rmsprop adam --seeds 10
    """
    kinds = options.parse_formats(formats)
    place = options.workplace(jobs, engine, scheduler, scheduler_file, checkpoint_every)
    if seeds is None and config is None and not _sets_seeds(overrides):
        seeds = COMPARE_SEEDS
    with painter(wanted=not no_figures and not dry_run) as ready:
        from adamcli.cli.planning import show_plan
        from adamcli.cli.session import Request, carry_out
        from adamcli.cli.telling import compare_document, show_result
        from adamcli.tables import comparison_table

        wanted = [*(overrides or []), *([f"tune.trials={tune}"] if tune else [])]
        experiment = experiment_of(config or STANDARD, wanted, seeds, plugins, names)
        request = Request(out, place, kinds, json, quiet, fresh, not no_figures)
        if dry_run:
            show_plan(experiment, request)
            return
        result = carry_out(experiment, request, ready)
    if json or not quiet:
        show_result(result, comparison_table, compare_document if json else None)
    _say_what_is_next(result, request)
    _refuse_failures(result)


def experiment_of(
    config: Path,
    overrides: list[str] | None,
    seeds: int | None,
    plugins: list[Path] | None,
    names: list[str] | None = None,
) -> Experiment:
    """The experiment that a command line names; its plug-ins are executed."""
    from adamcli import config as configs
    from adamcli.plugins import load

    path = configs.find(config)
    given = [load(configs.find(plugin, configs.PLUGIN)) for plugin in plugins or ()]
    return configs.load(path, all_overrides(overrides, seeds), names, given)


def all_overrides(overrides: list[str] | None, seeds: int | None) -> list[str]:
    """All overrides as PATH=VALUE; `--seeds` is the last."""
    return [*(overrides or []), *([f"train.seeds={seeds}"] if seeds is not None else [])]


def _sets_seeds(overrides: list[str] | None) -> bool:
    """Whether a `--set` names the seeds."""
    return any(text.partition("=")[0].strip() == "train.seeds" for text in overrides or [])


def _say_what_is_next(result: Result, request: Request) -> None:
    """What was saved, and what to try next, on stderr."""
    if request.silent:
        return
    output.say(f"saved {result.path}")
    for figure in result.figures:
        output.say(f"      {figure}")
    output.say(f"next: {_next(result, request)}")


def _refuse_failures(result: Result) -> None:
    """End with exit code 3 where runs failed; why is in the table.

    Raises:
        RuleError: some have.
    """
    from adamcli.store import ERROR_LOG

    if result.failed:
        what = f"{result.failed} of {len(result.histories)} runs failed"
        where = str(result.path / ERROR_LOG)
        lost = any(history.failure and history.failure.lost for history in result.histories)
        fix = "run the command again" if lost else "mend the optimizer and run the command again"
        raise RuleError(what, where=where, fix=fix)


def _next(result: Result, request: Request) -> str:
    """A command that goes on from here."""
    where = "" if request.out == options.OUTPUTS else f" --out {shlex.quote(str(request.out))}"
    run = result.experiment.runs[0]
    own = [plugin for plugin in result.experiment.plugins if plugin.name == run.optimizer]
    where += "".join(f" --plugin {shlex.quote(str(plugin.path))}" for plugin in own)
    trace = f"adamcli plot-trace{where} --optimizer {run.optimizer} --param '{_some_weight(run)}'"
    return f"{trace}  (what went on inside)"


def _some_weight(run: Run) -> str:
    """A weight of the second layer, W2[3,4] where there is one, else some parameter."""
    tensors = run.task.layout.tensors
    weights = next((tensor for tensor in tensors if tensor.name == "W2"), tensors[0])
    places = (min(place, size - 1) for place, size in zip((3, 4), weights.shape, strict=False))
    return f"{weights.name}[{','.join(map(str, places))}]"
