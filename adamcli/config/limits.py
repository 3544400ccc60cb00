"""What an experiment may ask for at most, with an estimate of what it asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from adamcli.config.axes import Factor, size
from adamcli.config.cells import Cell, cells_of
from adamcli.config.grammar import Grammar
from adamcli.config.names import MAX_RUNS
from adamcli.config.nodes import Node, PlacedError, mistake
from adamcli.problems import kept_bytes, stack_bytes, stack_seconds, traced_bytes
from adamcli.text import duration
from adamcli.text import size as bytes_of

MAX_BYTES = 64 * 2**30
_ROWS = 32  # of a stack, for an estimate


def too_many(
    root: Node, whole: Any, factors: Sequence[Factor], grammar: Grammar
) -> list[PlacedError]:
    """The mistake of asking for more runs than anybody can wait for."""
    each = size(factors, None) * _choices(whole, factors) * len(whole.train.seeds)
    count = each * len(whole.problems or [whole])
    if count <= MAX_RUNS:
        return []
    cells, mistakes = cells_of(root, (), grammar)
    if mistakes:
        return mistakes
    work = sum(each * _seconds(cell, each) for cell in cells)
    held = sum(each * _bytes(cell, whole) for cell in cells)
    what = f"{_estimated(count, work, held)}; {MAX_RUNS} runs are allowed"
    path = ("sweep",) if factors else ("train", "seeds")
    return [mistake(root, path, what, "sweep fewer values or lower train.seeds", at_key=True)]


def too_many_trials(root: Node, whole: Any) -> list[PlacedError]:
    """The mistake of asking for more trials than anybody can wait for, told before any is made."""
    tune = whole.tune
    each = tune.trials * len(tune.seeds)
    count = each * len(whole.optimizers) * len(whole.problems or [whole])
    if count <= MAX_RUNS:
        return []
    what = f"{count} runs would tune; {MAX_RUNS} are allowed"
    return [mistake(root, ("tune",), what, "lower tune.trials or tune.seeds", at_key=True)]


def too_large(cells: Sequence[Cell], whole: Any, factors: Sequence[Factor]) -> list[PlacedError]:
    """The mistake of asking for more memory than a computer has."""
    runs = [_choices(whole, factors) * len(cell.train.seeds) for cell in cells]
    held = sum(n * _bytes(cell, whole) for n, cell in zip(runs, cells, strict=True))
    held += max(stack_bytes(cell.task(), rows=1) for cell in cells)
    if held <= MAX_BYTES:
        return []
    work = sum(n * _seconds(cell, n) for n, cell in zip(runs, cells, strict=True))
    what = f"{_estimated(sum(runs), work, held)} of memory"
    fix = f"stay below {MAX_BYTES // 2**30} GiB with fewer runs, epochs, samples or traces"
    return [mistake(cells[0].tree, ("train", "epochs"), what, fix)]


def _estimated(runs: int, seconds: float, held: float) -> str:
    """What so many runs would take, in words."""
    noun = "run" if runs == 1 else "runs"
    return f"{runs} {noun} would take about {duration(seconds)} of one core and {bytes_of(held)}"


def _seconds(cell: Cell, runs: int) -> float:
    """An estimate of how long one core trains a run, one of so many in the cell."""
    rows = min(runs, _ROWS)
    return stack_seconds(cell.task(), cell.train.eval_every, rows) / rows


def _bytes(cell: Cell, whole: Any) -> float:
    """An estimate of what is kept of a run, on average over the seeds."""
    task, trace = cell.task(), whole.trace
    params = sum(param in task.layout for param in trace.params)
    traced = traced_bytes(task, params, layers=trace.layers)
    share = 1 if trace.seeds == "all" else 1 / len(cell.train.seeds)
    return kept_bytes(task, cell.train.eval_every) + traced * share


def _choices(whole: Any, factors: Sequence[Factor]) -> int:
    """How many settings the optimizers have together."""
    return sum(size(factors, i) for i in range(len(whole.optimizers)))
