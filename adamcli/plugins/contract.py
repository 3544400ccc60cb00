"""The one class of a plug-in: found, checked, and completed with what it may leave out."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from types import MappingProxyType, ModuleType
from typing import Any

from adamcli.layout import Array
from adamcli.optimizers import Panel, Rule
from adamcli.plugins.blame import MisdeedError, obeyed
from adamcli.plugins.source import Source
from adamcli.settings import settings_of
from adamcli.text import is_printable, safe

_PLAIN = (float, int, bool, str)
_DECORATOR = "put @dataclass(frozen=True, kw_only=True) above it"
_SKELETON = "write a frozen dataclass with a field lr and methods init and update"


def rule_class(source: Source) -> type[Rule]:
    """The rule of a plug-in, from a new execution of its file.

    Its hyperparameters are settings, and it has `panels` and `trace`, be they empty.

    Raises:
        MisdeedError: the file cannot be executed, or holds not one rule.
    """
    found = _only_class(source, obeyed(source, source.executed))
    _check_dataclass(source, found)
    for field in dataclasses.fields(found):
        if field.init:
            _complete_field(source, found, field)
    _check_settings(source, found)
    found.panels = _panels(source, found)
    if not callable(getattr(found, "trace", None)):
        found.trace = _derive_nothing
    return found


def _only_class(source: Source, module: ModuleType) -> Any:
    """The public class with an `update` that the file defines."""
    own = {
        cls.__name__: cls
        for name, cls in vars(module).items()
        if isinstance(cls, type) and cls.__module__ == module.__name__ and name[:1] != "_"
    }
    rules = [cls for cls in own.values() if callable(getattr(cls, "update", None))]
    if len(rules) == 1:
        return rules[0]
    if rules:
        places = [f"{safe(r.__name__, 60)} on line {source.line_of(r.__name__)}" for r in rules]
        what = f"has {len(rules)} public classes with an update, {', '.join(places)}"
        fix = "keep one, or start the names of the others with _"
        raise MisdeedError(what, source.line_of(rules[1].__name__), fix=fix)
    line = source.line_of(next(iter(own), ""))
    raise MisdeedError("has no public class with an update", line, fix=_SKELETON)


def _check_dataclass(source: Source, found: Any) -> None:
    """Refuse a class that is no frozen dataclass, or has no `init`."""
    name, line = safe(found.__name__, 60), source.line_of(found.__name__)
    if not hasattr(found, "__dataclass_params__"):
        raise MisdeedError(f"has a class {name} that is no dataclass", line, fix=_DECORATOR)
    if not found.__dataclass_params__.frozen:
        what = f"has a dataclass {name} that is not frozen"
        raise MisdeedError(what, line, fix=f"{_DECORATOR}; what changes belongs in the state")
    if not callable(getattr(found, "init", None)):
        fix = "write `def init(self, params, layout)` that returns the slots, {} for none"
        raise MisdeedError(f"has a class {name} without init", line, fix=fix)


def _complete_field(source: Source, found: Any, field: dataclasses.Field[Any]) -> None:
    """Make a plain field of the user's class a setting."""
    if "setting" in field.metadata:
        return
    kind, line = type(field.default), source.line_of(found.__name__, field.name)
    if kind not in _PLAIN:
        what = f"has a field {field.name} without a default that is a number, a bool or a word"
        raise MisdeedError(what, line, fix="give it one, or declare it with `setting`")
    if kind is int and field.type in (float, "float"):
        what = f"has a float {field.name} whose default {field.default} is an integer"
        raise MisdeedError(what, line, fix=f"write {field.default}.0")
    field.metadata = MappingProxyType({"setting": {"kind": kind, "doc": ""}})


def _check_settings(source: Source, found: Any) -> None:
    """Refuse settings that no experiment file could give, and a missing learning rate."""
    try:
        settings = {setting.name: setting for setting in settings_of(found)}
    except TypeError as error:
        line = source.line_of(found.__name__)
        what, fix = f"declares a setting wrongly ({safe(str(error), 120)})", "see `setting`"
        raise MisdeedError(what, line, fix=fix) from error
    for setting in settings.values():
        word = isinstance(setting.default, str) and not is_printable(setting.default)
        if setting.kind not in _PLAIN or word:
            line = source.line_of(found.__name__, setting.name)
            what = f"has a setting {setting.name} that no experiment file could give"
            raise MisdeedError(what, line, fix="use a float, an int, a bool or a word")
    if "lr" not in settings or settings["lr"].kind is not float:
        line = source.line_of(found.__name__, "lr")
        raise MisdeedError("has no field lr that is a float", line, fix="add `lr: float = 0.01`")


def _panels(source: Source, found: Any) -> tuple[Panel, ...]:
    """The panels that the class declares; none for the usual ones."""
    try:
        pairs = [(title, series) for title, series in getattr(found, "panels", ())]
        right = all(isinstance(title, str) and _are_words(series) for title, series in pairs)
    except (TypeError, ValueError):
        right = False
    if not right:
        what, line = "has panels that are no panels", source.line_of(found.__name__, "panels")
        fix = 'write pairs of a title and series, such as ("velocity", ("grad", "v"))'
        raise MisdeedError(what, line, fix=fix)
    return tuple(Panel(title, tuple(series)) for title, series in pairs)


def _are_words(series: Any) -> bool:
    """Whether these are the names of series, one at least."""
    words = isinstance(series, tuple | list) and all(isinstance(name, str) for name in series)
    return words and len(series) > 0


def _derive_nothing(
    self: Any, series: Mapping[str, Array], lr: Array, t: Array
) -> dict[str, Array]:
    """No series but the recorded ones."""
    return {}
