"""What figures are drawn of: the trained runs of an experiment, their styles, their cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, Protocol

from matplotlib.figure import Figure

from adamcli.history import RunHistory
from adamcli.palette import Style, run_styles, setting_of
from adamcli.stats import Tuned
from adamcli.text import slug

if TYPE_CHECKING:
    from adamcli.config import Experiment, Run


class Result(Protocol):
    """What figures need of a saved result."""

    @property
    def experiment(self) -> Experiment:
        """Its name and its runs."""
        ...

    @property
    def histories(self) -> Sequence[RunHistory]:
        """The histories of some or all of these runs."""
        ...


class Trained(NamedTuple):
    """A run and what came of it."""

    run: Run
    history: RunHistory

    @property
    def setting(self) -> str:
        """The label without the words that name the cell."""
        return setting_of(self.run.label, self.run.cell)

    @property
    def seed_and_end(self) -> str:
        """Which seed it has, and when it diverged if it did."""
        end = self.history.diverged_at
        return f"seed {self.run.seed}" + (f", diverged at step {end}" if end is not None else "")


@dataclass(frozen=True)
class Plan:
    """A figure that can be drawn: the stem of its file name, and how."""

    name: str
    draw: Callable[[], Figure]


Plans = tuple[list[Plan], list[str]]
"""The figures of a family, and a line for everything left out."""


@dataclass(frozen=True)
class Subject:
    """The trained runs of an experiment.

    Attributes:
        name: the experiment's.
        trained: in the order of the experiment.
        styles: of every label.
        tuned: what was chosen for each optimizer on each problem, if anything was tuned.
    """

    name: str
    trained: tuple[Trained, ...]
    styles: dict[str, Style]
    tuned: tuple[Tuned, ...] = ()

    @classmethod
    def of(cls, result: Result) -> Subject:
        """Pair every run of a result with its history; runs without one are left out."""
        histories = {history.key: history for history in result.histories}
        runs = result.experiment.runs
        pairs = ((run, histories.get((run.label, run.seed))) for run in runs)
        trained = tuple(Trained(run, history) for run, history in pairs if history is not None)
        tuning = result.experiment.tuning
        return cls(
            result.experiment.name, trained, run_styles(runs), tuning.outcomes if tuning else ()
        )

    def cells(self) -> dict[str, list[Trained]]:
        """The trained runs by cell; without a sweep there is one cell with an empty name."""
        cells: dict[str, list[Trained]] = {}
        for one in self.trained:
            cells.setdefault(one.run.cell, []).append(one)
        return cells

    def paired_cells(self) -> dict[str, list[Trained]]:
        """The cells in which several labels have several seeds, with these labels' runs."""
        paired: dict[str, list[Trained]] = {}
        for cell, trained in self.cells().items():
            groups = [group for group in by_label(trained).values() if len(group) > 1]
            if len(groups) > 1:
                paired[cell] = [one for group in groups for one in group]
        return paired


def plans_by_cell(
    family: str,
    cells: Mapping[str, Sequence[Trained]],
    most: int,
    draw: Callable[[str, Sequence[Trained]], Figure],
) -> Plans:
    """A figure of each of the first cells, and a line on the others."""
    notes = []
    if len(cells) > most:
        notes = [f"{family}: the first {most} of {len(cells)} cells, the others are left out"]
    return [
        Plan(f"{family}-{slug(cell)}" if cell else family, partial(draw, cell, trained))
        for cell, trained in islice(cells.items(), most)
    ], notes


def by_label(trained: Sequence[Trained]) -> dict[str, list[Trained]]:
    """Trained runs by label, in order."""
    labels: dict[str, list[Trained]] = {}
    for one in trained:
        labels.setdefault(one.run.label, []).append(one)
    return labels
