"""The sections of an experiment file, made from what the registries declare.

Each dataset, rule and schedule gives one model whose `name` is a constant; `dataset:`, the
items of `optimizers:` and `schedule:` are unions told apart by that name. So a new row of a
registry brings its checks and its branch of the JSON schema with it.
"""

from __future__ import annotations

from dataclasses import MISSING, dataclass
from typing import Annotated, Any

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    WithJsonSchema,
)

from adamcli.config.models import (
    annotation,
    field,
    section,
    sections_by_name,
    union,
)
from adamcli.config.names import MAX_RUNS, check_label, seed_list
from adamcli.config.nodes import Node, Path, inserted, items_of, lookup
from adamcli.optimizers import RULES, Wrapping
from adamcli.problems import DATASETS, MLP, PROBLEMS
from adamcli.schedules import SCHEDULES, Constant, Schedule
from adamcli.seeding import RANDOM_KINDS
from adamcli.settings import Setting, setting, settings_of

SUBJECTS = ("dataset", "model", "problem")
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


_LABEL = Setting("label", str, None, "its name in tables and figures; default: its name")
_CLIP = Setting("clip_norm", float, None, f"{_CLIP_DOC}; instead of train's", gt=0, optional=True)
_OWN_SCHEDULE = Setting("schedule", dict, None, f"{_SCHEDULE_DOC}, instead of train's")

DATASETS_BY_NAME = sections_by_name(DATASETS, default=_DEFAULT_NAMES["dataset"])
PROBLEMS_BY_NAME = sections_by_name(PROBLEMS)
SCHEDULES_BY_NAME = sections_by_name(SCHEDULES, default=_DEFAULT_NAMES["schedule"])
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
OPTIMIZERS_BY_NAME = sections_by_name(RULES, EVERY_OPTIMIZERS, **OPTIMIZER_FIELDS)

_SEEDS = next(s for s in settings_of(Train) if s.name == "seeds")
_SEEDS_SCHEMA = {
    "anyOf": [
        {"type": "integer", "minimum": 1, "maximum": MAX_RUNS},
        {
            "type": "array",
            "items": {"type": "integer", "minimum": 0, "maximum": 2**32 - 1},
            "minItems": 1,
            "uniqueItems": True,
        },
    ]
}
_HIDDEN = next(s for s in settings_of(MLP) if s.name == "hidden")
_PARAMS_DOC = "parameters to trace, such as W1[0,0] or b2[3]; of a problem x[0] and x[1]"
_PARAMS = Setting("params", list, ("W1[0,0]",), _PARAMS_DOC)
_PROBLEM_PARAMS = ("x[0]", "x[1]")
_LAYERS = Setting(
    "layers", bool, False, "whether to record, per named array, norms and update over weight"
)

_TRAIN = section(
    "train",
    settings_of(Train),
    seeds=(
        Annotated[annotation(_SEEDS), BeforeValidator(seed_list), WithJsonSchema(_SEEDS_SCHEMA)],
        field(_SEEDS),
    ),
    schedule=(_SCHEDULE, Field({"name": "constant"}, description=_SCHEDULE_DOC)),
)
PLAIN = {
    "model": section("model", settings_of(MLP)),
    "train": _TRAIN,
    "trace": section("trace", (_PARAMS, _LAYERS), params=(list[str], field(_PARAMS))),
}

TOP = (
    Setting("name", str, None, "names the output directory; default: the name of the file"),
    Setting("dataset", dict, {"name": "spiral"}, "what is learned"),
    Setting("model", dict, {}, "the network"),
    Setting("problem", dict, None, "what is minimised, instead of a network on a dataset"),
    Setting("train", dict, {}, "how every run is trained"),
    Setting("plugins", list, (), "Python files with optimizers of your own"),
    Setting("optimizers", dict, MISSING, "the rules to compare, each with its settings", many=True),
    Setting("trace", dict, {}, "what is recorded at every step"),
    Setting("sweep", dict, {}, "lists of values by dotted path; all combinations are run"),
)
KEYS = tuple(s.name for s in TOP)
"""What may stand at the top of a file."""


def subjects_of(root: Node) -> tuple[str, ...]:
    """Which of `SUBJECTS` say what this tree minimises; the others do not belong there."""
    return ("problem",) if "problem" in root.children else ("dataset", "model")


def with_defaults(root: Node) -> Node:
    """The tree with every section, and the names and lists that may be left out."""
    subjects: list[Path] = [(key,) for key in subjects_of(root)]
    for path in [*subjects, ("train",), ("trace",), ("sweep",), _TRAIN_SCHEDULE]:
        root = _with(root, path, {})
    params = _PROBLEM_PARAMS if "problem" in root.children else _PARAMS.default
    for path, items in ((("model", "hidden"), _HIDDEN.default), (("trace", "params"), params)):
        nodes = [Node(item, (*path, i)) for i, item in enumerate(items)]
        root = _with(root, path, nodes)
    entries = range(len(items_of(root, "optimizers")))
    for path in [("dataset",), _TRAIN_SCHEDULE, *(("optimizers", i, "schedule") for i in entries)]:
        root = _with(root, (*path, "name"), _DEFAULT_NAMES[str(path[-1])])
    return root


def _with(root: Node, path: Path, default: Any) -> Node:
    """The tree with a default at the path, where the mapping above it has not got the key."""
    above = lookup(root, path[:-1])
    if above is None or not isinstance(above.value, dict) or path[-1] in above.value:
        return root
    return inserted(root, path, Node(default, path))
