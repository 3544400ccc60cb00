"""The table of `reproduce`: which runs came out the same again, and where others left."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import RenderableType

from adamcli.reproduction import SAMPLE_SEED, Difference, Reproduction, Verdict
from adamcli.tables import words
from adamcli.tables.grid import EMPTY, Cell, Column, Grid, line, stack

_STYLES = {Verdict.IDENTICAL: "", Verdict.TOLERATED: "yellow", Verdict.DIFFERENT: "red"}


def reproduction_table(
    name: str,
    results: Sequence[Reproduction],
    total: int,
    environment: Mapping[str, Mapping[str, Any]],
    tolerance: float,
) -> RenderableType:
    """A row per label: how its runs came out, and the first difference of its worst.

    Args:
        name: the experiment's.
        total: how many runs are saved.
        environment: what differs from when they were saved.
        tolerance: the largest deviation that is put down to that.
    """
    labels: dict[str, list[Reproduction]] = {}
    for result in results:
        labels.setdefault(result.label, []).append(result)
    grid = Grid(
        [
            Column("optimizer", [Cell.of(label, "bold") for label in labels], least=14),
            Column("runs", [_verdicts(own) for own in labels.values()], least=12),
            *_differing(list(labels.values())),
        ]
    )
    caption = f"{_trained(len(results), total)} {_rule(environment, tolerance)}"
    return stack(line(name, "bold"), grid, line(caption, "dim"))


def _verdicts(results: Sequence[Reproduction]) -> Cell:
    """How many runs of a label have each verdict, a line for each."""
    counts = {verdict: sum(r.verdict is verdict for r in results) for verdict in Verdict}
    found = [(f"{n} {verdict}", _STYLES[verdict]) for verdict, n in counts.items() if n]
    broken = [piece for text, style in found for piece in ((text, style), ("\n", ""))]
    return Cell(tuple(broken[:-1]))


def _differing(labels: Sequence[Sequence[Reproduction]]) -> list[Column]:
    """The columns that say how numbers differ, where any does."""
    if not any(result.first for own in labels for result in own):
        return []
    largest = [max(result.largest for result in own) for own in labels]
    return [
        Column("first difference", [_first(own) for own in labels], least=24),
        Column("largest", [_apart(deviation) for deviation in largest], rank=1, right=True),
    ]


def _apart(deviation: float) -> Cell:
    """A deviation, relative to the number that was saved."""
    return Cell.of(words.number(deviation, 2)) if deviation else EMPTY


def _first(results: Sequence[Reproduction]) -> Cell:
    """Where the worst run of a label left what was saved."""
    worst = max(results, key=lambda result: [*Verdict].index(result.verdict))
    if worst.first is None:
        return EMPTY
    return Cell.of(f"seed {worst.seed}, {_where(worst.first)}: {_values(worst.first)}")


def _where(difference: Difference) -> str:
    """`test_loss at epoch 3`."""
    if difference.epoch is None or difference.metric.startswith(("trace", "layer")):
        return f"{difference.metric} at step {difference.step}"
    return f"{difference.metric} at epoch {difference.epoch}"


def _values(difference: Difference) -> str:
    """Both values with all their digits."""
    values = (difference.saved, difference.retrained)
    saved, now = ("none" if value is None else str(value) for value in values)
    return f"{saved} saved, {now} now"


def _trained(count: int, total: int) -> str:
    """How many runs were trained again, and how they were chosen."""
    if count == total:
        return f"Trained {'the run' if total == 1 else f'all {total} runs'} again."
    drawn = f"drawn by seed {SAMPLE_SEED} of a stream of its own"
    return f"Trained {count} of {total} runs again, {drawn}."


def _rule(environment: Mapping[str, Mapping[str, Any]], tolerance: float) -> str:
    """What is tolerated, and why."""
    if not environment:
        return "adamcli, NumPy, BLAS and machine are those of then, so every bit must be the same."
    then = [f"{name} ({each['saved']}, now {each['here']})" for name, each in environment.items()]
    return (
        f"Other than then: {words.listed(then)}; so sums may round otherwise, and numbers may be "
        f"off by {tolerance:g} of what was saved."
    )
