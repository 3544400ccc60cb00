"""What a claim file may say, and what can be wrong with its hypothesis."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, TypeAdapter

from adamcli.config.experiment import Experiment, Run
from adamcli.config.models import Section, annotation, section
from adamcli.config.models import field as model_field
from adamcli.config.names import check_sentence
from adamcli.config.nodes import Node, Path, PlacedError, brief, lookup, mistake
from adamcli.history import MEASURED
from adamcli.palette import setting_of
from adamcli.settings import Setting
from adamcli.stats import FORMS, LESS, MORE, SCORES, Aspect, Hypothesis, aspect_of
from adamcli.text import suggestion

_A = Setting("a", str, MISSING, "the label that is claimed to be better")
_B = Setting("b", str, MISSING, "the label, or a list of them, that it is better than", many=True)
_METRIC = Setting("metric", str, MISSING, "what is compared, such as test_loss")
_WINS = Setting(
    "wins", str, None, "which value is in favour of a", choices=(LESS, MORE), optional=True
)
_HORIZON_DOC = "after how many epochs it is measured; null: at the end"
_HORIZON = Setting("horizon", int, None, _HORIZON_DOC, ge=1, optional=True)
_MARGIN_DOC = "by more than what a has to be better: a factor from 1, or a difference from 0"
_TOP = (
    Setting("claim", str, MISSING, "what is claimed, one sentence"),
    Setting("hypothesis", dict, MISSING, "what it comes to: a, b, metric"),
    Setting("margin", float, MISSING, _MARGIN_DOC, ge=0),
    Setting("experiment", dict, MISSING, "what is trained, or the path of an experiment file"),
    Setting("set", dict, {}, "values in place of the experiment's, by dotted path"),
)


def _listed(value: Any) -> Any:
    """A single label as a list of one."""
    return [value] if isinstance(value, str) else value


_HYPOTHESIS = section(
    "the hypothesis",
    (_A, _B, _METRIC, _WINS, _HORIZON),
    b=(Annotated[annotation(_B), BeforeValidator(_listed)], model_field(_B)),
)
_FIELDS: dict[str, Any] = {
    "claim": Annotated[str, AfterValidator(check_sentence)],
    "hypothesis": _HYPOTHESIS,
    "experiment": Any,
    "set": dict[str, Any],
}
_CLAIM = section(
    "the claim",
    _TOP,
    **{s.name: (_FIELDS[s.name], model_field(s)) for s in _TOP if s.name in _FIELDS},
)


@dataclass(frozen=True)
class _ClaimGrammar:
    """What a claim file may say, its experiment aside."""

    parts: Mapping[str, TypeAdapter[Any]] = field(default_factory=lambda: {"": TypeAdapter(_CLAIM)})

    def section_at(self, root: Node, path: Path) -> type[Section] | None:
        """The model of the whole or of its hypothesis."""
        match path:
            case ():
                return _CLAIM
            case ("hypothesis",):
                return _HYPOTHESIS
        return None

    def registry_at(self, path: Path) -> Mapping[str, type[Section]] | None:
        """Nothing in a claim is told apart by a name."""
        return None


GRAMMAR = _ClaimGrammar()


def hypothesis_of(whole: Any) -> Hypothesis:
    """What a claim without mistakes comes to."""
    said = whole.hypothesis
    aspect = aspect_of(said.metric)
    assert aspect is not None
    wins = said.wins or aspect.better
    assert wins is not None
    return Hypothesis(said.a, tuple(said.b), aspect, wins, whole.margin, said.horizon)


def misstated(root: Node, unfit: set[Path], experiment: Experiment | None) -> list[PlacedError]:
    """What is wrong with a hypothesis beyond its form.

    Args:
        root: the claim.
        unfit: where its form is wrong, about which nothing more is said.
        experiment: of which labels and metrics are; None where it cannot be had.
    """
    said = {
        key: node.value
        for key in ("a", "metric", "wins", "horizon")
        if (node := lookup(root, ("hypothesis", key))) and ("hypothesis", key) not in unfit
    }
    mistakes = _bad_labels(root, experiment) if experiment else []
    if "metric" not in said:
        return mistakes
    aspect = aspect_of(said["metric"])
    if aspect is None:
        what, fix = f"unknown metric {brief(said['metric'])}", _metric_fix(said["metric"])
        return [*mistakes, mistake(root, ("hypothesis", "metric"), what, fix)]
    runs = experiment.runs if experiment else ()
    if ("hypothesis", "wins") not in unfit:
        mistakes += _bad_direction(root, aspect, said.get("wins"))
    if ("margin",) not in unfit:
        mistakes += _bad_margin(root, aspect)
    mistakes += _bad_horizon(root, aspect, said.get("horizon"), runs)
    return mistakes + _unmeasured(root, aspect, runs)


def _bad_labels(root: Node, experiment: Experiment) -> list[PlacedError]:
    """Labels that the experiment has not, or that are compared with themselves."""
    known = list(dict.fromkeys(setting_of(run.label, run.cell) for run in experiment.runs))
    mistakes, seen = [], set[str]()
    for path, label in _labels(root):
        if label not in known:
            what, fix = f"no optimizer {brief(label)} in the experiment", suggestion(label, known)
            mistakes.append(mistake(root, path, what, fix))
        elif label in seen:
            what = f"label {brief(label)} twice in the hypothesis"
            mistakes.append(mistake(root, path, what, "compare it with another one"))
        seen.add(label)
    return mistakes


def _labels(root: Node) -> list[tuple[Path, str]]:
    """The labels of a hypothesis and where they stand."""
    b = lookup(root, ("hypothesis", "b"))
    items = len(b.value) if b is not None and isinstance(b.value, list) else 0
    paths: list[Path] = [("hypothesis", "a"), ("hypothesis", "b")]
    paths = [*paths[:1], *(("hypothesis", "b", i) for i in range(items))] if items else paths
    found = ((path, lookup(root, path)) for path in paths)
    return [(path, node.value) for path, node in found if node and isinstance(node.value, str)]


def _metric_fix(name: str) -> str:
    """What metrics there are."""
    near = suggestion(name, SCORES)
    return near if near.startswith("did you mean") else f"use one of {', '.join(FORMS)}"


def _bad_direction(root: Node, aspect: Aspect, wins: str | None) -> list[PlacedError]:
    """A direction that is not said, or against what is better in any case."""
    if aspect.better is None and wins is None:
        what = f"neither less nor more {aspect.name} is better in itself"
        return [mistake(root, ("hypothesis", "wins"), what, "add wins: less, or wins: more")]
    if aspect.better and wins and wins != aspect.better:
        what = f"{wins} {aspect.name} is never better"
        return [mistake(root, ("hypothesis", "wins"), what, "leave it out, or swap a and b")]
    return []


def _bad_margin(root: Node, aspect: Aspect) -> list[PlacedError]:
    """A factor below 1."""
    node = root.children.get("margin")
    if node is None or not aspect.is_factor or node.value >= 1:
        return []
    what = f"a margin of {brief(node.value)}, and {aspect.name} is compared by a factor"
    return [mistake(root, ("margin",), what, "write 1, or more")]


def _bad_horizon(
    root: Node, aspect: Aspect, horizon: int | None, runs: Sequence[Run]
) -> list[PlacedError]:
    """A horizon for what has none, or one at which nothing is evaluated."""
    at = ("hypothesis", "horizon")
    if horizon is None:
        return []
    if not aspect.at_horizon:
        what, fix = f"{aspect.name} has no horizon", "remove it, or shorten train.epochs"
        return [mistake(root, at, what, fix)]
    for run in runs:
        epochs, every = run.task.epochs, run.eval_every
        if horizon > epochs or (horizon % every and horizon != epochs):
            last = f"{epochs}" if every == 1 else f"{epochs}, a multiple of {every}"
            what = f"nothing is evaluated after epoch {brief(horizon)}"
            return [mistake(root, at, what, f"use at most {last}")]
    return []


def _unmeasured(root: Node, aspect: Aspect, runs: Sequence[Run]) -> list[PlacedError]:
    """A metric that the problem has not, or that needs traces which are not recorded."""
    at = ("hypothesis", "metric")
    for run in runs:
        there = [*run.task.metrics, *MEASURED]
        missing = [name for name in aspect.needs if name not in there]
        if missing:
            what = f"the experiment does not measure {missing[0]}"
            return [mistake(root, at, what, f"use one of {', '.join(there)}")]
        if aspect.traced and not run.traced:
            what = f"{brief(aspect.name)} needs traces of all seeds"
            fix = "add trace: {params: [...], seeds: all} to the experiment"
            return [mistake(root, at, what, fix)]
    return []
