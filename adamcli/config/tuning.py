"""Tuning as written: which settings of each optimizer are tried, and the trials as a tree.

The trials are an ordinary experiment: a sweep over points of Halton's sequence, with seeds of
their own, evaluated on points for validation, once, at the end of the training.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from adamcli.config.experiment import Experiment, Tuning
from adamcli.config.grammar import Grammar
from adamcli.config.nodes import (
    Node,
    Path,
    PlacedError,
    brief,
    inserted,
    items_of,
    lookup,
    mistake_at,
    plain,
)
from adamcli.config.paths import UnknownPathError, optimizer_names, resolve
from adamcli.config.ranges import GROUPS, SCALES
from adamcli.config.sections import with_defaults
from adamcli.config.targets import targets_of
from adamcli.settings import Search, Setting
from adamcli.stats import Candidates, Searched

_DECADES = 2
"""How far around its default an lr is tried of which a plug-in publishes no range."""

Spaces = Sequence[Mapping[str, Node]]
"""For each optimizer the range of each setting that is tuned, as a sweep would write it."""


def trial_tree(root: Node, whole: Any, grammar: Grammar) -> tuple[Node, list[PlacedError]]:
    """The tree of the trials, and all that is wrong with what `tune:` says.

    Args:
        root: the tree with defaults.
        whole: the same as a model.
        grammar: what it may say.
    """
    spaces, mistakes = _spaces(root, whole, grammar)
    refused = _refused_sweeps(root)
    mistakes += [*refused.values(), *_shared_seeds(root, whole), *_overridden(root, spaces)]
    halton: dict[str, Any] = {"n": Node(whole.tune.trials), "seed": Node(whole.tune.scramble)}
    for i, space in enumerate(spaces):
        halton |= {f"optimizers.{i}.{key}": node for key, node in space.items()}
        root = _given_up(root, [("optimizers", i, *key.split(".")) for key in space])
    seeds = [Node(seed) for seed in whole.tune.seeds]
    swept = {k: v for k, v in root.children["sweep"].children.items() if k not in refused}
    tree = replace(root, value={k: v for k, v in root.children.items() if k != "tune"})
    tree = inserted(tree, ("sweep",), Node({**swept, "halton": Node(halton)}))
    tree = inserted(tree, ("train", "seeds"), Node(seeds))
    tree = inserted(tree, ("train", "held_out"), Node("validation"))
    tree = inserted(tree, ("train", "eval_every"), Node(_last(root, whole)))
    tree = inserted(tree, ("trace",), Node({"params": Node([])}))
    return with_defaults(tree), mistakes


def tuning_of(root: Node, whole: Any, grammar: Grammar, trials: Experiment) -> Tuning:
    """What is tuned, where, and with which trials.

    Args:
        trials: the experiment that `trial_tree` makes, without a mistake in it.
    """
    spaces, _ = _spaces(root, whole, grammar)
    found = []
    for (label, _), space, i in zip(optimizer_names(root), spaces, range(len(spaces)), strict=True):
        searched = {
            key: _searched(plain(node), trials.resolved["sweep"]["together"], i, key)
            for key, node in space.items()
        }
        cells: dict[str, dict[str, None]] = {}
        for run in trials.runs:
            if run.base == label:
                cells.setdefault(run.cell, {})[run.label] = None
        found += [Candidates(cell, label, searched, (*names,)) for cell, names in cells.items()]
    return Tuning(trials, tuple(found))


def resolved_space(root: Node, whole: Any, grammar: Grammar) -> dict[str, Any]:
    """What `tune.space` says, every range written out."""
    spaces, _ = _spaces(root, whole, grammar)
    labels = [label for label, _ in optimizer_names(root)]
    return {
        f"{label}.{key}": plain(node)
        for label, space in zip(labels, spaces, strict=True)
        for key, node in space.items()
    }


def _searched(span: Mapping[str, Any], values: Mapping[str, Any], i: int, key: str) -> Searched:
    """The values that the trials give to one setting, and where they lie in its range."""
    ((scale, (low, high)),) = span.items()
    to = SCALES[scale].to
    tried = values[f"optimizers.{i}.{key}"]
    shares = tuple((to(value) - to(low)) / (to(high) - to(low)) for value in tried)
    return Searched(float(low), float(high), scale, tuple(tried), shares)


def _spaces(root: Node, whole: Any, grammar: Grammar) -> tuple[Spaces, list[PlacedError]]:
    """What is tuned of each optimizer: what its rule publishes and the file adds or replaces."""
    trials = whole.tune.trials
    spaces = [dict(_published(grammar, section.name, trials)) for section in whole.optimizers]
    mistakes: list[PlacedError] = []
    for key, node in root.children["tune"].children.get("space", Node({})).children.items():
        try:
            targets = targets_of(root, grammar, key, node)
        except PlacedError as error:
            mistakes.append(error)
            continue
        if targets[0][0] != "optimizers":
            fix = "name a setting of an optimizer, such as adam.lr"
            mistakes.append(mistake_at(node, f"{brief(key)} is not tuned", fix, at_key=True))
            continue
        for _, i, *below in targets:
            spaces[int(i)][".".join(map(str, below))] = node
    return spaces, mistakes


def _published(grammar: Grammar, name: str, trials: int) -> Iterator[tuple[str, Node]]:
    """The settings of a rule that so many trials tune, each with its range."""
    for setting in grammar.optimizers[name].settings.values():
        search = setting.search or _around(grammar, name, setting)
        if search is not None and search.trials <= trials:
            scale = "log1m" if search.from_one else "log"
            ends = [Node(search.low), Node(search.high)]
            yield setting.name, Node({scale: Node(ends)})


def _around(grammar: Grammar, name: str, setting: Setting) -> Search | None:
    """Where to look for the lr of a plug-in that does not say."""
    if name not in grammar.plugins or setting.name != "lr" or not setting.default:
        return None
    return Search(setting.default / 10**_DECADES, setting.default * 10**_DECADES)


def _refused_sweeps(root: Node) -> dict[str, PlacedError]:
    """Sweeps that tuning has no room for, by key: of optimizers, and of groups of settings."""
    mistakes = {}
    for key, node in root.children["sweep"].children.items():
        if key in GROUPS:
            what, fix = f"{key} beside tune", "sweep lists or ranges of single settings"
        elif _of_an_optimizer(root, key):
            what = f"{brief(key)} is swept, and optimizers are tuned"
            fix = "list each value as an optimizer with a label of its own"
        else:
            continue
        mistakes[key] = mistake_at(node, what, fix, at_key=True)
    return mistakes


def _of_an_optimizer(root: Node, key: str) -> bool:
    """Whether a dotted path leads to a setting of an optimizer; what leads nowhere does not."""
    try:
        return resolve(root, key)[0][0] == "optimizers"
    except UnknownPathError:
        return False


def _overridden(root: Node, spaces: Spaces) -> list[PlacedError]:
    """Values from the command line that tuning would replace."""
    return [
        mistake_at(node, f"{brief(key)} is tuned", f"give tune.space.{label}.{key} a range instead")
        for i, (space, (label, _)) in enumerate(zip(spaces, optimizer_names(root), strict=True))
        for key, span in space.items()
        if (node := lookup(root, ("optimizers", i, *key.split(".")))) is not None
        and node.overrides
        and not span.overrides
    ]


def _given_up(root: Node, paths: Sequence[Path]) -> Node:
    """The tree in which nothing insists on the values at these paths."""
    for path in paths:
        node = lookup(root, path)
        root = inserted(root, path, replace(node, source=None)) if node is not None else root
    return root


def _shared_seeds(root: Node, whole: Any) -> list[PlacedError]:
    """Seeds that would both choose the settings and report on them."""
    shared = sorted({*whole.tune.seeds} & {*whole.train.seeds})
    if not shared:
        return []
    node = root.children["tune"].children.get("seeds", root.children["tune"])
    fix = "list seeds for tuning that train.seeds has not"
    return [mistake_at(node, f"seed {shared[0]} both tunes and reports", fix)]


def _last(root: Node, whole: Any) -> int:
    """As many epochs as any problem is trained."""
    own = [entry.children.get("train", Node({})) for entry in items_of(root, "problems")]
    epochs = [node.children["epochs"].value for node in own if "epochs" in node.children]
    return max([whole.train.epochs, *(int(n) for n in epochs)])
