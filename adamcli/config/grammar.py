"""What an experiment may say: the sections, given the optimizers that there are.

Plug-ins add optimizers for one experiment, so its grammar is a value that is handed down to
whoever checks; nothing is registered anywhere.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping, Set
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, cast

from pydantic import AfterValidator, Field, TypeAdapter, ValidationError, WithJsonSchema

from adamcli.config.models import Section, field, named_section, section, union
from adamcli.config.names import check_name
from adamcli.config.nodes import Node, Path, lookup
from adamcli.config.ranges import SCHEMA as SWEEP
from adamcli.config.sections import (
    DATASETS_BY_NAME,
    ENTRY,
    ENTRY_TRAIN,
    EVERY_OPTIMIZERS,
    OPTIMIZER_FIELDS,
    OPTIMIZERS_BY_NAME,
    PLAIN,
    PROBLEMS_BY_NAME,
    SCHEDULES_BY_NAME,
    TOP,
)
from adamcli.errors import PluginError
from adamcli.plugins import AnyPlugin


@dataclass(frozen=True)
class Grammar:
    """The models of a file and of its parts.

    Attributes:
        plugins: the optimizers that are not adamcli's, by name.
        optimizers: the model of every optimizer, by name.
        experiment: the model of the whole file.
        parts: the check of each part of the file, of one item where it is a list; under ""
            that of the whole.
    """

    plugins: Mapping[str, AnyPlugin]
    optimizers: Mapping[str, type[Section]]
    experiment: type[Section]
    parts: Mapping[str, TypeAdapter[Any]]

    def section_at(self, root: Node, path: Path) -> type[Section] | None:
        """The model of the mapping at a path; None where there is none by its name."""
        match path:
            case ():
                return self.experiment
            case (("model" | "train" | "trace" | "tune") as key,):
                return PLAIN[key]
            case ("problems", int()):
                return ENTRY
            case ("problems", int(), "model"):
                return PLAIN["model"]
            case ("problems", int(), "train"):
                return ENTRY_TRAIN
        name = lookup(root, (*path, "name"))
        registry = self.registry_at(path)
        return registry.get(str(name.value)) if registry and name else None

    def registry_at(self, path: Path) -> Mapping[str, type[Section]] | None:
        """The models among which the mapping at a path chooses by its `name`."""
        match path:
            case ("dataset",) | ("problems", int(), "dataset"):
                return DATASETS_BY_NAME
            case ("problem",) | ("problems", int(), "problem"):
                return PROBLEMS_BY_NAME
            case ("optimizers", int()):
                return self.optimizers
            case ("train", "schedule") | ("optimizers", int(), "schedule"):
                return SCHEDULES_BY_NAME
        return None


@cache
def builtin() -> Grammar:
    """The grammar without plug-ins."""
    return grammar({}, OPTIMIZERS_BY_NAME)


def grammar(plugins: Mapping[str, AnyPlugin], words: Iterable[str]) -> Grammar:
    """The grammar of adamcli's optimizers and some plug-ins, by name.

    Args:
        words: what a file says; optimizers that it does not name need not be known in full.

    Raises:
        PluginError: a plug-in declares a setting that it cannot have.
    """
    added = {name: _section(plugin) for name, plugin in plugins.items()}
    known = cast(dict[str, type[Section]], OPTIMIZERS_BY_NAME)  # a ChainMap only reads it
    return _grammar(plugins, ChainMap(added, known), {*words, *added})


def _grammar(
    plugins: Mapping[str, AnyPlugin], optimizers: Mapping[str, type[Section]], named: Set[str]
) -> Grammar:
    """The grammar of these optimizers, of which some are named."""
    optimizer, dataset = union(optimizers, named), union(DATASETS_BY_NAME)
    problem = union(PROBLEMS_BY_NAME)
    types: dict[str, Any] = {
        "name": Annotated[str, AfterValidator(check_name)],
        "dataset": dataset,
        "problem": problem,
        "problems": Annotated[list[ENTRY], Field(min_length=1)],  # type: ignore[valid-type]
        **PLAIN,
        "tune": PLAIN["tune"] | None,
        "plugins": list[str],
        "optimizers": Annotated[list[optimizer], Field(min_length=1)],  # type: ignore[valid-type]
        "sweep": Annotated[dict[str, Any], WithJsonSchema(SWEEP)],
    }
    fields: dict[str, Any] = {s.name: (types[s.name], field(s)) for s in TOP}
    experiment = section("the experiment", TOP, **fields)
    checked = {"": experiment, "dataset": dataset, "problem": problem, **PLAIN}
    checked["optimizers"] = optimizer
    parts = {name: TypeAdapter(model) for name, model in checked.items()}
    return Grammar(plugins, optimizers, experiment, parts)


def _section(plugin: AnyPlugin) -> type[Section]:
    """The model of a plug-in's mapping.

    Raises:
        PluginError: a setting has a name that is taken, or a default that it does not allow.
    """
    taken = {"name", *(s.name for s in EVERY_OPTIMIZERS)}
    for name in (s.name for s in plugin.settings):
        if name in taken or hasattr(Section, name) or name.startswith(("_", "model_")):
            what = f"the plug-in has a setting {name}, a word that has another meaning"
            raise PluginError(what, where=plugin.where(name), fix="call it something else")
    every = (*plugin.settings, *EVERY_OPTIMIZERS)
    model = named_section(plugin.name, plugin.fact, every, **OPTIMIZER_FIELDS)
    _check_defaults(plugin, model)
    return model


def _check_defaults(plugin: AnyPlugin, model: type[Section]) -> None:
    """Refuse a default that the setting's own range does not allow."""
    defaults = {s.name: s.default for s in plugin.settings if not s.required}
    lists = {name: [*v] if isinstance(v, tuple) else v for name, v in defaults.items()}
    try:
        model.model_validate({"name": plugin.name, **lists})
    except ValidationError as error:
        for detail in error.errors():
            name = str(detail["loc"][0])
            if name in defaults:
                what = f"the plug-in's default of {name} is not in its own range"
                fix = "change the default or the range"
                raise PluginError(what, where=plugin.where(name), fix=fix) from error
