"""An experiment: its settings in full, and the runs that they stand for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from adamcli import __version__
from adamcli.config.writer import annotated_lines, yaml_text
from adamcli.optimizers import Rule, Wrapping
from adamcli.palette import setting_of
from adamcli.plugins import AnyPlugin
from adamcli.problems import Kind, NetworkTask, Task
from adamcli.problems.datafile import File
from adamcli.schedules import Schedule
from adamcli.stats import LEAST_RATES, Candidates, Place, Rate, Tuned


@dataclass(frozen=True)
class Run:
    """One optimizer setting at one seed.

    Attributes:
        label: names the setting in tables and figures; with a sweep, its values too.
        optimizer: the name of the rule.
        cell: the problem of a suite and the swept values that touch it, `moons noise=0.1`;
            empty without any.
        seed: fixes the random numbers.
        rule: the update rule; its hyperparameters are Python floats.
        schedule: the factor on lr.
        clip_norm: the largest norm of a gradient, or None.
        wrapping: what is wrapped around the rule.
        task: what is minimised.
        eval_every: epochs between two evaluations.
        traced: names of the parameters recorded at every step, such as `W1[0,0]`; empty for
            all seeds but the first, unless all are to be traced.
        layers: whether the norms of all named arrays are recorded at every step; likewise.
        problem: the label of the problem in its suite; empty without a suite.
        base: the label of its optimizer, without swept values.
    """

    label: str
    optimizer: str
    cell: str
    seed: int
    rule: Rule
    schedule: Schedule
    clip_norm: float | None
    wrapping: Wrapping
    task: Task
    eval_every: int
    traced: tuple[str, ...]
    layers: bool = False
    problem: str = ""
    base: str = ""

    @property
    def kind(self) -> Kind:
        """What is minimised: statistics over problems never mix kinds."""
        return self.task.kind


@dataclass(frozen=True)
class Tuning:
    """How the hyperparameters of an experiment are chosen before its runs.

    Attributes:
        trials: the runs that decide, an experiment of their own.
        candidates: which of its labels are tried for which optimizer on which problem.
        outcomes: what was chosen, in the same order; empty before the trials have run.
    """

    trials: Experiment
    candidates: tuple[Candidates, ...]
    outcomes: tuple[Tuned, ...] = ()


@dataclass(frozen=True)
class Experiment:
    """An experiment file as understood.

    Attributes:
        name: what its directory starts with.
        resolved: the file with every default filled in; reading it gives an equal experiment.
        runs: cell by cell, in each the optimizers in order, in each its seeds.
        origins: where each value of `resolved` comes from, by dotted path.
        plugins: the optimizers that are not adamcli's.
        tuning: how the hyperparameters are chosen, None where the file gives them.
    """

    name: str
    resolved: dict[str, Any]
    runs: tuple[Run, ...]
    origins: dict[str, str] = field(compare=False)
    plugins: tuple[AnyPlugin, ...] = ()
    tuning: Tuning | None = None

    def tuned(self, outcomes: Sequence[Tuned]) -> Experiment:
        """The experiment whose runs have the hyperparameters that were chosen.

        Args:
            outcomes: one per candidate of its `tuning`.
        """
        assert self.tuning is not None
        rules = {(run.cell, run.label): run.rule for run in self.tuning.trials.runs}
        chosen = {(o.cell, o.label): rules[o.cell, o.best.label] for o in outcomes}
        runs = tuple(replace(run, rule=chosen[run.cell, run.base]) for run in self.runs)
        return replace(self, runs=runs, tuning=replace(self.tuning, outcomes=tuple(outcomes)))

    @property
    def inclusions(self) -> dict[tuple[str, str], str]:
        """By pairs of labels on one problem: how the first contains the second's rule."""
        labels = {run.label: run for run in self.runs}
        return {
            (a.label, b.label): how
            for a in labels.values()
            for b in labels.values()
            if a.cell == b.cell and (how := getattr(a.rule, "contains", {}).get(b.optimizer))
        }

    @cached_property
    def places(self) -> dict[str, Place]:
        """By label the kind of its problem, and its name without that of the problem."""
        return {r.label: Place(r.kind, setting_of(r.label, r.cell)) for r in self.runs}

    @cached_property
    def rates(self) -> dict[str, Rate]:
        """By label its curve and its learning rate, of optimizers that have many of them."""
        found: dict[str, Rate] = {}
        curves: dict[tuple[str, str], set[float]] = {}
        for run in {run.label: run for run in self.runs}.values():
            words = setting_of(run.label, run.cell).split(" ")
            rest = [word for word in words if not word.startswith("lr=")]
            if len(rest) < len(words):
                rate = found[run.label] = Rate(" ".join(rest), float(run.rule.lr))
                curves.setdefault((run.cell, rate.curve), set()).add(rate.lr)
        few = {curve for (_, curve), rates in curves.items() if len(rates) < LEAST_RATES}
        return {label: rate for label, rate in found.items() if rate.curve not in few}

    @cached_property
    def directory(self) -> str:
        """The name, and 8 hexadecimal digits of what decides the numbers.

        The order of keys does not matter, except in `sweep`, where it orders the runs; data
        and plug-ins count by the contents of their files.
        """
        digests = {data.path: data.table.sha256 for data in self.data_files}
        digests |= zip(self.resolved["plugins"], (p.sha256 for p in self.plugins), strict=True)
        decisive = {**self.resolved, "sweep": _in_order(self.resolved["sweep"])}
        if self.tuning:
            decisive["space"] = _in_order(self.resolved["tune"]["space"])
        text = json.dumps([__version__, _with_paths(decisive, digests)], sort_keys=True)
        return f"{self.name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"

    def to_yaml(self, paths: Mapping[str, str] | None = None) -> str:
        """The resolved experiment as the text of a file.

        Args:
            paths: what to write for the path of a file, such as that of a copy.
        """
        return yaml_text(_with_paths(self.resolved, paths or {}))

    def annotated(self) -> str:
        """As `to_yaml`, a value on each line and behind it, as a comment, its origin."""
        lines = [*annotated_lines(self.resolved, self.origins)]
        width = min(60, max(len(line) for line, _ in lines))
        return "\n".join(
            f"{line:{width}}  # {origin}" if origin else line for line, origin in lines
        )

    @property
    def data_files(self) -> set[File]:
        """The data files that the runs read."""
        tasks = (run.task for run in self.runs)
        datasets = {task.dataset for task in tasks if isinstance(task, NetworkTask)}
        return {dataset for dataset in datasets if isinstance(dataset, File)}


def _in_order(sweep: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """The keys of a sweep and of its groups with their values, their order kept in JSON."""
    return [(k, _in_order(v) if isinstance(v, dict) else v) for k, v in sweep.items()]


def _with_paths(tree: Any, paths: Mapping[str, str]) -> Any:
    """The tree with other words for the paths of files."""
    if isinstance(tree, dict):
        return {key: _with_paths(value, paths) for key, value in tree.items()}
    if isinstance(tree, list | tuple):
        return [_with_paths(item, paths) for item in tree]
    return paths.get(tree, tree) if isinstance(tree, str) else tree
