"""Tuning as written: which settings of each optimizer are tried, and the trials as a tree.

The trials are an ordinary experiment: a sweep over points of Halton's sequence, with seeds of
their own, evaluated on points for validation, once, at the end of the training.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
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

Space = Mapping[str, Node]
"""The range of each setting of an optimizer that is tuned, as a sweep would write it."""


@dataclass(frozen=True)
class Trials:
    """What `tune:` asks for.

    Attributes:
        tree: the experiment that the trials are.
        spaces: of every optimizer, with its label.
    """

    tree: Node
    spaces: Sequence[tuple[str, Space]]

    @property
    def written(self) -> dict[str, Any]:
        """What `tune.space` says, every range written out."""
        return {
            f"{label}.{key}": plain(node)
            for label, space in self.spaces
            for key, node in space.items()
        }

    def tuning(self, trials: Experiment) -> Tuning:
        """What is tried for every optimizer on every problem.

        Args:
            trials: the experiment of the tree.
        """
        values = trials.resolved["sweep"]["together"]
        found: list[Candidates] = []
        for i, (label, space) in enumerate(self.spaces):
            searched = {
                key: _searched(plain(node), values[f"optimizers.{i}.{key}"])
                for key, node in space.items()
            }
            cells: dict[str, dict[str, None]] = {}
            for run in trials.runs:
                if run.base == label:
                    cells.setdefault(run.cell, {})[run.label] = None
            found += [Candidates(cell, label, searched, (*names,)) for cell, names in cells.items()]
        return Tuning(trials, tuple(found))


def trials_of(root: Node, whole: Any, grammar: Grammar) -> tuple[Trials, list[PlacedError]]:
    """The trials that a file asks for, and all that is wrong with what `tune:` says.

    Args:
        root: the tree with defaults.
        whole: the same as a model.
        grammar: what it may say.
    """
    spaces, mistakes = _spaces(root, whole, grammar)
    refused = _refused_sweeps(root)
    mistakes += [*refused.values(), *_shared_seeds(root, whole), *_overridden(root, spaces)]
    halton: dict[str, Any] = {"n": Node(whole.tune.trials), "seed": Node(whole.tune.scramble)}
    tree = replace(root, value={k: v for k, v in root.children.items() if k != "tune"})
    for i, (_, space) in enumerate(spaces):
        halton |= {f"optimizers.{i}.{key}": node for key, node in space.items()}
        tree = _given_up(tree, [("optimizers", i, *key.split(".")) for key in space])
    swept = {k: v for k, v in root.children["sweep"].children.items() if k not in refused}
    tree = inserted(tree, ("sweep",), Node({**swept, "halton": Node(halton)}))
    tree = inserted(tree, ("train", "seeds"), Node([Node(seed) for seed in whole.tune.seeds]))
    tree = inserted(tree, ("train", "held_out"), Node("validation"))
    tree = inserted(tree, ("train", "eval_every"), Node(_last(root, whole)))
    tree = inserted(tree, ("trace",), Node({"params": Node([])}))
    return Trials(with_defaults(tree), spaces), mistakes


def _searched(span: Mapping[str, Any], values: Sequence[float]) -> Searched:
    """The values that the trials give to one setting, and where they lie in its range."""
    ((scale, (low, high)),) = span.items()
    to = SCALES[scale].to
    shares = tuple((to(value) - to(low)) / (to(high) - to(low)) for value in values)
    return Searched(float(low), float(high), scale, tuple(values), shares)


def _spaces(
    root: Node, whole: Any, grammar: Grammar
) -> tuple[list[tuple[str, Space]], list[PlacedError]]:
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
    labels = [label for label, _ in optimizer_names(root)]
    return [*zip(labels, spaces, strict=True)], mistakes


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


def _overridden(root: Node, spaces: Sequence[tuple[str, Space]]) -> list[PlacedError]:
    """Values from the command line that tuning would replace."""
    return [
        mistake_at(node, f"{brief(key)} is tuned", f"give tune.space.{label}.{key} a range instead")
        for i, (label, space) in enumerate(spaces)
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
