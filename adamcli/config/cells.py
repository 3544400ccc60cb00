"""The cells of an experiment: every problem of a suite with every swept value that touches it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from adamcli.config.axes import Factor, combinations
from adamcli.config.grammar import Grammar
from adamcli.config.mistakes import checked
from adamcli.config.nodes import Node, Path, PlacedError, dotted, mistake
from adamcli.config.sections import Train, subjects_of
from adamcli.config.suite import entries
from adamcli.layout import Layout
from adamcli.problems import (
    DATASETS,
    MLP,
    PROBLEMS,
    NetworkTask,
    Objective,
    ObjectiveTask,
    Task,
    Validated,
)
from adamcli.problems.datasets import Dataset
from adamcli.schedules import SCHEDULES, Schedule
from adamcli.settings import Setting, settings_of


class Network(NamedTuple):
    """A network on a dataset, as what is minimised."""

    dataset: Dataset
    model: MLP


@dataclass(frozen=True)
class Cell:
    """One combination of the swept values that touch the problem, of one problem of a suite.

    Attributes:
        tree: the file with these values.
        problem: the label of the problem in its suite; empty without a suite.
        tags: the parts of labels that tell the cell, by swept key; a suite's is `problems`.
    """

    tree: Node
    problem: str
    tags: Mapping[str, str]
    subject: Network | Objective
    train: Train

    @property
    def validates(self) -> bool:
        """Whether its runs are evaluated on points for tuning where there are any."""
        return self.train.held_out == "validation"

    def task(self, seed: int = 0, position: int = 0) -> Task:
        """What a run of the cell minimises.

        Args:
            seed: of the run.
            position: of its optimizer; decides the batches under `random: article`.
        """
        subject, train = self.subject, self.train
        if not isinstance(subject, Network):
            if self.validates and isinstance(subject, Validated):
                subject = subject.validated()
            return ObjectiveTask(
                objective=subject, epochs=train.epochs, dtype=train.dtype, seed=seed
            )
        return NetworkTask(
            dataset=subject.dataset,
            model=subject.model,
            batch_size=train.batch_size,
            epochs=train.epochs,
            dtype=train.dtype,
            random=train.random,
            seed=seed,
            position=position,
            held_out=train.held_out,
        )


def cells_of(
    root: Node, factors: Sequence[Factor], grammar: Grammar
) -> tuple[list[Cell], list[PlacedError]]:
    """Every combination of the axes that touch the problem, for every problem of a suite."""
    cells: list[Cell] = []
    mistakes: list[PlacedError] = []
    trees = [
        (tree, label, {"problems": label, **tags} if label else tags)
        for whole, label in entries(root)
        for tree, tags in combinations(whole, factors, None)
    ]
    for tree, label, tags in trees:
        parts = []
        for key in (*subjects_of(tree), "train"):
            part, found = checked(grammar, tree, (key,))
            parts.append(part)
            mistakes += [error for _, error in found]
        if not mistakes:
            *subject, train = parts
            cells.append(Cell(tree, label, tags, _subject(*subject), _train(train)))
    return cells, mistakes


def misfits(cells: Sequence[Cell], whole: Any) -> list[PlacedError]:
    """What only shows with the data at hand: batches and traced parameters."""
    mistakes = [error for cell in cells for error in _unfit(cell)]
    layouts = [cell.task().layout for cell in cells]
    if whole.problems:
        return mistakes + _untraceable(cells[0].tree, layouts, whole.trace.params)
    for cell, layout in zip(cells, layouts, strict=True):
        mistakes += _untraceable(cell.tree, [layout], whole.trace.params)
    return mistakes


def _unfit(cell: Cell) -> list[PlacedError]:
    """Training settings that do not fit what is minimised."""
    subject, train = cell.subject, cell.train
    if cell.validates and "validation_loss" not in cell.task().metrics:
        return _unvalidated(cell)
    if not isinstance(subject, Network):
        what, fix = "the article's stream is of a dataset, and this is a problem", "use paired"
        article = [mistake(cell.tree, ("train", "random"), what, fix)]
        return article if train.random == "article" else []
    if train.batch_size <= (most := subject.dataset.train_size):
        return []
    what = f"batch_size {train.batch_size} is more than the {most} training points"
    fix = f"use at most {most}, or more samples"
    return [mistake(cell.tree, ("train", "batch_size"), what, fix)]


def _unvalidated(cell: Cell) -> list[PlacedError]:
    """What only an experiment with points for validation can do."""
    subject = cell.subject
    if not isinstance(subject, Network):
        if not isinstance(subject, Validated):
            return []  # a function without data: other seeds are validation enough
        place: Path = ("problem", "test_samples")
    else:
        drawn = "validation_samples" not in {s.name for s in settings_of(type(subject.dataset))}
        place = ("dataset", "test_samples" if drawn else "validation_samples")
    what = "tuning reads points for validation, and there are none"
    return [mistake(cell.tree, place, what, f"set {dotted(place)}, such as 200")]


def _untraceable(tree: Node, layouts: Sequence[Layout], params: Sequence[str]) -> list[PlacedError]:
    """Traced parameters that no layout has, or that are named twice."""
    seen, mistakes = set[str](), []
    for i, param in enumerate(params):
        place = ("trace", "params", i)
        if not any(param in layout for layout in layouts):
            what, fix = f"no parameter {param!r}", _instead(layouts[0], param)
            mistakes.append(mistake(tree, place, what, fix))
        elif canonical_param(param) in seen:
            what = f"{canonical_param(param)} twice in the list"
            mistakes.append(mistake(tree, place, what, "remove one"))
        else:
            seen.add(canonical_param(param))
    return mistakes


def _instead(layout: Layout, param: str) -> str:
    """What there is instead of a parameter that a layout has not."""
    try:
        layout.index(param)
    except ValueError as error:
        return str(error)
    return ""


def _subject(section: Any, model: Any = None) -> Network | Objective:
    """What the sections of a problem, or of a dataset and a model, stand for."""
    if model is not None:
        return Network(built(DATASETS[section.name], section), built(MLP, model))
    objective: Objective = built(PROBLEMS[section.name], section)
    return objective


def _train(section: Any) -> Train:
    """The training settings of a cell."""
    own = {s.name: getattr(section, s.name) for s in settings_of(Train)}
    schedule = schedule_of(section.schedule)
    return Train(**{**own, "seeds": tuple(section.seeds), "schedule": schedule})


def schedule_of(section: Any) -> Schedule:
    """The schedule that a section stands for."""
    schedule: Schedule = built(SCHEDULES[section.name], section)
    return schedule


def built(cls: type, section: Any) -> Any:
    """The dataclass whose settings a section holds."""
    return cls(**values_of(settings_of(cls), section))


def values_of(settings: Sequence[Setting], section: Any) -> dict[str, Any]:
    """The values that a section gives to settings."""
    values = {s.name: getattr(section, s.name) for s in settings}
    return {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}


def canonical_param(param: str) -> str:
    """The name of a parameter without blanks."""
    return re.sub(r"\s", "", param)
