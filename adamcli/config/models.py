"""Declared settings as pydantic models: the checks of one mapping of an experiment file."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model

from adamcli.settings import Setting, settings_of

_MAX_INT = 10**9  # of an integer setting that declares no upper bound


class Section(BaseModel):
    """A mapping of the file: unknown keys and inexact types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)
    title: ClassVar[str]
    settings: ClassVar[Mapping[str, Setting]]


def annotation(setting: Setting) -> Any:
    """The pydantic type of one setting, with its bounds."""
    if setting.choices:
        return Literal[setting.choices]
    value: Any = setting.kind
    if value in (int, float):
        value = _number(setting)
    if setting.many:
        length = Field(min_length=setting.count or 1, max_length=setting.count)
        value = Annotated[list[value], length]
    return value | None if setting.optional else value


def _number(setting: Setting) -> Any:
    """A bounded number: integers count as floats, and floats without a fraction as integers."""
    limits = {name: getattr(setting, name) for name in ("gt", "ge", "lt", "le")}
    if setting.kind is float:
        limited = Field(allow_inf_nan=False, **limits)
        return Annotated[float, limited, BeforeValidator(_as_float)]
    return Annotated[int, Field(**limits), BeforeValidator(_as_int)]


def _bounded(setting: Setting) -> Setting:
    """The setting; an integer has an upper bound even where none is declared."""
    endless = setting.kind is int and setting.le is None and setting.lt is None
    return replace(setting, le=_MAX_INT) if endless else setting


def _as_float(value: Any) -> Any:
    """An integer as a float, infinite where it is too large for one."""
    if not isinstance(value, int) or isinstance(value, bool):
        return value
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf


def _as_int(value: Any) -> Any:
    """A float without a fraction as an integer."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def section(title: str, settings: Sequence[Setting], **fields: Any) -> type[Section]:
    """A model of these settings.

    Args:
        title: what messages call the mapping.
        settings: its keys, in order.
        **fields: type and `Field` of the keys that a setting alone cannot describe.
    """
    settings = [_bounded(s) for s in settings]
    every: dict[str, Any] = {
        s.name: fields.get(s.name) or (annotation(s), field(s)) for s in settings
    }
    model: type[Section] = create_model(title, __base__=Section, **every)
    model.title, model.settings = title, {s.name: s for s in settings}
    return model


def field(setting: Setting) -> Any:
    """The default and the explanation of a setting."""
    if setting.required:
        return Field(description=setting.doc)
    default = list(setting.default) if isinstance(setting.default, tuple) else setting.default
    return Field(default, description=setting.doc)


def sections_by_name(
    registry: Mapping[str, type], common: Sequence[Setting] = (), default: str = "", **fields: Any
) -> dict[str, type[Section]]:
    """One model per row of a registry, its `name` a constant.

    Args:
        registry: the dataclasses by name.
        common: settings that all of them have besides their own.
        default: the name that may be left out.
        **fields: as of `section`.
    """
    models = {}
    for name, cls in registry.items():
        fact = (cls.__doc__ or "").strip().split("\n")[0]
        tag = Field(name, description=fact) if name == default else Field(description=fact)
        settings = (Setting("name", str, name, fact), *settings_of(cls), *common)
        models[name] = section(name, settings, name=(Literal[name], tag), **fields)
    return models


def union(models: Mapping[str, type[Section]]) -> Any:
    """Any of the models, told apart by `name`."""
    anyone = functools.reduce(operator.or_, models.values())
    return Annotated[anyone, Field(discriminator="name")]


def dumped(value: Any) -> Any:
    """A validated section as plain dicts and lists, in the order of its settings."""
    if isinstance(value, BaseModel):
        return {key: dumped(getattr(value, key)) for key in type(value).model_fields}
    if isinstance(value, dict):
        return {key: dumped(under) for key, under in value.items()}
    return [dumped(item) for item in value] if isinstance(value, list) else value
