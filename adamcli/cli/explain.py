"""`optimizers` and `datasets`: what there is, and what each one is."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adamcli.cli import options, output

if TYPE_CHECKING:
    from adamcli.settings import Setting

Name = Annotated[
    str | None, typer.Argument(metavar="NAME", help="Which one to explain.", show_default=False)
]


def optimizers(name: Name = None, json: options.Json = False) -> None:
    """List the optimizers; with a name, explain one: rule, hyperparameters, source.

    Example: adamcli optimizers adam
    """
    from adamcli.optimizers import RULES

    _explain("optimizer", name, RULES, json)


def datasets(name: Name = None, json: options.Json = False) -> None:
    """List the datasets; with a name, explain one and its settings.

    Example: adamcli datasets spiral
    """
    from adamcli.problems import DATASETS

    _explain("dataset", name, DATASETS, json)


def _explain(what: str, name: str | None, registry: Mapping[str, type], json: bool) -> None:
    """Print the list of a registry or the page of one entry."""
    from adamcli.errors import UsageError
    from adamcli.tables import page, registry_table
    from adamcli.text import safe, suggestion

    if name is not None and name not in registry:
        raise UsageError(
            f"no {what} {safe(name, 80)!r}",
            where=f"adamcli {what}s",
            fix=suggestion(name, registry),
        )
    if json:
        names = [name] if name else list(registry)
        documents = [_document(each, registry[each]) for each in names]
        output.show_json(documents[0] if name else {f"{what}s": documents})
    elif name is None:
        output.show(registry_table(registry))
        output.say(f"explain one: adamcli {what}s {next(iter(registry))}")
    else:
        output.show(page(name, registry[name]))


def _document(name: str, entry: type) -> dict[str, Any]:
    """An entry as JSON."""
    from adamcli.settings import settings_of

    settings = [_setting_document(each) for each in settings_of(entry)]
    return {"name": name, "explanation": inspect.getdoc(entry), "settings": settings}


def _setting_document(setting: Setting) -> dict[str, Any]:
    """A setting as JSON."""
    document = {
        "name": setting.name,
        "type": setting.kind.__name__,
        "required": setting.required,
        "range": setting.range,
        "doc": setting.doc,
    }
    return document if setting.required else {**document, "default": setting.default}
