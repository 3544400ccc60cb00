"""From an experiment to a saved result: the walk that `run` and `compare` share."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from adamcli import stats, store
from adamcli.cli import output
from adamcli.cli.drawing import paint
from adamcli.cli.painter import Painter
from adamcli.config import Experiment, Run
from adamcli.errors import Interrupted, WorkerError
from adamcli.history import RunHistory
from adamcli.runner import Progress, train_runs
from adamcli.store import Result, RunDirectory
from adamcli.tables import LiveView


@dataclass(frozen=True)
class Request:
    """How a command line wants its experiment carried out."""

    out: Path
    jobs: int | None
    formats: tuple[str, ...]
    json: bool
    quiet: bool
    fresh: bool
    figures: bool

    @property
    def silent(self) -> bool:
        """Whether nothing but errors goes to stderr."""
        return self.quiet or self.json


def carry_out(experiment: Experiment, request: Request, ready: Painter | None) -> Result:
    """Train what is missing, save it, draw the figures that are missing.

    Interrupted, it saves the runs that are done and lets the interrupt go on.
    """
    directory = store.directory_for(experiment, request.out)
    with directory.claimed():
        result = _completed(_tuned(experiment, directory, request), directory, request)
        if request.figures:
            result = _draw(directory, result, ready, request)
        store.name_latest(request.out, directory)
    return result


def _tuned(experiment: Experiment, directory: RunDirectory, request: Request) -> Experiment:
    """The experiment with the hyperparameters that its trials choose, where it is tuned."""
    tuning = experiment.tuning
    if tuning is None:
        return experiment
    with directory.trials.claimed():
        _say(request, f"tuning: {len(tuning.trials.runs)} runs choose the hyperparameters")
        tried = _completed(tuning.trials, directory.trials, request)
    return experiment.tuned(stats.tuned(tried.histories, tuning.candidates))


def _completed(experiment: Experiment, directory: RunDirectory, request: Request) -> Result:
    """The result of all runs, those trained that are not done yet."""
    known = () if request.fresh or not directory.saved else directory.load().histories
    done = {history.key for history in known}
    missing = [run for run in experiment.runs if (run.label, run.seed) not in done]
    if missing:
        return _train(experiment, missing, known, directory, request)
    done_runs = f"all {len(known)} runs are" if len(known) > 1 else "the run is"
    _say(request, f"{done_runs} done already; --fresh trains anew")
    return directory.load()


def _draw(
    directory: RunDirectory, result: Result, ready: Painter | None, request: Request
) -> Result:
    """Draw what is missing, in the second process or, if that is not to be had, in this one."""
    have = {path.name for path in result.figures if path.is_file()}
    painted = ready.paint(directory.path, request.formats, have) if ready else None
    painted = painted or paint(result, request.formats, have)
    return painted.keep(directory, result, quiet=request.silent)


def _train(
    experiment: Experiment,
    missing: Sequence[Run],
    known: Sequence[RunHistory],
    directory: RunDirectory,
    request: Request,
) -> Result:
    """Train runs in view of the user and save them together with the known ones."""
    finished = list(known)
    start = time.monotonic()
    try:
        with LiveView(missing, output.stderr(), output.view_mode(request.silent)) as view:
            for news in train_runs(missing, request.jobs):
                if isinstance(news, Progress):
                    view.update(news)
                    finished += news.finished
    except (KeyboardInterrupt, Interrupted, WorkerError):
        _save_interrupted(experiment, finished, directory, time.monotonic() - start)
        raise
    return directory.save(experiment, finished, time.monotonic() - start)


def _save_interrupted(
    experiment: Experiment, finished: Sequence[RunHistory], directory: RunDirectory, seconds: float
) -> None:
    """Save what is done and say how to go on."""
    if finished:
        directory.save(experiment, finished, seconds)
    output.say(
        f"interrupted: saved {len(finished)} of {len(experiment.runs)} runs; "
        "run the same command to continue"
    )


def _say(request: Request, text: str) -> None:
    """A line on stderr unless the user wants silence."""
    if not request.silent:
        output.say(text)
