"""What may be swept: the settings that a key of `sweep:` stands for."""

from __future__ import annotations

from adamcli.config.grammar import Grammar
from adamcli.config.nodes import Node, Path, brief, dotted, items_of, lookup, mistake_at
from adamcli.config.paths import UnknownPathError, resolve
from adamcli.config.sections import SUBJECTS, subjects_of
from adamcli.text import suggestion


def targets_of(root: Node, grammar: Grammar, key: str, node: Node) -> tuple[Path, ...]:
    """The places in the tree that take the values of a key.

    Raises:
        PlacedError: there is none, or one that cannot be swept.
    """
    try:
        targets = tuple(resolve(root, key))
    except UnknownPathError as error:
        raise mistake_at(node, error.what, error.fix, at_key=True) from error
    for path in targets:
        _refuse_forbidden(root, path, key, node)
        _refuse_suite(root, path, key, node)
        _refuse_absent(root, path, key, node)
        _refuse_whole(path, key, node)
        _refuse_unknown(root, grammar, path, node)
        _refuse_override(root, path, key, node)
    return targets


def part_of(path: Path) -> Path:
    """The part of the file that is checked when a value in it changes."""
    return path[:2] if path[0] == "optimizers" else path[:1]


def overlap(a: Path, b: Path) -> bool:
    """Whether one path is, or lies below, the other."""
    short = min(len(a), len(b))
    return a[:short] == b[:short]


def _refuse_forbidden(root: Node, path: Path, key: str, node: Node) -> None:
    """Only what decides the numbers of a run is swept."""
    if path[0] in ("name", "plugins", "trace", "sweep") or path[:2] == ("train", "seeds"):
        fix = f"sweep settings of {', '.join(subjects_of(root))}, train or an optimizer"
        raise mistake_at(node, f"{brief(key)} cannot be swept", fix, at_key=True)


def _refuse_suite(root: Node, path: Path, key: str, node: Node) -> None:
    """A suite already lists its problems, and what one of them says is not for all."""
    problems = items_of(root, "problems")
    if problems and path[0] in SUBJECTS:
        what, fix = f"{brief(key)} cannot be swept in a suite", "list the problems that it makes"
        raise mistake_at(node, what, fix, at_key=True)
    if any(lookup(problem, path) for problem in problems):
        what = f"{brief(key)} cannot be swept: a problem of the suite has its own"
        raise mistake_at(node, what, "leave one of the two out", at_key=True)


def _refuse_absent(root: Node, path: Path, key: str, node: Node) -> None:
    """An experiment on a problem has no dataset to sweep, and the other way round."""
    if path[0] in SUBJECTS and path[0] not in subjects_of(root):
        what = f"{brief(key)} cannot be swept: the experiment has no {path[0]}"
        fix = f"sweep settings of {' or '.join(subjects_of(root))}"
        raise mistake_at(node, what, fix, at_key=True)


def _refuse_whole(path: Path, key: str, node: Node) -> None:
    """Only single settings are swept."""
    short = len(path) < (3 if path[0] == "optimizers" else 2)
    if short or path[-1] == "label":
        fix = f"sweep one of its settings, such as {key.removesuffix('.label')}.lr"
        fix = fix if path[0] == "optimizers" else "sweep one of its settings"
        raise mistake_at(node, f"{brief(key)} cannot be swept as a whole", fix, at_key=True)


def _refuse_unknown(root: Node, grammar: Grammar, path: Path, node: Node) -> None:
    """A key that its section has not is wrong once, not once per value."""
    section = grammar.section_at(root, path[:-1])
    if section and path[-1] not in section.settings:
        what = f"unknown key {brief(path[-1])} for {section.title}"
        fix = suggestion(str(path[-1]), section.settings)
        raise mistake_at(node, what, fix, at_key=True)


def _refuse_override(root: Node, path: Path, key: str, node: Node) -> None:
    """An override of what the file sweeps would have no effect."""
    base = lookup(root, path)
    if base is not None and _rank(base) > _rank(node) == 0:
        fix = f"set {dotted(node.path)} instead" + ", to a list of one value" * (
            len(node.path) == 2
        )
        raise mistake_at(base, f"{brief(key)} is swept by the file", fix)


def _rank(node: Node) -> int:
    """That of the source: 0 for the experiment file and for defaults."""
    return node.source.rank if node.source is not None else 0
