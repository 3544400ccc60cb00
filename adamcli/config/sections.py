"""The sections of an experiment file, made from what the registries declare.

Each dataset, rule and schedule gives one model whose `name` is a constant; `dataset:`, the
items of `optimizers:` and `schedule:` are unions told apart by that name. So a new row of a
registry brings its checks and its branch of the JSON schema with it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import MISSING, dataclass, replace
from functools import partial
from typing import Annotated, Any, get_args

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    WithJsonSchema,
)

from adamcli.config.models import (
    SectionsByName,
    annotation,
    field,
    section,
    union,
)
from adamcli.config.names import MAX_RUNS, check_label, seed_list
from adamcli.config.nodes import Node, Path, inserted, items_of, lookup
from adamcli.config.ranges import SPACE
from adamcli.optimizers import RULES, Wrapping
from adamcli.problems import DATASETS, MLP, PROBLEMS, HeldOut
from adamcli.schedules import SCHEDULES, Constant, Schedule
from adamcli.seeding import RANDOM_KINDS
from adamcli.settings import Setting, setting, settings_of

FIRST_TUNING_SEED = 1_000_000
"""Seeds of tuning count from here, where no count of reporting seeds comes."""

LEAST_TUNING_SEEDS = 3
"""A median of fewer would be that of the luckiest or the unluckiest."""

SUBJECTS = ("dataset", "model", "problem", "problems")
"""The sections that say what is minimised."""

_DEFAULT_NAMES = {"dataset": "spiral", "schedule": "constant"}

_CLIP_DOC = "largest global norm of a gradient, longer ones are scaled to it; null: any"
_SCHEDULE_DOC = "the factor on lr at each step"
_TRAIN_SCHEDULE: Path = ("train", "schedule")


@dataclass(frozen=True, kw_only=True)
class Train:
    """How every run is trained: what stands under `train:`."""

    epochs: int = setting(70, "passes over the training set", ge=1, le=1_000_000)
    batch_size: int = setting(64, "training points in a batch", ge=1)
    seeds: tuple[int, ...] = setting(
        (0,), "how many seeds, 0 and up, or a list of them", kind=int, many=True, ge=0, lt=2**32
    )
    random: str = setting(
        "paired",
        "paired: a seed fixes data, weights and batches for every optimizer; "
        "article: the one stream of the article",
        choices=RANDOM_KINDS,
    )
    dtype: str = setting("float64", "precision of training", choices=("float64", "float32"))
    eval_every: int = setting(1, "epochs between two evaluations", ge=1)
    schedule: Schedule = setting(Constant(), _SCHEDULE_DOC)
    clip_norm: float | None = setting(None, _CLIP_DOC, kind=float, gt=0, optional=True)
    held_out: HeldOut = setting(
        "test",
        "the held-out points that are evaluated: those for the report, or those that tuning reads",
        choices=get_args(HeldOut),
    )


@dataclass(frozen=True, kw_only=True)
class Tune:
    """How hyperparameters are chosen before anything is reported: what stands under `tune:`."""

    trials: int = setting(20, "settings tried for each optimizer", ge=1, le=10_000)
    seeds: tuple[int, ...] = setting(
        (FIRST_TUNING_SEED, FIRST_TUNING_SEED + 1, FIRST_TUNING_SEED + 2),
        "how many seeds of each trial, from 1,000,000 up, or a list of other seeds than train's",
        kind=int,
        many=True,
        ge=0,
        lt=2**32,
    )
    scramble: int = setting(0, "the seed that scrambles the trials", ge=0, lt=2**32)


_LABEL = Setting("label", str, None, "its name in tables and figures; default: its name")
_CLIP = Setting("clip_norm", float, None, f"{_CLIP_DOC}; instead of train's", gt=0, optional=True)
_OWN_SCHEDULE = Setting("schedule", dict, None, f"{_SCHEDULE_DOC}, instead of train's")

DATASETS_BY_NAME = SectionsByName(DATASETS, default=_DEFAULT_NAMES["dataset"])
PROBLEMS_BY_NAME = SectionsByName(PROBLEMS)
SCHEDULES_BY_NAME = SectionsByName(SCHEDULES, default=_DEFAULT_NAMES["schedule"])
_SCHEDULE = union(SCHEDULES_BY_NAME)
_LABEL_LENGTH: Any = {"minLength": 1, "maxLength": 100}
EVERY_OPTIMIZERS = (_LABEL, _OWN_SCHEDULE, _CLIP, *settings_of(Wrapping))
"""Settings that every optimizer has besides its own."""

OPTIMIZER_FIELDS: dict[str, Any] = {
    "label": (
        Annotated[str, AfterValidator(check_label)],
        Field(None, description=_LABEL.doc, json_schema_extra=_LABEL_LENGTH),
    ),
    "schedule": (_SCHEDULE, field(_OWN_SCHEDULE)),
}
OPTIMIZERS_BY_NAME = SectionsByName(RULES, EVERY_OPTIMIZERS, **OPTIMIZER_FIELDS)


def _seeds(settings: Sequence[Setting], first: int, least: int) -> Any:
    """The type and field of a count or a list of seeds.

    Args:
        first: of the seeds that a count stands for.
        least: how many there must be.
    """
    seeds = next(s for s in settings if s.name == "seeds")
    item = {"type": "integer", "minimum": 0, "maximum": 2**32 - 1}
    items = {"type": "array", "items": item, "minItems": least, "uniqueItems": True}
    count = {"type": "integer", "minimum": least, "maximum": MAX_RUNS}
    counted = BeforeValidator(partial(seed_list, first=first, least=least))
    kind: Any = Annotated[annotation(seeds), counted, WithJsonSchema({"anyOf": [count, items]})]
    return kind, field(seeds)


_HIDDEN = next(s for s in settings_of(MLP) if s.name == "hidden")
_PARAMS_DOC = (
    "parameters to trace, such as W1[0,0] or b2[3]; by default of a problem x[0] and x[1], "
    "of a suite none"
)
_PARAMS = Setting("params", list, ("W1[0,0]",), _PARAMS_DOC)
_TRACED = {"dataset": _PARAMS.default, "problem": ("x[0]", "x[1]"), "problems": ()}
"""What is traced where the file does not say, by what it minimises."""

_TRACED_SEEDS = Setting(
    "seeds", str, "first", "of which seeds: the first, or all", choices=("first", "all")
)
_LAYERS = Setting(
    "layers", bool, False, "whether to record, per named array, norms and update over weight"
)

_TRAIN = section(
    "train",
    settings_of(Train),
    seeds=_seeds(settings_of(Train), first=0, least=1),
    schedule=(_SCHEDULE, Field({"name": "constant"}, description=_SCHEDULE_DOC)),
)
_SPACE = Setting(
    "space", dict, {}, "ranges by dotted path, instead of those that the rules publish or beside"
)
PLAIN = {
    "model": section("model", settings_of(MLP)),
    "train": _TRAIN,
    "tune": section(
        "tune",
        (*settings_of(Tune), _SPACE),
        seeds=_seeds(settings_of(Tune), FIRST_TUNING_SEED, least=LEAST_TUNING_SEEDS),
        space=(Annotated[dict[str, Any], WithJsonSchema(SPACE)], field(_SPACE)),
    ),
    "trace": section(
        "trace", (_PARAMS, _TRACED_SEEDS, _LAYERS), params=(list[str], field(_PARAMS))
    ),
}

# What a problem of a suite may say otherwise than the suite.
_OWN_TRAIN = [
    replace(s, default=None, optional=True)
    for s in settings_of(Train)
    if s.name in ("epochs", "batch_size")
]
_ENTRY_TOP = (
    Setting("label", str, MISSING, "its name in tables and figures"),
    Setting("dataset", dict, None, "what is learned"),
    Setting("model", dict, None, "the network"),
    Setting("problem", dict, None, "what is minimised, instead of a network on a dataset"),
    Setting("train", dict, None, "epochs and batch_size of this problem, if not those of all"),
)
ENTRY_TRAIN = section("train of a problem", _OWN_TRAIN)
_ENTRY_TYPES = {
    "label": Annotated[str, AfterValidator(check_label)],
    "dataset": union(DATASETS_BY_NAME),
    "model": PLAIN["model"],
    "problem": union(PROBLEMS_BY_NAME),
    "train": ENTRY_TRAIN,
}
ENTRY = section(
    "a problem", _ENTRY_TOP, **{s.name: (_ENTRY_TYPES[s.name], field(s)) for s in _ENTRY_TOP}
)

TOP = (
    Setting("name", str, None, "names the output directory; default: the name of the file"),
    Setting("dataset", dict, {"name": "spiral"}, "what is learned"),
    Setting("model", dict, {}, "the network"),
    Setting("problem", dict, None, "what is minimised, instead of a network on a dataset"),
    Setting("problems", dict, None, "a suite: several problems, each with a label", many=True),
    Setting("train", dict, {}, "how every run is trained"),
    Setting("plugins", list, (), "Python files with optimizers of your own"),
    Setting("optimizers", dict, MISSING, "the rules to compare, each with its settings", many=True),
    Setting("trace", dict, {}, "what is recorded at every step"),
    Setting("sweep", dict, {}, "lists or ranges of values by dotted path; all combinations run"),
    Setting("tune", dict, None, "how hyperparameters are chosen first, on points for validation"),
)
KEYS = tuple(s.name for s in TOP)
"""What may stand at the top of a file."""


def subjects_of(node: Node) -> tuple[str, ...]:
    """Which of `SUBJECTS` say what an experiment, or a problem of a suite, minimises."""
    for key in ("problems", "problem"):
        if key in node.children:
            return (key,)
    return ("dataset", "model")


def with_defaults(root: Node) -> Node:
    """The tree with every section, and the names and lists that may be left out."""
    places = [("problems", i) for i in range(len(items_of(root, "problems")))]
    for place in [(), *places]:
        root = _with_subjects(root, place)
    for path in [("train",), ("trace",), ("sweep",), _TRAIN_SCHEDULE]:
        root = _with(root, path, {})
    root = _with_items(root, ("trace", "params"), _TRACED[subjects_of(root)[0]])
    entries = range(len(items_of(root, "optimizers")))
    for path in [_TRAIN_SCHEDULE, *(("optimizers", i, "schedule") for i in entries)]:
        root = _with(root, (*path, "name"), _DEFAULT_NAMES["schedule"])
    return root


def _with_subjects(root: Node, place: Path) -> Node:
    """The tree with a dataset and a model at a place, unless a problem is there instead."""
    node = lookup(root, place)
    if node is None or subjects_of(node) != ("dataset", "model"):
        return root
    for key in ("dataset", "model"):
        root = _with(root, (*place, key), {})
    root = _with(root, (*place, "dataset", "name"), _DEFAULT_NAMES["dataset"])
    return _with_items(root, (*place, "model", "hidden"), _HIDDEN.default)


def _with_items(root: Node, path: Path, items: Sequence[Any]) -> Node:
    """The tree with a list of defaults at the path, where there is none."""
    return _with(root, path, [Node(item, (*path, i)) for i, item in enumerate(items)])


def _with(root: Node, path: Path, default: Any) -> Node:
    """The tree with a default at the path, where the mapping above it has not got the key."""
    above = lookup(root, path[:-1])
    if above is None or not isinstance(above.value, dict) or path[-1] in above.value:
        return root
    return inserted(root, path, Node(default, path))
