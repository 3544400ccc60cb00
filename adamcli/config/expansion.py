"""An experiment multiplied out: cells of the problem, settings of optimizers, seeds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from adamcli.config.axes import Factor, combinations
from adamcli.config.cells import (
    Cell,
    built,
    canonical_param,
    cells_of,
    misfits,
    schedule_of,
    values_of,
)
from adamcli.config.experiment import Run
from adamcli.config.grammar import Grammar
from adamcli.config.limits import too_large, too_many
from adamcli.config.mistakes import checked
from adamcli.config.names import label_keys
from adamcli.config.nodes import Node, PlacedError, mistake
from adamcli.optimizers import RULES, Averaging, Rule, Wrapping
from adamcli.problems import Task


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
    refused = too_many(root, whole, factors, grammar)
    if refused:
        return [], refused
    cells, mistakes = cells_of(root, factors, grammar)
    mistakes = mistakes or misfits(cells, whole)
    refused = [] if mistakes else too_large(cells, whole, factors)
    if refused:
        return [], refused
    choices: list[_Choice] = []
    for place in range(len(whole.optimizers)):
        found, wrong = _choices(root, factors, grammar, place)
        choices, mistakes = choices + found, mistakes + wrong
    if mistakes:
        return [], mistakes
    order = ["problems", *(axis.key for factor in factors for axis in factor.axes)]
    runs = [run for cell in cells for run in _runs(cell, choices, order, whole)]
    return runs, _same_labels(root, runs)


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
            rule, wrapping = _rule(grammar, section), built(Wrapping, section)
            mistakes += _unwrappable(tree, i, rule, wrapping)
            choices.append(_Choice(i, tags, section, rule, wrapping))
    return choices, mistakes


def _unwrappable(tree: Node, i: int, rule: Rule, wrapping: Wrapping) -> list[PlacedError]:
    """Wrappers around a rule that averages its own weights: they would see half of its state."""
    wrappers = ("cautious", "decay", "lookahead", "ema")
    names = [name for name in wrappers if getattr(wrapping, name)]
    if not names or not isinstance(rule, Averaging):
        return []
    what = "{} around a rule that is evaluated at an average of its own"
    fix = "remove it, or choose another rule"
    return [
        mistake(tree, ("optimizers", i, name), what.format(name), fix, at_key=True)
        for name in names
    ]


def _runs(
    cell: Cell, choices: Sequence[_Choice], order: Sequence[str], whole: Any
) -> Iterator[Run]:
    """One run per choice and seed."""
    layout = cell.task().layout
    traced = tuple(canonical_param(p) for p in whole.trace.params if p in layout)
    words = " ".join(cell.tags.values())
    tasks: dict[int, list[Task]] = {}  # of all seeds, shared by all choices that may
    for choice in choices:
        section, train = choice.section, cell.train
        tags = {**cell.tags, **choice.tags}
        own = section.model_fields_set
        label = " ".join([choice.base, *(tags[key] for key in order if key in tags)])
        schedule = schedule_of(section.schedule) if "schedule" in own else train.schedule
        clip_norm = section.clip_norm if "clip_norm" in own else train.clip_norm
        position = choice.place if train.random == "article" else 0
        if position not in tasks:
            tasks[position] = [cell.task(seed, position) for seed in train.seeds]
        for seed, task in zip(train.seeds, tasks[position], strict=True):
            recorded = whole.trace.seeds == "all" or seed == train.seeds[0]
            yield Run(
                label=label,
                optimizer=section.name,
                cell=words,
                seed=seed,
                rule=choice.rule,
                schedule=schedule,
                clip_norm=clip_norm,
                wrapping=choice.wrapping,
                task=task,
                eval_every=train.eval_every,
                traced=traced if recorded else (),
                layers=whole.trace.layers and recorded,
                problem=cell.problem,
                base=choice.base,
            )


def _rule(grammar: Grammar, section: Any) -> Rule:
    """The rule that a section stands for."""
    plugin = grammar.plugins.get(section.name)
    if plugin is not None:
        return plugin.rule(values_of(plugin.settings, section))
    rule: Rule = built(RULES[section.name], section)
    return rule


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
