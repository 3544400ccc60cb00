"""`--dry-run`: what a training would take, said before anything is trained or written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adamcli import store
from adamcli.cli import output
from adamcli.runner import Estimate, estimate
from adamcli.tables import plan_table

if TYPE_CHECKING:
    from adamcli.cli.session import Request
    from adamcli.config import Experiment, Run
    from adamcli.store import RunDirectory


def show_plan(experiment: Experiment, request: Request) -> None:
    """Print what it would take to carry out the experiment as it is requested."""
    directory = store.directory_for(experiment, request.out)
    planned = estimate(_missing(experiment, directory, request), request.place.jobs)
    if experiment.tuning:
        trials = _missing(experiment.tuning.trials, directory.trials, request)
        planned = estimate(trials, request.place.jobs).then(planned)
    if request.json:
        output.show_json(plan_document(experiment, planned, str(directory.path)))
    elif not request.quiet:
        output.show(plan_table(experiment, planned))
        output.say("nothing was trained or written; leave out --dry-run to train")


def _missing(experiment: Experiment, directory: RunDirectory, request: Request) -> list[Run]:
    """The runs that are not done yet."""
    done = set() if request.fresh else directory.done()
    return [run for run in experiment.runs if (run.label, run.seed) not in done]


def plan_document(experiment: Experiment, planned: Estimate, directory: str) -> dict[str, Any]:
    """What `--dry-run --json` prints; times in seconds of this command's training.

    All runs are counted, those of the trials too.
    """
    trials = len(experiment.tuning.trials.runs) if experiment.tuning else 0
    return {
        "run": directory,
        "runs": len(experiment.runs) + trials,
        "trials": trials,
        "done": len(experiment.runs) + trials - planned.runs,
        "stacks": planned.stacks,
        "jobs": planned.jobs,
        "seconds": round(planned.seconds, 3),
        "bytes": planned.bytes,
        "labels": list(dict.fromkeys(run.label for run in experiment.runs)),
    }
