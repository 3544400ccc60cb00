"""The table of `--dry-run`: how much work an experiment is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.console import RenderableType

from adamcli.tables import words
from adamcli.tables.grid import Cell, Column, Grid, line, stack
from adamcli.text import size

if TYPE_CHECKING:
    from adamcli.config import Experiment
    from adamcli.runner import Estimate


def plan_table(experiment: Experiment, planned: Estimate) -> RenderableType:
    """What an experiment would take: runs, stacks, time, memory."""
    trials = len(experiment.tuning.trials.runs) if experiment.tuning else 0
    done = len(experiment.runs) + trials - planned.runs
    labels = len({run.label for run in experiment.runs})
    processes = "1 process" if planned.jobs == 1 else f"{planned.jobs} processes"
    facts = {
        "settings": str(labels),
        **({"runs that tune": str(trials)} if trials else {}),
        "runs to train": f"{planned.runs}, {done} are done already" if done else str(planned.runs),
        "stacks": f"{planned.stacks} in {processes}",
        "training": f"about {words.duration(planned.seconds)}",
        "memory": f"about {size(planned.bytes)}",
    }
    grid = Grid(
        [
            Column("to do", [Cell.of(name, "bold") for name in facts]),
            Column("estimate", [Cell.of(value) for value in facts.values()], least=10),
        ]
    )
    caption = "Estimates are good to a factor of two; figures and start-up take about 2 s more."
    return stack(line(experiment.name, "bold"), grid, line(caption, "dim"))
