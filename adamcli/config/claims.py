"""Claim files: a sentence, the hypothesis that it comes to, and the experiment that decides it.

The experiment stands in the file, as in an experiment file, or in one that the file names,
with `set:` for what is otherwise. Mistakes of a claim and of its experiment are told together,
each at its place.
"""

from __future__ import annotations

import pathlib
from collections.abc import Iterable
from dataclasses import dataclass

from adamcli.config.experiment import Experiment
from adamcli.config.files import CLAIM, EXPERIMENT, find
from adamcli.config.hypotheses import GRAMMAR, hypothesis_of, misstated
from adamcli.config.loading import as_one, from_tree, read_tree
from adamcli.config.mistakes import checked
from adamcli.config.nodes import Node, PlacedError, brief, inserted, mistake, mistake_at
from adamcli.config.paths import UnknownPathError, resolve
from adamcli.config.sections import with_defaults
from adamcli.errors import ConfigError, ConfigErrors, mistakes_in
from adamcli.stats import Hypothesis

_FIX = "write `claim:`, `hypothesis:`, `margin:` and `experiment:`"


@dataclass(frozen=True)
class Claim:
    """A claim file as understood.

    Attributes:
        file: as the user named it.
        sentence: what is claimed.
        hypothesis: what that comes to.
        experiment: the runs that decide it.
    """

    file: str
    sentence: str
    hypothesis: Hypothesis
    experiment: Experiment


def load_claims(paths: Iterable[pathlib.Path]) -> list[Claim]:
    """Read claim files.

    Args:
        paths: the files; `configs/claims/...` falls back to the shipped ones.

    Raises:
        ConfigError, ConfigErrors: the mistakes of all files.
        DataError, PluginError: as `load`.
    """
    claims, mistakes = [], list[ConfigError]()
    for path in paths:
        try:
            claims.append(load_claim(path))
        except (ConfigError, ConfigErrors) as error:
            mistakes += mistakes_in(error)
    if mistakes:
        raise ConfigErrors(mistakes) if len(mistakes) > 1 else mistakes[0]
    return claims


def load_claim(path: pathlib.Path) -> Claim:
    """Read a claim file; raises as `load_claims`."""
    file = find(path, CLAIM)
    root, found = read_tree(file, path, _FIX, rank=1)
    whole, unfit = checked(GRAMMAR, root)
    mistakes: list[ConfigError] = [*found, *(error for _, error in unfit)]
    experiment = None
    try:
        experiment = _experiment(root, file, path)
    except (ConfigError, ConfigErrors) as error:
        mistakes += mistakes_in(error)
    mistakes += misstated(root, {place for place, _ in unfit}, experiment)
    if mistakes or experiment is None:
        raise as_one(mistakes)
    return Claim(str(path), whole.claim, hypothesis_of(whole), experiment)


def _experiment(root: Node, file: pathlib.Path, given: pathlib.Path) -> Experiment | None:
    """The experiment in a claim or of the file that it names; None where it is neither."""
    node = root.children.get("experiment")
    if node is None:
        return None
    if isinstance(node.value, dict):
        tree, mistakes = node, _set_beside(root)
    elif isinstance(node.value, str):
        file, tree, mistakes = _named(root, node.value, file, given)
        tree, refused = _overridden(with_defaults(tree), root)
        mistakes += refused
    else:
        what, fix = f"expected an experiment, got {brief(node.value)}", "write it, or its path"
        raise mistake(root, ("experiment",), what, fix)
    return from_tree(tree, file, mistakes)


def _set_beside(root: Node) -> list[PlacedError]:
    """Other values for an experiment that stands in the claim itself."""
    if not ("set" in root.children and root.children["set"].value):
        return []
    what = "set beside an experiment that is written out"
    return [mistake(root, ("set",), what, "write the values there", at_key=True)]


def _named(
    root: Node, name: str, file: pathlib.Path, given: pathlib.Path
) -> tuple[pathlib.Path, Node, list[PlacedError]]:
    """The experiment file that a claim names, relative to its own folder, and its tree.

    Raises:
        PlacedError: there is no such file.
    """
    try:
        found = find(file.parent / name, EXPERIMENT)
    except ConfigError as error:
        what = f"{error.what} {brief(name)}"
        raise mistake(root, ("experiment",), what, error.fix) from error
    return found, *read_tree(found, given.parent / name)


def _overridden(tree: Node, root: Node) -> tuple[Node, list[PlacedError]]:
    """The tree of an experiment file with what the claim sets otherwise."""
    mistakes = []
    changes = root.children.get("set")
    for dotted, node in changes.children.items() if changes else ():
        try:
            for path in resolve(tree, dotted):
                tree = inserted(tree, path, node)
        except UnknownPathError as error:
            mistakes.append(mistake_at(node, error.what, error.fix, at_key=True))
    return tree, mistakes
