"""`--dry-run`: what a training would take, said before anything is trained or written."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from adamcli import store
from adamcli.cli import output
from adamcli.runner import Estimate, estimate
from adamcli.tables import plan_table

if TYPE_CHECKING:
    from adamcli.cli.session import Request
    from adamcli.config import Experiment


def show_plan(experiment: Experiment, request: Request) -> None:
    """Print what it would take to carry out the experiment as it is requested."""
    directory = store.directory_for(experiment, request.out)
    saved = directory.manifest()["runs"] if directory.saved and not request.fresh else []
    done = {(run["label"], run["seed"]) for run in saved}
    missing = [run for run in experiment.runs if (run.label, run.seed) not in done]
    planned = estimate(missing, request.jobs)
    if request.json:
        output.show_json(plan_document(experiment, planned, str(directory.path)))
    elif not request.quiet:
        output.show(plan_table(experiment, planned))
        output.say("nothing was trained or written; leave out --dry-run to train")


def plan_document(experiment: Experiment, planned: Estimate, directory: str) -> dict[str, Any]:
    """What `--dry-run --json` prints; times in seconds of this command's training."""
    return {
        "run": directory,
        "runs": len(experiment.runs),
        "done": len(experiment.runs) - planned.runs,
        "stacks": planned.stacks,
        "jobs": planned.jobs,
        "seconds": round(planned.seconds, 3),
        "bytes": planned.bytes,
        "labels": list(dict.fromkeys(run.label for run in experiment.runs)),
    }
