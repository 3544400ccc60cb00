"""An experiment multiplied out: cells of the problem, settings of optimizers, seeds."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adamcli.config.axes import Factor, combinations, size
from adamcli.config.experiment import Run
from adamcli.config.grammar import Grammar
from adamcli.config.mistakes import checked
from adamcli.config.names import MAX_RUNS, label_keys
from adamcli.config.nodes import Node, PlacedError, mistake
from adamcli.config.sections import Train
from adamcli.optimizers import RULES, Rule, Wrapping
from adamcli.problems import (
    DATASETS,
    MLP,
    Task,
    kept_bytes,
    layout_of,
    stack_bytes,
    stack_seconds,
    traced_bytes,
)
from adamcli.problems.datasets import Dataset
from adamcli.schedules import SCHEDULES, Schedule
from adamcli.settings import Setting, settings_of
from adamcli.text import duration
from adamcli.text import size as bytes_of

MAX_BYTES = 64 * 2**30
_ROWS = 32  # of a stack, for an estimate


@dataclass(frozen=True)
class _Cell:
    """One combination of the swept values that touch the problem."""

    tree: Node
    tags: Mapping[str, str]
    dataset: Dataset
    model: MLP
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
    root: Node, whole: Any, factors: Sequence[Factor], grammar: Grammar
) -> tuple[list[Run], list[PlacedError]]:
    """All runs, or all that is wrong with them.

    Args:
        root: the tree with defaults.
        whole: the same as a model.
        factors: its sweep.
        grammar: what it may say.

    Raises:
        DataError: a data file cannot be used.
    """
    too_many = _too_many(root, whole, factors)
    if too_many:
        return [], too_many
    cells, mistakes = _cells(root, factors, grammar)
    mistakes = mistakes or _checked_cells(cells, whole)
    too_large = [] if mistakes else _too_large(cells, _choices_of(whole, factors), whole)
    if too_large:
        return [], too_large
    choices: list[_Choice] = []
    for place in range(len(whole.optimizers)):
        found, wrong = _choices(root, factors, grammar, place)
        choices, mistakes = choices + found, mistakes + wrong
    if mistakes:
        return [], mistakes
    order = [axis.key for factor in factors for axis in factor.axes]
    runs = [
        run for cell in cells for choice in choices for run in _runs(cell, choice, order, whole)
    ]
    return runs, _same_labels(root, runs)


def _too_many(root: Node, whole: Any, factors: Sequence[Factor]) -> list[PlacedError]:
    """The mistake of asking for more runs than anybody can wait for."""
    count = size(factors, None) * _choices_of(whole, factors) * len(whole.train.seeds)
    if count <= MAX_RUNS:
        return []
    base = _cell(root, {}, (whole.dataset, whole.model, whole.train))
    what = f"{_estimated(count, count * _seconds(base, count), count * _bytes(base, whole))}; "
    what += f"{MAX_RUNS} runs are allowed"
    path = ("sweep",) if factors else ("train", "seeds")
    return [mistake(root, path, what, "sweep fewer values or lower train.seeds", at_key=True)]


def _too_large(cells: Sequence[_Cell], choices: int, whole: Any) -> list[PlacedError]:
    """The mistake of asking for more memory than a computer has."""
    runs = [choices * len(cell.train.seeds) for cell in cells]
    held = sum(n * _bytes(cell, whole) for n, cell in zip(runs, cells, strict=True))
    held += max(stack_bytes(_task(cell, 0, 0), rows=1) for cell in cells)
    if held <= MAX_BYTES:
        return []
    work = sum(n * _seconds(cell, n) for n, cell in zip(runs, cells, strict=True))
    what = f"{_estimated(sum(runs), work, held)} of memory"
    fix = f"stay below {MAX_BYTES // 2**30} GiB with fewer runs, epochs, samples or traces"
    return [mistake(cells[0].tree, ("train", "epochs"), what, fix)]


def _estimated(runs: int, seconds: float, held: float) -> str:
    """What so many runs would take, in words."""
    noun = "run" if runs == 1 else "runs"
    return f"{runs} {noun} would take about {duration(seconds)} of one core and {bytes_of(held)}"


def _seconds(cell: _Cell, runs: int) -> float:
    """An estimate of how long one core trains a run, one of so many in the cell."""
    rows = min(runs, _ROWS)
    return stack_seconds(_task(cell, 0, 0), cell.train.eval_every, rows) / rows


def _bytes(cell: _Cell, whole: Any) -> float:
    """An estimate of what is kept of a run, on average over the seeds."""
    task, trace = _task(cell, 0, 0), whole.trace
    traced = traced_bytes(task, len(trace.params), layers=trace.layers)
    # The first seed alone is traced.
    return kept_bytes(task, cell.train.eval_every) + traced / len(cell.train.seeds)


def _choices_of(whole: Any, factors: Sequence[Factor]) -> int:
    """How many settings the optimizers have together."""
    return sum(size(factors, i) for i in range(len(whole.optimizers)))


def _cells(
    root: Node, factors: Sequence[Factor], grammar: Grammar
) -> tuple[list[_Cell], list[PlacedError]]:
    """Every combination of the axes that touch the problem."""
    cells: list[_Cell] = []
    mistakes: list[PlacedError] = []
    for tree, tags in combinations(root, factors, None):
        parts = []
        for key in ("dataset", "model", "train"):
            part, found = checked(grammar, tree, (key,))
            parts.append(part)
            mistakes += [error for _, error in found]
        if not mistakes:
            cells.append(_cell(tree, tags, parts))
    return cells, mistakes


def _cell(tree: Node, tags: Mapping[str, str], parts: Sequence[Any]) -> _Cell:
    """A cell of validated sections."""
    dataset, model, train = parts
    data = _built(DATASETS[dataset.name], dataset)
    return _Cell(tree, tags, data, _built(MLP, model), _train(train))


def _choices(
    root: Node, factors: Sequence[Factor], grammar: Grammar, i: int
) -> tuple[list[_Choice], list[PlacedError]]:
    """Every combination of the axes of optimizer `i`."""
    choices: list[_Choice] = []
    mistakes: list[PlacedError] = []
    for tree, tags in combinations(root, factors, i):
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
    traced = tuple(_canonical(param) for param in whole.trace.params)
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
        )


def _task(cell: _Cell, seed: int, position: int) -> Task:
    """What a run of the cell minimises."""
    return Task(
        dataset=cell.dataset,
        model=cell.model,
        batch_size=cell.train.batch_size,
        epochs=cell.train.epochs,
        dtype=cell.train.dtype,
        random=cell.train.random,
        seed=seed,
        position=position,
    )


def _checked_cells(cells: Sequence[_Cell], whole: Any) -> list[PlacedError]:
    """What only shows with the data at hand: batches and traced parameters."""
    mistakes: list[PlacedError] = []
    for cell in cells:
        task = _task(cell, 0, 0)
        size, most = task.batch_size, task.dataset.train_size
        if size > most:
            what = f"batch_size {size} is more than the {most} training points"
            fix = f"use at most {most}, or more samples"
            mistakes.append(mistake(cell.tree, ("train", "batch_size"), what, fix))
        mistakes += _untraceable(cell.tree, task, whole.trace.params)
    return mistakes


def _untraceable(tree: Node, task: Task, params: Sequence[str]) -> list[PlacedError]:
    """Traced parameters that the network has not, or that are named twice."""
    layout, seen, mistakes = layout_of(task), set[str](), []
    for i, param in enumerate(params):
        try:
            layout.index(param)
            what, fix = f"{_canonical(param)} twice in the list", "remove one"
        except ValueError as error:
            what, fix = f"no parameter {param!r}", str(error)
        else:
            if _canonical(param) not in seen:
                seen.add(_canonical(param))
                continue
        mistakes.append(mistake(tree, ("trace", "params", i), what, fix))
    return mistakes


def _same_labels(root: Node, runs: Sequence[Run]) -> list[PlacedError]:
    """Labels with swept values that could not be told apart as file names."""
    owner: dict[str, str] = {}
    for label in dict.fromkeys(run.label for run in runs):
        for key in label_keys(label):
            if owner.setdefault(key, label) != label:
                what = f"labels {owner[key]!r} and {label!r} are too alike to name files"
                fix = "shorten the optimizer's label, or sweep fewer keys at once"
                return [mistake(root, ("sweep",), what, fix, at_key=True)]
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
