"""`optimizers` and `datasets`: what there is, and what each one is."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adamcli.cli import options, output

if TYPE_CHECKING:
    from adamcli.problems import Dataset, Objective
    from adamcli.settings import Setting

Name = Annotated[
    str | None, typer.Argument(metavar="NAME", help="Which one to explain.", show_default=False)
]


def optimizers(name: Name = None, json: options.Json = False) -> None:
    """List the optimizers by family; with a name, explain one.

    A page says rule, slots, source, how libraries differ, when to use it, the settings with
    their defaults and the ranges they are tuned over, and the state per parameter.

    Example: adamcli optimizers adam
    """
    from adamcli.optimizers import RULES
    from adamcli.tables import families_table, rule_page

    _refuse_unknown("optimizer", name, RULES)
    if json:
        _show_documents("optimizers", name, {each: _rule_document(each) for each in RULES})
    elif name is None:
        output.show(families_table(RULES))
        output.say("explain one: adamcli optimizers adam")
    else:
        output.show(rule_page(name, RULES[name]))


def datasets(name: Name = None, json: options.Json = False) -> None:
    """List the datasets, and the problems that need none; with a name, explain one.

    Example: adamcli datasets spiral
    """
    from adamcli.problems import DATASETS, PROBLEMS
    from adamcli.tables import page, parted_table

    known: dict[str, type] = {**DATASETS, **PROBLEMS}
    _refuse_unknown("dataset", name, known)
    if json and name:
        output.show_json(_document(name, known[name]))
    elif json:
        output.show_json({"datasets": _documents(DATASETS), "problems": _documents(PROBLEMS)})
    elif name is None:
        output.show(parted_table(_by_kind(DATASETS, PROBLEMS)))
        output.say("explain one: adamcli datasets spiral")
    else:
        output.show(page(name, known[name]))


def _by_kind(
    datasets: Mapping[str, type[Dataset]], problems: Mapping[str, type[Objective]]
) -> dict[str, dict[str, type]]:
    """Datasets and problems under what an experiment writes them as."""
    parts: dict[str, dict[str, type]] = {"dataset: what a network learns": {**datasets}}
    heads = {
        "surface": "problem: surfaces in closed form",
        "stress": "problem: stress tests of one difficulty each",
    }
    for name, entry in problems.items():
        parts.setdefault(heads[entry.kind], {})[name] = entry
    return parts


def _refuse_unknown(what: str, name: str | None, registry: Mapping[str, type]) -> None:
    """A name that the registry has not is an error with the nearest one."""
    from adamcli.errors import UsageError
    from adamcli.text import quoted, suggestion

    if name is not None and name not in registry:
        raise UsageError(
            f"no {what} {quoted(name)}",
            where=f"adamcli {what}s",
            fix=suggestion(name, registry),
        )


def _show_documents(key: str, name: str | None, documents: Mapping[str, dict[str, Any]]) -> None:
    """One document, or all of them in a list under a key."""
    output.show_json(documents[name] if name else {key: [*documents.values()]})


def _rule_document(name: str) -> dict[str, Any]:
    """A rule as JSON: its sections by name, family, state, settings."""
    from adamcli.optimizers import RULES, pages

    about = pages.page_of(name, RULES[name])
    sections = {head.lower(): text for head, text in about.sections.items()}
    document = {"family": about.family, "summary": about.summary, **sections}
    return {**_document(name, RULES[name]), **document, "state_per_parameter": about.state}


def _documents(registry: Mapping[str, type]) -> list[dict[str, Any]]:
    """All entries of a registry as JSON."""
    return [_document(name, entry) for name, entry in registry.items()]


def _document(name: str, entry: type) -> dict[str, Any]:
    """An entry as JSON."""
    from adamcli.settings import settings_of

    settings = [_setting_document(each) for each in settings_of(entry)]
    return {"name": name, "explanation": inspect.getdoc(entry), "settings": settings}


def _setting_document(setting: Setting) -> dict[str, Any]:
    """A setting as JSON."""
    from dataclasses import asdict

    document = {
        "name": setting.name,
        "type": setting.kind.__name__,
        "required": setting.required,
        "range": setting.range,
        "search": asdict(setting.search) if setting.search else None,
        "doc": setting.doc,
    }
    return document if setting.required else {**document, "default": setting.default}
