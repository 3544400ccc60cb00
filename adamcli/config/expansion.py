"""An experiment multiplied out: cells of the problem, settings of optimizers, seeds."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from adamcli.config.experiment import Run
from adamcli.config.grammar import Grammar
from adamcli.config.mistakes import checked
from adamcli.config.names import MAX_RUNS, label_keys
from adamcli.config.nodes import Node, PlacedError, mistake
from adamcli.config.sections import Train, subjects_of
from adamcli.config.suite import entries
from adamcli.config.sweep import Axis, combinations
from adamcli.history import LAYER_SERIES
from adamcli.layout import Layout
from adamcli.optimizers import RULES, Rule, Wrapping
from adamcli.problems import (
    DATASETS,
    MLP,
    PROBLEMS,
    NetworkTask,
    Objective,
    ObjectiveTask,
    Task,
)
from adamcli.problems.datasets import Dataset
from adamcli.schedules import SCHEDULES, Schedule
from adamcli.settings import Setting, settings_of

MAX_BYTES = 64 * 2**30
_PER_EVALUATION = 7 * 8  # metrics, float64
_PER_STEP = 8 * 8  # gradient, update, slots and what follows of one parameter, float64
_PER_ARRAY = len(LAYER_SERIES) * 8  # at each step, float64


class _Network(NamedTuple):
    """A network on a dataset, as what is minimised."""

    dataset: Dataset
    model: MLP


@dataclass(frozen=True)
class _Cell:
    """One combination of the swept values that touch the problem, of one problem of a suite."""

    tree: Node
    problem: str
    tags: Mapping[str, str]
    subject: _Network | Objective
    train: Train


@dataclass(frozen=True)
class _Choice:
    """One combination of the swept values of one optimizer."""

    place: int
    tags: Mapping[str, str]
    section: Any
    rule: Rule
    wrapping: Wrapping

    @property
    def base(self) -> str:
        """The label without swept values."""
        return str(self.section.label or self.section.name)


def expanded(
    root: Node, whole: Any, axes: Sequence[Axis], grammar: Grammar
) -> tuple[list[Run], list[PlacedError]]:
    """All runs, or all that is wrong with them.

    Args:
        root: the tree with defaults.
        whole: the same as a model.
        axes: its sweep.
        grammar: what it may say.

    Raises:
        DataError: a data file cannot be used.
    """
    too_many = _too_many(root, whole, axes)
    if too_many:
        return [], too_many
    cells, mistakes = _cells(root, axes, grammar)
    choices: list[_Choice] = []
    for place in range(len(whole.optimizers)):
        found, wrong = _choices(root, axes, grammar, place)
        choices, mistakes = choices + found, mistakes + wrong
    mistakes = mistakes or _checked_cells(cells, choices, whole)
    if mistakes:
        return [], mistakes
    order = ["problems", *(axis.key for axis in axes)]
    runs = [
        run for cell in cells for choice in choices for run in _runs(cell, choice, order, whole)
    ]
    return runs, _same_labels(root, runs)


def _too_many(root: Node, whole: Any, axes: Sequence[Axis]) -> list[PlacedError]:
    """The mistake of asking for more runs than anybody can wait for."""
    shared = math.prod(len(axis.items) for axis in axes if not axis.entries)
    shared *= len(whole.problems or [0])
    choices = sum(
        math.prod(len(axis.items) for axis in axes if i in axis.entries)
        for i in range(len(whole.optimizers))
    )
    count = shared * choices * len(whole.train.seeds)
    if count <= MAX_RUNS:
        return []
    what = f"{count} runs, of which {MAX_RUNS} are allowed"
    path = ("sweep",) if axes else ("train", "seeds")
    return [mistake(root, path, what, "sweep fewer values or lower train.seeds", at_key=True)]


def _cells(
    root: Node, axes: Sequence[Axis], grammar: Grammar
) -> tuple[list[_Cell], list[PlacedError]]:
    """Every combination of the axes that touch the problem, for every problem of a suite."""
    cells: list[_Cell] = []
    mistakes: list[PlacedError] = []
    shared = [axis for axis in axes if not axis.entries]
    trees = [
        (tree, label, {"problems": label, **tags} if label else tags)
        for whole, label in entries(root)
        for tree, tags in combinations(whole, shared)
    ]
    for tree, label, tags in trees:
        parts = []
        for key in (*subjects_of(tree), "train"):
            part, found = checked(grammar, tree, (key,))
            parts.append(part)
            mistakes += [error for _, error in found]
        if not mistakes:
            *subject, train = parts
            cells.append(_Cell(tree, label, tags, _subject(*subject), _train(train)))
    return cells, mistakes


def _choices(
    root: Node, axes: Sequence[Axis], grammar: Grammar, i: int
) -> tuple[list[_Choice], list[PlacedError]]:
    """Every combination of the axes of optimizer `i`."""
    choices: list[_Choice] = []
    mistakes: list[PlacedError] = []
    for tree, tags in combinations(root, [axis for axis in axes if i in axis.entries]):
        section, found = checked(grammar, tree, ("optimizers", i))
        mistakes += [error for _, error in found]
        if section is not None:
            rule, wrapping = _rule(grammar, section), _built(Wrapping, section)
            choices.append(_Choice(i, tags, section, rule, wrapping))
    return choices, mistakes


def _runs(cell: _Cell, choice: _Choice, order: Sequence[str], whole: Any) -> Iterator[Run]:
    """One run per seed."""
    section, train = choice.section, cell.train
    tags = {**cell.tags, **choice.tags}
    own = section.model_fields_set
    layout = _task(cell, 0, 0).layout
    traced = tuple(_canonical(p) for p in whole.trace.params if p in layout)
    label = " ".join([choice.base, *(tags[key] for key in order if key in tags)])
    for seed in train.seeds:
        yield Run(
            label=label,
            optimizer=section.name,
            cell=" ".join(cell.tags.values()),
            seed=seed,
            rule=choice.rule,
            schedule=_schedule(section.schedule) if "schedule" in own else train.schedule,
            clip_norm=section.clip_norm if "clip_norm" in own else train.clip_norm,
            wrapping=choice.wrapping,
            task=_task(cell, seed, choice.place if train.random == "article" else 0),
            eval_every=train.eval_every,
            traced=traced if seed == train.seeds[0] else (),
            layers=whole.trace.layers and seed == train.seeds[0],
            problem=cell.problem,
        )


def _subject(section: Any, model: Any = None) -> _Network | Objective:
    """What the sections of a problem, or of a dataset and a model, stand for."""
    if model is not None:
        return _Network(_built(DATASETS[section.name], section), _built(MLP, model))
    objective: Objective = _built(PROBLEMS[section.name], section)
    return objective


def _task(cell: _Cell, seed: int, position: int) -> Task:
    """What a run of the cell minimises."""
    subject, train = cell.subject, cell.train
    if not isinstance(subject, _Network):
        return ObjectiveTask(objective=subject, epochs=train.epochs, dtype=train.dtype, seed=seed)
    return NetworkTask(
        dataset=subject.dataset,
        model=subject.model,
        batch_size=train.batch_size,
        epochs=train.epochs,
        dtype=train.dtype,
        random=train.random,
        seed=seed,
        position=position,
    )


def _checked_cells(
    cells: Sequence[_Cell], choices: Sequence[_Choice], whole: Any
) -> list[PlacedError]:
    """What only shows with the data at hand: batches, traced parameters, memory."""
    mistakes: list[PlacedError] = []
    total = 0
    for cell in cells:
        task = _task(cell, 0, 0)
        mistakes += _unfit(cell)
        if not whole.problems:
            mistakes += _untraceable(cell.tree, [task.layout], whole.trace.params)
        every = len(cell.train.seeds) * _kept_bytes(task, cell.train)
        total += len(choices) * (every + _traced_bytes(task, whole.trace))
    if whole.problems:
        layouts = [_task(cell, 0, 0).layout for cell in cells]
        mistakes += _untraceable(cells[0].tree, layouts, whole.trace.params)
    if total > MAX_BYTES and not mistakes:
        what = f"the results would take about {total / 2**30:.3g} GiB of memory"
        fix = f"stay below {MAX_BYTES // 2**30} GiB with fewer runs, epochs or traces"
        mistakes.append(mistake(cells[0].tree, ("train", "epochs"), what, fix))
    return mistakes


def _unfit(cell: _Cell) -> list[PlacedError]:
    """Training settings that do not fit what is minimised."""
    subject, train = cell.subject, cell.train
    if not isinstance(subject, _Network):
        what, fix = "the article's stream is of a dataset, and this is a problem", "use paired"
        article = [mistake(cell.tree, ("train", "random"), what, fix)]
        return article if train.random == "article" else []
    if train.batch_size <= (most := subject.dataset.train_size):
        return []
    what = f"batch_size {train.batch_size} is more than the {most} training points"
    fix = f"use at most {most}, or more samples"
    return [mistake(cell.tree, ("train", "batch_size"), what, fix)]


def _kept_bytes(task: Task, train: Train) -> int:
    """Roughly what is kept of every run: final parameters and metrics."""
    evaluations = train.epochs // train.eval_every + 1
    return task.layout.size * 8 + evaluations * _PER_EVALUATION


def _traced_bytes(task: Task, trace: Any) -> int:
    """Roughly what is recorded of the first seed's run: traces and norms."""
    arrays = len(task.layout.tensors) if trace.layers else 0
    at_each_step = _PER_STEP * len(trace.params) + _PER_ARRAY * arrays
    return task.epochs * task.steps_per_epoch * at_each_step


