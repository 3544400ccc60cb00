"""From an experiment to a saved result: the walk that `run` and `compare` share."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from adamcli import stats, store
from adamcli.cli import output
from adamcli.cli.drawing import paint
from adamcli.cli.options import Workplace
from adamcli.cli.painter import Painter
from adamcli.config import Experiment, Run
from adamcli.errors import Interrupted, StorageError, WorkerError
from adamcli.history import RunHistory
from adamcli.runner import Checkpoint, Progress, executor_for, train_runs
from adamcli.store import Parts, Result, RunDirectory
from adamcli.tables import LiveView

_MANY = 1000  # runs that take seconds to put together


@dataclass(frozen=True)
class Request:
    """How a command line wants its experiment carried out."""

    out: Path
    place: Workplace
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

    Every stack is saved when it is finished; interrupted, the others stay missing.
    """
    directory = store.directory_for(experiment, request.out)
    with directory.claimed():
        result = _completed(experiment, directory, request)
        if request.figures:
            result = _draw(directory, result, ready, request)
        store.name_latest(request.out, directory)
    return result


def _completed(experiment: Experiment, directory: RunDirectory, request: Request) -> Result:
    """The result of all runs, those trained that are not done yet."""
    if not request.fresh and directory.complete(experiment):
        count = len(experiment.runs)
        done_runs = f"all {count} runs are" if count > 1 else "the run is"
        _say(request, f"{done_runs} done already; --fresh trains anew")
        directory.parts.remove()  # of a training with --fresh that did not come to its end
        return directory.load()
    for path in directory.begin(experiment, fresh=request.fresh):
        output.say(
            f"warning: {path} is damaged or of another experiment; its runs are trained again"
        )
    return _train(_tuned(experiment, directory, request), directory, request)


def _tuned(experiment: Experiment, directory: RunDirectory, request: Request) -> Experiment:
    """The experiment with the hyperparameters that its trials choose, where it is tuned."""
    tuning = experiment.tuning
    if tuning is None:
        return experiment
    with directory.trials.claimed():
        _say(request, f"tuning: {len(tuning.trials.runs)} runs choose the hyperparameters")
        tried = _completed(tuning.trials, directory.trials, request)
    return experiment.tuned(stats.tuned(tried.histories, tuning.candidates))


def _draw(
    directory: RunDirectory, result: Result, ready: Painter | None, request: Request
) -> Result:
    """Draw what is missing, in the second process or, if that is not to be had, in this one."""
    have = {path.name for path in result.figures if path.is_file()}
    painted = ready.paint(directory.path, request.formats, have) if ready else None
    painted = painted or paint(result, request.formats, have)
    return painted.keep(directory, result, quiet=request.silent)


def _train(experiment: Experiment, directory: RunDirectory, request: Request) -> Result:
    """Train in view of the user what no part has yet, and put all together."""
    parts = directory.parts
    done = set(parts.entries())
    missing = [run for run in experiment.runs if (run.label, run.seed) not in done]
    lost: list[RunHistory] = []
    start = time.monotonic()
    try:
        with LiveView(missing, output.stderr(), output.view_mode(request.silent)) as view:
            for news in _news(missing, parts, request):
                keys = [(missing[place].label, missing[place].seed) for place in news.block]
                if isinstance(news, Checkpoint):
                    parts.remember(keys, news.memory)
                else:
                    view.update(news)
                    done |= _kept(news, parts, lost)
        if len(experiment.runs) >= _MANY:
            _say(request, f"saving {len(experiment.runs)} runs")
        result = directory.finish(experiment, lost, time.monotonic() - start)
    except (KeyboardInterrupt, Interrupted, WorkerError, StorageError):
        saved = f"saved {len(done)} of {len(experiment.runs)} runs"
        output.say(f"interrupted: {saved}; {_how_to_go_on(experiment, directory, request)}")
        raise
    processors = result.manifest["processors"]
    if len(processors) > 1:
        kinds = ", ".join(processors)
        _say(request, f"note: trained by {kinds}; the last bits of a run depend on which")
    return result


def _kept(progress: Progress, parts: Parts, lost: list[RunHistory]) -> set[tuple[str, int]]:
    """The finished runs that are saved now; those whose workers died go to the lost ones."""
    finished = progress.finished
    if any(history.failure and history.failure.lost for history in finished):
        lost += finished
        return set()
    if finished:
        parts.keep(finished, progress.processor)
    return {history.key for history in finished}


def _how_to_go_on(experiment: Experiment, directory: RunDirectory, request: Request) -> str:
    """What to say to somebody whose training was cut short."""
    if not request.fresh:
        return "run the same command to continue"
    if directory.complete(experiment):
        return "the earlier results stay; run the same command to train anew"
    return "run the same command without --fresh to continue"


def _news(
    missing: Sequence[Run], parts: Parts, request: Request
) -> Iterator[Progress | Checkpoint]:
    """What comes of training some runs, from their checkpoints where there are any."""
    if not missing:
        return
    places = {(run.label, run.seed): place for place, run in enumerate(missing)}
    known = []
    for keys, memory in parts.checkpoints():
        if all(key in places for key in keys):
            known.append(Checkpoint(tuple(places.pop(key) for key in keys), memory))
    place = request.place
    engine = executor_for(place.engine, place.scheduler, place.scheduler_file, place.jobs)
    every = place.checkpoint_every
    yield from train_runs(missing, place.jobs, known=known, every=every, engine=engine)


def _say(request: Request, text: str) -> None:
    """A line on stderr unless the user wants silence."""
    if not request.silent:
        output.say(text)
