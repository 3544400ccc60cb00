"""What is told of a result: tables and verdicts in words, or one document with everything."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import RenderableType

from adamcli import stats
from adamcli.cli import output
from adamcli.config import Experiment
from adamcli.stats import Verdict
from adamcli.store import Result
from adamcli.tables import (
    aggregate_tables,
    audit_in_words,
    crowds_in_words,
    label_colours,
    sensitivity_table,
    stack,
    tuning_table,
    verdicts_in_words,
)


def show_result(
    result: Result,
    table: Callable[[Result], RenderableType],
    document: Callable[[Result, Sequence[Verdict]], dict[str, Any]] | None,
) -> None:
    """A document with the verdicts on stdout or, without one, a table and the verdicts in words."""
    verdicts = stats.verdicts(result.histories)
    if document is not None:
        output.show_json(document(result, verdicts))
        return
    told = [
        tuning_table(result.experiment),
        sensitivity_table(result),
        verdicts_in_words(verdicts, label_colours(result.experiment.runs)),
        crowds_in_words(stats.crowds(result.histories), tuned=result.experiment.tuning is not None),
        audit_in_words(result.experiment, verdicts),
        aggregate_tables(result),
    ]
    output.show(stack(table(result), *(each for each in told if each)))


def run_document(result: Result, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """What `run --json` prints."""
    return {
        "run": str(result.path),
        "status": result.status,
        "results": [
            {
                "label": history.label,
                "optimizer": history.optimizer,
                "seed": history.seed,
                "status": history.status,
                "diverged_at": history.diverged_at,
                "error": history.failure.message if history.failure else None,
                "epochs": int(history.epochs[-1]) if len(history.epochs) else 0,
                "train_loss": history.final("train_loss"),
                "train_accuracy": history.final("train_accuracy"),
                "test_loss": history.final("test_loss"),
                "test_accuracy": history.final("test_accuracy"),
            }
            for history in result.histories
        ],
        "figures": [str(path) for path in result.figures],
        "verdicts": [vars(verdict) for verdict in verdicts],
        **_crowds_document(result),
        **_tuning_document(result.experiment, verdicts),
        **_sensitivity_document(result),
        **_aggregate_document(result),
    }


def _crowds_document(result: Result) -> dict[str, Any]:
    """The problems without verdicts, where optimizers are too many to be told apart."""
    found = stats.crowds(result.histories)
    return {"crowds": [asdict(crowd) for crowd in found]} if found else {}


def _tuning_document(experiment: Experiment, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """What was tried and chosen, and who loses to one that it contains, where it is tuned."""
    if experiment.tuning is None:
        return {}
    audit = stats.audited(verdicts, experiment.inclusions)
    return {
        "tuning": [outcome.document() for outcome in experiment.tuning.outcomes],
        "audit": [asdict(inclusion) for inclusion in audit],
    }


def _sensitivity_document(result: Result) -> dict[str, Any]:
    """What came of each learning rate, where optimizers have many."""
    rates = result.experiment.rates
    curves = stats.sensitivities(result.histories, rates) if rates else []
    return {"sensitivity": [curve.document() for curve in curves]} if rates else {}


def _aggregate_document(result: Result) -> dict[str, Any]:
    """What came of all problems of a kind together, where there are several."""
    found = stats.aggregates(result.histories, result.experiment.places)
    return {"aggregates": [each.document() for each in found]} if found else {}


def compare_document(result: Result, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """What `compare --json` prints: the document of `run`, summaries and wins."""
    return {
        **run_document(result, verdicts),
        "summaries": [asdict(summary) for summary in stats.summarize(result.histories)],
        "wins": [asdict(wins) for wins in stats.wins(result.histories)],
    }
