"""Lists of what there is, and a page on each: optimizers, datasets, saved runs, facts."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rich.console import RenderableType

from adamcli.optimizers import Rule, Wrapping, pages
from adamcli.settings import Search, Setting, settings_of
from adamcli.tables import words
from adamcli.tables.grid import EMPTY, Cell, Column, Grid, line, stack
from adamcli.tables.prose import Prose
from adamcli.text import some

if TYPE_CHECKING:
    from adamcli.store import Entry

_NAME = "bold"


def parted_table(parts: Mapping[str, Mapping[str, type]]) -> RenderableType:
    """The names of several registries under a line each, with their docstrings' first lines."""
    names: list[Cell] = []
    lines: list[Cell] = []
    for head, registry in parts.items():
        names += [Cell.of(""), *(Cell.of(name, _NAME) for name in registry)]
        lines += [Cell.of(head, "italic"), *map(_summary, registry.values())]
    return Grid([Column("name", names), Column("what it is", lines, least=20)])


def families_table(rules: Mapping[str, type[Rule]]) -> RenderableType:
    """The rules under the line of their family, then what can be wrapped around any of them."""
    names: list[Cell] = []
    lines: list[Cell] = []
    for family, members in pages.families(rules).items():
        names += [Cell.of(""), *(Cell.of(name, _NAME) for name in members)]
        lines += [Cell.of(family, "italic"), *map(_summary, members.values())]
    wrappers = settings_of(Wrapping)
    names += [Cell.of(""), *(Cell.of(each.name, _NAME) for each in wrappers)]
    lines += [Cell.of("Around any rule", "italic"), *(Cell.of(each.doc) for each in wrappers)]
    return Grid([Column("name", names), Column("what it is", lines, least=20)])


def page(name: str, entry: type) -> RenderableType:
    """All that is known of one entry of a registry: its docstring and its settings."""
    body = _docstring_body(entry)
    explanation = [Prose(body)] if body else []
    first = _docstring(entry)[0]
    return stack(line(name, _NAME), line(first), *explanation, settings_table(entry))


def rule_page(name: str, rule: type[Rule]) -> RenderableType:
    """All that is known of a rule: as `page`, with its family and the size of its state."""
    about = pages.page_of(name, rule)
    facts = [
        _docstring_body(rule),
        f"State:   {about.state:.3g} numbers per parameter, counted on the article's network",
        f"Family:  {about.family}",
    ]
    explanation = Prose("\n".join(facts))
    return stack(line(name, _NAME), line(about.summary), explanation, settings_table(rule))


def settings_table(entry: type) -> RenderableType:
    """The settings that a dataclass declares: name, default, range, meaning."""
    settings = settings_of(entry)
    return Grid(
        [
            Column("setting", [Cell.of(each.name, _NAME) for each in settings]),
            Column("default", [Cell.of(_default(each)) for each in settings], least=7),
            Column("allowed", [Cell.of(_allowed(each)) for each in settings], rank=1, least=14),
            *_searched(settings),
            Column("meaning", [Cell.of(each.doc) for each in settings], least=12),
        ]
    )


def _searched(settings: Sequence[Setting]) -> list[Column]:
    """The column of search spaces, where any setting has one."""
    if not any(each.search for each in settings):
        return []
    cells = [_search(each.search) if each.search else EMPTY for each in settings]
    return [Column("tuned over", cells, rank=2)]


def _search(search: Search) -> Cell:
    """A search space and, below it, from how many trials on it is used."""
    budget = f"\nfrom {search.trials} trials" if search.trials > 1 else ""
    return Cell(((str(search), ""), (budget, "dim")))


def runs_table(entries: Sequence[Entry]) -> RenderableType:
    """The run directories, in the given order."""
    return Grid(
        [
            Column("run", [Cell.of(each.path.name, _NAME) for each in entries]),
            Column("", [Cell.of("latest" if each.latest else "") for each in entries], rank=3),
            Column("status", [_status(each.status) for each in entries], rank=1),
            Column("runs", [Cell.of(str(each.runs)) for each in entries], rank=2, right=True),
            Column("written", [Cell.of(_moment(each.created)) for each in entries], rank=5),
            Column("optimizers", [Cell.of(some(each.labels, 4)) for each in entries], 4, least=18),
        ],
        note=False,
    )


def facts_table(facts: Mapping[str, Any]) -> RenderableType:
    """Names and what is the case, one under another."""
    names = [Cell.of(str(name), _NAME) for name in facts]
    values = [Cell.of(_fact(value)) for value in facts.values()]
    return Grid([Column("fact", names), Column("here", values, least=20)])


def _docstring(entry: type) -> list[str]:
    """The lines of a class's docstring, at least one."""
    return (inspect.getdoc(entry) or "no explanation").split("\n")


def _docstring_body(entry: type) -> str:
    """A class's docstring without its first line."""
    return "\n".join(_docstring(entry)[1:]).strip("\n")


def _summary(entry: type) -> Cell:
    """The first line of a class's docstring."""
    return Cell.of(_docstring(entry)[0])


def _default(setting: Setting) -> str:
    """A default as one would write it."""
    return "required" if setting.required else words.yaml_value(setting.default)


def _allowed(setting: Setting) -> str:
    """The values that a setting may have."""
    allowed = "true, false" if setting.kind is bool else setting.range
    if setting.many:
        count = f"{setting.count} " if setting.count else ""
        allowed = f"list of {count}{allowed or setting.kind.__name__}"
    return f"{allowed or setting.kind.__name__}{' or null' if setting.optional else ''}"


def _status(status: str) -> Cell:
    """A status, in yellow when something is left to do."""
    return Cell.of(status, "" if status == "finished" else "yellow")


def _moment(created: str) -> str:
    """An ISO time to the minute: `2026-11-22 11:40`."""
    return created[:16].replace("T", " ")


def _fact(value: Any) -> str:
    """A value in words, the items of a mapping or a list one under another."""
    if isinstance(value, Mapping):
        return "\n".join(f"{name}: {_inline(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return "\n".join(map(_inline, value))
    return _inline(value)


def _inline(value: Any) -> str:
    """A value in one line."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_inline(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_inline, value))
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None or value == "" else str(value)
