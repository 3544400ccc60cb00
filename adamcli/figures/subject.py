"""What figures are drawn of: the trained runs of an experiment, their styles, their cells."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np
from matplotlib.figure import Figure

from adamcli import stats
from adamcli.history import RunHistory
from adamcli.palette import Style, run_styles, setting_of
from adamcli.stats import Place, Rate, Tuned
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
        rates: by label its curve and its learning rate, of optimizers that have many of them.
        places: where every label stands among several problems.
    """

    name: str
    trained: tuple[Trained, ...]
    styles: dict[str, Style]
    tuned: tuple[Tuned, ...] = ()
    rates: Mapping[str, Rate] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)

    @classmethod
    def of(cls, result: Result) -> Subject:
        """Pair every run of a result with its history; runs without one are left out."""
        histories = {history.key: history for history in result.histories}
        runs = result.experiment.runs
        pairs = ((run, histories.get((run.label, run.seed))) for run in runs)
        trained = tuple(Trained(run, history) for run, history in pairs if history is not None)
        whole = result.experiment
        tuned = whole.tuning.outcomes if whole.tuning else ()
        return cls(whole.name, trained, run_styles(runs), tuned, whole.rates, whole.places)

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


class Most(NamedTuple):
    """How many figures a family has at most, and how many labels each of them shows.

    Attributes:
        least: of fewer labels there is no figure.
    """

    cells: int
    labels: int
    least: int = 1


def plans_of_best(
    subject: Subject,
    family: str,
    cells: Mapping[str, Sequence[Trained]],
    most: Most,
    draw: Callable[[Subject, str, Sequence[Trained]], Figure],
) -> Plans:
    """As `plans_by_cell`, of the best labels of each cell where there are too many.

    Then a curve over learning rates is represented by the best of its labels, and those that
    are left have styles as if there were no others.
    """
    kept: dict[str, list[Trained]] = {}
    for cell, trained in cells.items():
        groups = by_label(trained)
        labels = _foremost(groups, subject.rates, most.labels)
        if len(labels) >= most.least:
            kept[cell] = [one for one in trained if one.run.label in labels]
    lone = {cell: trained for cell, trained in cells.items() if cell not in kept}
    cells = {cell: cells[cell] for cell in kept}
    had, have = (sum(len(by_label(t)) for t in each.values()) for each in (cells, kept))
    notes = []
    if have < had:
        styles = run_styles(one.run for trained in kept.values() for one in trained)
        subject = replace(subject, styles=styles)
        notes = [f"{family}: the best {have} of {had} labels, the others are left out"]
    figures, left_out = plans_by_cell(family, kept, most.cells, partial(draw, subject))
    if lone:
        count = sum(len(by_label(trained)) for trained in lone.values())
        notes.append(f"{family}: none of {count} labels, all are learning rates of one optimizer")
    return figures, notes + left_out


def _foremost(
    groups: Mapping[str, Sequence[Trained]], rates: Mapping[str, Rate], most: int
) -> set[str]:
    """All labels or, of too many, those of the lowest final losses, at most one of a curve."""
    if len(groups) <= most:
        return {*groups}
    score, *_ = stats.ranking_scores(one.history for t in groups.values() for one in t).values()
    medians = {
        label: float(np.median([stats.final(one.history, score) for one in group]))
        for label, group in groups.items()
    }
    leaders: dict[str, str] = {}
    for label in sorted(groups, key=lambda label: medians[label]):
        leaders.setdefault(rates[label].curve if label in rates else label, label)
    return {*islice(leaders.values(), most)}


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


def accuracy_of(histories: Sequence[RunHistory]) -> str:
    """The accuracy on held-out data, else on training data; empty where there is none."""
    names = ("test_accuracy", "validation_accuracy", "train_accuracy")
    measured = (n for n in names if any(len(h.metrics.get(n, ())) for h in histories))
    return next(measured, "")


def by_label(trained: Sequence[Trained]) -> dict[str, list[Trained]]:
    """Trained runs by label, in order."""
    labels: dict[str, list[Trained]] = {}
    for one in trained:
        labels.setdefault(one.run.label, []).append(one)
    return labels