def _untraceable(tree: Node, layouts: Sequence[Layout], params: Sequence[str]) -> list[PlacedError]:
    """Traced parameters that no layout has, or that are named twice."""
    seen, mistakes = set[str](), []
    for i, param in enumerate(params):
        place = ("trace", "params", i)
        if not any(param in layout for layout in layouts):
            what, fix = f"no parameter {param!r}", _instead(layouts[0], param)
            mistakes.append(mistake(tree, place, what, fix))
        elif _canonical(param) in seen:
            what = f"{_canonical(param)} twice in the list"
            mistakes.append(mistake(tree, place, what, "remove one"))
        else:
            seen.add(_canonical(param))
    return mistakes


def _instead(layout: Layout, param: str) -> str:
    """What there is instead of a parameter that a layout has not."""
    try:
        layout.index(param)
    except ValueError as error:
        return str(error)
    return ""


def _same_labels(root: Node, runs: Sequence[Run]) -> list[PlacedError]:
    """Labels with swept values that could not be told apart as file names."""
    owner: dict[str, tuple[str, str]] = {}
    for label, cell in dict.fromkeys((run.label, run.cell) for run in runs):
        for key in label_keys(label):
            other, _ = owner.setdefault(key, (label, cell))
            if owner[key] != (label, cell):
                what = f"labels {other!r} and {label!r} are too alike to name files"
                fix = "shorten the optimizer's label, or sweep fewer keys at once"
                place = ("problems",) if "problems" in root.children else ("sweep",)
                return [mistake(root, place, what, fix, at_key=True)]
    return []


def _train(section: Any) -> Train:
    """The training settings of a cell."""
    own = {s.name: getattr(section, s.name) for s in settings_of(Train)}
    schedule = _schedule(section.schedule)
    return Train(**{**own, "seeds": tuple(section.seeds), "schedule": schedule})


def _schedule(section: Any) -> Schedule:
    """The schedule that a section stands for."""
    schedule: Schedule = _built(SCHEDULES[section.name], section)
    return schedule


def _rule(grammar: Grammar, section: Any) -> Rule:
    """The rule that a section stands for."""
    plugin = grammar.plugins.get(section.name)
    if plugin is not None:
        return plugin.rule(_values(plugin.settings, section))
    rule: Rule = _built(RULES[section.name], section)
    return rule


def _built(cls: type, section: Any) -> Any:
    """The dataclass whose settings a section holds."""
    return cls(**_values(settings_of(cls), section))


def _values(settings: Sequence[Setting], section: Any) -> dict[str, Any]:
    """The values that a section gives to settings."""
    values = {s.name: getattr(section, s.name) for s in settings}
    return {key: tuple(v) if isinstance(v, list) else v for key, v in values.items()}


def _canonical(param: str) -> str:
    """The name of a parameter without blanks."""
    return re.sub(r"\s", "", param)
