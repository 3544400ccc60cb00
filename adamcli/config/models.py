"""Declared settings as pydantic models: the checks of one mapping of an experiment file."""

from __future__ import annotations

import functools
import math
import operator
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, create_model

from adamcli.settings import Setting, settings_of

_MAX_INT = 10**9  # of an integer setting that declares no upper bound


class Section(BaseModel):
    """A mapping of the file: unknown keys and inexact types are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, defer_build=True)
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


class SectionsByName(Mapping[str, type[Section]]):
    """One model per row of a registry, its `name` a constant, made when it is asked for.

    A model takes some milliseconds, and a file names few of the rows.

    Args:
        registry: the dataclasses by name.
        common: settings that all of them have besides their own.
        default: the name that may be left out.
        **fields: as of `section`.
    """

    def __init__(
        self,
        registry: Mapping[str, type],
        common: Sequence[Setting] = (),
        default: str = "",
        **fields: Any,
    ) -> None:
        self._registry, self._common = registry, tuple(common)
        self._default, self._fields = default, fields
        self._made: dict[str, type[Section]] = {}

    def __getitem__(self, name: str) -> type[Section]:
        if name not in self._made:
            row = self._registry[name]
            fact = (row.__doc__ or "").strip().split("\n")[0]
            settings = (*settings_of(row), *self._common)
            nameless = name == self._default
            made = named_section(name, fact, settings, nameless=nameless, **self._fields)
            self._made[name] = made
        return self._made[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._registry)

    def __len__(self) -> int:
        return len(self._registry)

    def __contains__(self, name: object) -> bool:
        return name in self._registry


def named_section(
    name: str, fact: str, settings: Sequence[Setting], *, nameless: bool = False, **fields: Any
) -> type[Section]:
    """A model whose `name` is a constant.

    Args:
        fact: what it is, a phrase.
        settings: its other keys, in order.
        nameless: whether the name may be left out.
        **fields: as of `section`.
    """
    tag = Field(name, description=fact) if nameless else Field(description=fact)
    every = (Setting("name", str, name, fact), *settings)
    return section(name, every, name=(Literal[name], tag), **fields)


def union(models: Mapping[str, type[Section]], names: Iterable[str] | None = None) -> Any:
    """Any of the models, told apart by `name`.

    Args:
        names: of those that may come up, some of them at least; all by default.
    """
    chosen = [*models] if names is None else [name for name in models if name in {*names}]
    spare = [name for name in models if name not in chosen]
    chosen += spare[: max(0, 2 - len(chosen))]  # there is no union of fewer than two
    anyone = functools.reduce(operator.or_, (models[name] for name in chosen))
    return Annotated[anyone, Field(discriminator="name")]


def dumped(value: Any) -> Any:
    """A validated section as plain dicts and lists, in the order of its settings."""
    if isinstance(value, BaseModel):
        return {key: dumped(getattr(value, key)) for key in type(value).model_fields}
    if isinstance(value, dict):
        return {key: dumped(under) for key, under in value.items()}
    return [dumped(item) for item in value] if isinstance(value, list) else value
