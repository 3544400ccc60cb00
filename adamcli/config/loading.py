"""From a file to an experiment: read, override, check everything, expand into runs."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from typing import Any

from adamcli.config.additions import plugin_names, plugins_of, used, with_given
from adamcli.config.axes import Factor
from adamcli.config.expansion import expanded
from adamcli.config.experiment import Experiment
from adamcli.config.files import find, from_root, read_text
from adamcli.config.grammar import Grammar, grammar
from adamcli.config.limits import too_many_trials
from adamcli.config.mistakes import checked
from adamcli.config.models import Section, dumped
from adamcli.config.names import label_keys, name_from
from adamcli.config.nodes import (
    Node,
    Path,
    PlacedError,
    Source,
    brief,
    dotted,
    inserted,
    items_of,
    lookup,
    mistake,
    mistake_at,
    words_of,
)
from adamcli.config.paths import optimizer_names, overridden
from adamcli.config.reader import read
from adamcli.config.sections import SUBJECTS, subjects_of, with_defaults
from adamcli.config.selection import selected
from adamcli.config.suite import label_of
from adamcli.config.sweep import factors_of, resolved_sweep
from adamcli.config.tuning import Trials, trials_of
from adamcli.errors import ConfigError, ConfigErrors
from adamcli.optimizers import RULES
from adamcli.plugins import AnyPlugin

_EMPTY_FIX = "write `optimizers:` and below it `- name: adam`"


def load(
    path: pathlib.Path,
    overrides: Sequence[str] = (),
    optimizers: Sequence[str] | None = None,
    plugins: Sequence[AnyPlugin] = (),
) -> Experiment:
    """Read an experiment file.

    Args:
        path: the file; `configs/...` falls back to the shipped experiments.
        overrides: `PATH=VALUE` each, as of `--set`.
        optimizers: labels or names to keep, in this order, or rules to add; None for all.
        plugins: beside those that the file names; one of the name and content of one of these
            stands for it, and its file is not executed.

    Raises:
        ConfigError: the file cannot be read, or has one mistake.
        ConfigErrors: it has several.
        UsageError: an unknown name in `optimizers`.
        DataError: the data file that it names cannot be used.
        PluginError: a plug-in cannot be used.
    """
    file = find(path)
    root, mistakes = read_tree(file, path)
    root = with_given(root, plugins)
    if optimizers is not None:
        root = selected(root, optimizers, [*RULES, *plugin_names(root)])
    root, refused = overridden(with_defaults(root), overrides)
    return from_tree(root, file, [*mistakes, *refused], plugins)


def from_tree(
    root: Node,
    file: pathlib.Path,
    mistakes: Sequence[PlacedError] = (),
    plugins: Sequence[AnyPlugin] = (),
) -> Experiment:
    """The experiment that a tree stands for.

    Args:
        root: what the file says, overrides applied.
        file: gives the name where the tree has none; paths are relative to its folder.
        mistakes: what was wrong with the reading, to be told together with the rest.
        plugins: as of `load`.

    Raises:
        ConfigError, ConfigErrors, DataError, PluginError: as `load`.
    """
    root = _completed(root, file)
    known = grammar(plugins_of(root, plugins), words_of(root))
    whole, unfit = checked(known, root)
    factors, unswept = factors_of(root, known)
    trials, untried = _trials(root, whole, known)
    repeated = _repeated(root, {place for place, _ in unfit})
    mistakes = [*mistakes, *(error for _, error in unfit), *unswept, *untried, *repeated]
    if mistakes:
        raise as_one(mistakes)
    experiment = _experiment(root, whole, factors, known, plugins)
    if trials is None:
        return experiment
    own, tree = experiment.plugins, trials.tree
    tried = _experiment(tree, checked(known, tree)[0], factors_of(tree, known)[0], known, own)
    tune = {**experiment.resolved["tune"], "space": trials.written}
    resolved = {**experiment.resolved, "tune": tune}
    origins = _origins(resolved, root)
    return replace(experiment, resolved=resolved, origins=origins, tuning=trials.tuning(tried))


def _trials(root: Node, whole: Any, known: Grammar) -> tuple[Trials | None, list[PlacedError]]:
    """The trials, if anything is tuned, and what is wrong with them."""
    if whole is None or whole.tune is None:
        return None, []
    if refused := too_many_trials(root, whole):
        return None, refused
    trials, mistakes = trials_of(root, whole, known)
    return trials, mistakes + factors_of(trials.tree, known)[1]


def _repeated(root: Node, unfit: Container[Path]) -> list[PlacedError]:
    """What a file says twice: a label, a seed, what is minimised."""
    labels = [label for label, _ in optimizer_names(root)]
    mistakes = _same_labels(root, "optimizers", labels, unfit) + _same_seeds(root)
    labels = [label_of(entry) for entry in items_of(root, "problems")]
    return mistakes + _same_labels(root, "problems", labels, unfit) + _two_subjects(root)


def _experiment(
    root: Node,
    whole: Any,
    factors: Sequence[Factor],
    known: Grammar,
    plugins: Sequence[AnyPlugin],
) -> Experiment:
    """The experiment of a tree that is right by itself.

    Raises:
        ConfigError, ConfigErrors: its values do not go together.
    """
    runs, mistakes = expanded(root, whole, factors, known)
    if mistakes:
        raise as_one(mistakes)
    own = used(known.plugins, {run.optimizer for run in runs}, plugins)
    resolved = _resolved(whole, factors, own)
    return Experiment(whole.name, resolved, tuple(runs), _origins(resolved, root), tuple(own))


def read_tree(
    file: pathlib.Path, given: pathlib.Path, fix: str = _EMPTY_FIX, rank: int = 0
) -> tuple[Node, list[PlacedError]]:
    """A file as a tree, a mapping at its top, and the mistakes that did not stop the reading.

    Args:
        file: where it is.
        given: what messages call it.
        fix: what to write into a file that holds something else.
        rank: of the source.
    """
    text = read_text(file)
    source = Source(str(given), given.name, text, rank)
    root, mistakes = read(source, text)
    if not isinstance(root.value, dict):
        got = "nothing" if root.value is None else brief(root.value)
        raise mistake_at(root, f"expected a mapping, got {got}", fix)
    return root, mistakes


def _completed(root: Node, file: pathlib.Path) -> Node:
    """The tree with default sections and name, and paths of files made absolute."""
    root = with_defaults(root)
    if "name" not in root.children:
        root = inserted(root, ("name",), Node(name_from(file.stem), ("name",)))
    folder = os.path.dirname(from_root(file))
    for path in _file_paths(root):
        node = lookup(root, path)
        if node is not None and isinstance(node.value, str):
            absolute = os.path.normpath(os.path.join(folder, node.value))
            root = inserted(root, path, replace(node, value=absolute))
    return root


def _file_paths(root: Node) -> list[Path]:
    """Where the tree may name files: data, that of a suite, a sweep of data, plug-ins."""
    lists: list[Path] = [("sweep", "dataset.path"), ("sweep", "together", "dataset.path")]
    problems = range(len(items_of(root, "problems")))
    paths: list[Path] = [
        ("dataset", "path"),
        *(("problems", i, "dataset", "path") for i in problems),
    ]
    for listed in [*lists, ("plugins",)]:
        node = lookup(root, listed)
        count = len(node.value) if node is not None and isinstance(node.value, list) else 0
        paths += [(*listed, i) for i in range(count)]
    return paths


def _same_labels(
    root: Node, section: str, labels: Sequence[str], unfit: Container[Path]
) -> list[PlacedError]:
    """Labels of the items of a section that are the same, or would be as file names."""
    seen: dict[str, str] = {}
    mistakes = []
    for i, label in enumerate(labels):
        at: Path = (section, i, "label")
        keys = label_keys(label) if label and at not in unfit else ()
        others = [seen[key] for key in keys if key in seen]
        seen |= dict.fromkeys(keys, label)
        if others:
            what = f"label {brief(label)} is too like {brief(others[0])} to name a file"
            what = f"label {brief(label)} twice" if label in others else what
            at = at if lookup(root, at) else (*at[:2], "name")
            mistakes.append(mistake(root, at, what, f"give {section}[{i}] a label of its own"))
    return mistakes


def _two_subjects(root: Node) -> list[PlacedError]:
    """A dataset or a model beside a problem, which is instead of them."""
    places: list[tuple[Path, Node]] = [((), root)]
    places += [(("problems", i), entry) for i, entry in enumerate(items_of(root, "problems"))]
    return [
        mistake(root, (*place, key), f"{key} beside {mine[0]}", "keep one of the two", at_key=True)
        for place, node in places
        for mine in [subjects_of(node)]
        for key in SUBJECTS
        if key in node.children and key not in mine
    ]


def _same_seeds(root: Node) -> list[PlacedError]:
    """Seeds that come twice."""
    seen: set[float] = set()
    mistakes = []
    for item in items_of(root.children["train"], "seeds"):
        if isinstance(item.value, int | float) and item.value in seen:
            mistakes.append(mistake_at(item, f"seed {brief(item.value)} twice", "remove one"))
        elif isinstance(item.value, int | float):
            seen.add(item.value)
    return mistakes


def as_one(mistakes: Iterable[ConfigError]) -> ConfigError | ConfigErrors:
    """One error with all the mistakes in the order of the file."""
    distinct = {str(error): error for error in sorted(mistakes, key=_place)}
    first, *others = distinct.values()
    return ConfigErrors([first, *others]) if others else first


def _place(error: ConfigError) -> tuple[int, tuple[int, int]]:
    """Where an error belongs among others; first where it has no place."""
    return error.place if isinstance(error, PlacedError) else PlacedError.place


def _resolved(
    whole: Any, factors: Sequence[Factor], plugins: Sequence[AnyPlugin]
) -> dict[str, Any]:
    """Every setting of an experiment; what optimizers take from `train` only there."""
    mine = [key for key in ("problems", "problem") if getattr(whole, key)] or ["dataset", "model"]
    absent = {*SUBJECTS} - {*mine}
    tree: dict[str, Any] = {k: value for k, value in dumped(whole).items() if k not in absent}
    if whole.problems:
        tree["problems"] = [_without_gaps(dumped(entry)) for entry in whole.problems]
    tree["plugins"] = [from_root(plugin.path) for plugin in plugins]
    tree["optimizers"] = [_entry(section) for section in whole.optimizers]
    tree["sweep"] = resolved_sweep(factors)
    return tree if whole.tune else {k: value for k, value in tree.items() if k != "tune"}


def _without_gaps(tree: dict[str, Any]) -> dict[str, Any]:
    """A problem of a suite without what it does not say, also in its `train`."""
    said = {key: value for key, value in tree.items() if value is not None}
    own = {key: value for key, value in said.pop("train", {}).items() if value is not None}
    return {**said, "train": own} if own else said


def _entry(section: Section) -> dict[str, Any]:
    """One optimizer with its defaults."""
    settings = dumped(section)
    label = settings.pop("label") or settings["name"]
    own = {
        key: value
        for key, value in settings.items()
        if key not in ("schedule", "clip_norm") or key in section.model_fields_set
    }
    return {"name": own.pop("name"), "label": label, **own}


def _origins(resolved: Any, root: Node) -> dict[str, str]:
    """Where each value comes from, by dotted path."""
    found: dict[str, str] = {}
    for path in _leaves(resolved, ()):
        node = lookup(root, path)
        if path[:2] == ("sweep", "together"):
            node = node or lookup(root, ("sweep", "halton", *path[2:]))
        found[dotted(path)] = node.origin if node is not None else "default"
    return found


def _leaves(tree: Any, path: Path) -> list[Path]:
    """The paths of scalars and of lists of them."""
    if isinstance(tree, dict):
        return [leaf for key, under in tree.items() for leaf in _leaves(under, (*path, key))]
    if path in (("optimizers",), ("problems",)):
        return [leaf for i, under in enumerate(tree) for leaf in _leaves(under, (*path, i))]
    return [path]
