"""The tables of a finished run: what every label reached, and which was best how often."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType

from adamcli import palette, stats
from adamcli.history import Status
from adamcli.stats import Summary, Wins
from adamcli.tables import words
from adamcli.tables.grid import EMPTY, Cell, Column, Grid, grouped, line, stack

if TYPE_CHECKING:
    from adamcli.store import Result

MAX_ROWS = 100
"""Of more labels, the table has the best of each problem."""

_LABEL_WIDTH = 14  # down to which labels wrap, if no word is longer
_REASONS = 10
_ORDER = ("test_loss", "test_accuracy", "train_loss", "train_accuracy")  # the last goes first


def summary_table(result: Result) -> RenderableType:
    """The final values of every label; with several seeds the median and the range."""
    rows, note = _foremost(result, _rows(result))
    columns = [_labels(result, rows), _states(result, rows), _epochs(result, rows)]
    columns += [_scores(rows, score) for score in stats.SCORES if _anyone_has(rows, score)]
    return _titled(result, _grid(rows, columns), f"{_final_values(result)}.{note}")


def comparison_table(result: Result) -> RenderableType:
    """Labels side by side over the same seeds, with how often each was the best."""
    rows, note = _foremost(result, _rows(result))
    rankings = set(stats.ranking_scores(result.histories).values())
    scores = [s for s in stats.SCORES if s.replace("accuracy", "loss") in rankings]
    columns = [_labels(result, rows), _states(result, rows)]
    columns += [_scores(rows, s) for s in sorted(scores, key=_rank) if _anyone_has(rows, s)]
    wins = {each.label: each for each in stats.wins(result.histories)}
    columns += [_wins(rows, wins)] if _contested(rows) else []
    meaning = _meaning_of_a_win(rankings, wins) if _contested(rows) else ""
    return _titled(result, _grid(rows, columns), f"{_final_values(result)}.{meaning}{note}")


def label_colours(runs: Sequence[palette.Labelled]) -> dict[str, str]:
    """The colour of every label, the same as in the figures, as a Rich style."""
    return {label: style.colour for label, style in palette.run_styles(runs).items()}


def _rows(result: Result) -> list[Summary]:
    """A summary per label in the order of the experiment, an empty one for untrained labels."""
    trained = {summary.label: summary for summary in stats.summarize(result.histories, resamples=0)}
    labels = {run.label: run for run in result.experiment.runs}
    return [
        trained.get(label) or Summary(label, run.optimizer, run.cell, 0, 0, 0, 0, {}, {})
        for label, run in labels.items()
    ]


def _foremost(result: Result, rows: Sequence[Summary]) -> tuple[Sequence[Summary], str]:
    """All labels or, of too many, those of the lowest losses, and a sentence on the others."""
    if len(rows) <= MAX_ROWS:
        return rows, ""
    scores = stats.ranking_scores(result.histories)
    cells: dict[str, list[Summary]] = {}
    for row in rows:
        cells.setdefault(row.cell, []).append(row)
    each = max(1, MAX_ROWS // len(cells))
    best = [row for own in cells.values() for row in sorted(own, key=_by(scores))[:each]]
    kept = {row.label for row in best[:MAX_ROWS]}
    left = [row for row in rows if row.label not in kept]
    stopped = sum(row.finished < row.n for row in left)
    ends = f"; of {stopped} of the others runs diverged or failed" if stopped else ""
    note = f" The best {len(kept)} of {len(rows)} labels, all are in summary.csv{ends}."
    return [row for row in rows if row.label in kept], note


def _by(scores: Mapping[str, str]) -> Callable[[Summary], float]:
    """The median that ranks a label in its cell, infinite for one without runs."""

    def median(row: Summary) -> float:
        spread = row.final.get(scores.get(row.cell, ""))
        return spread.median if spread else math.inf

    return median


def _titled(result: Result, grid: Grid, caption: str) -> RenderableType:
    """A table under the experiment's name, with a line on what is in it, and why runs failed."""
    reasons = [line(reason, "red") for reason in _failures(result)]
    return stack(line(result.experiment.name, "bold"), grid, line(caption, "dim"), *reasons)


def _failures(result: Result) -> list[str]:
    """A line for each of the first distinct reasons why runs failed, with the labels it struck."""
    labels: dict[str, list[str]] = {}
    for history in result.histories:
        if history.failure is not None:
            labels.setdefault(history.failure.message, []).append(history.label)
    told = [f"{words.listed([*dict.fromkeys(who)])} failed: {why}" for why, who in labels.items()]
    left = len(told) - _REASONS
    return [*told[:_REASONS], *([f"{words.count(left, 'more reason')} in error.log"] * (left > 0))]


def _grid(rows: Sequence[Summary], columns: Sequence[Column]) -> Grid:
    """The columns as one table, by problem."""
    return grouped([row.cell for row in rows], columns)


def _labels(result: Result, rows: Sequence[Summary]) -> Column:
    """The column of labels, each in its colour; what its cell says is not repeated."""
    colours = label_colours(result.experiment.runs)
    settings = [palette.setting_of(row.label, row.cell) for row in rows]
    cells = [
        Cell.of(setting, colours[row.label]) for setting, row in zip(settings, rows, strict=True)
    ]
    longest_word = max(len(word) for setting in settings for word in setting.split(" "))
    return Column("optimizer", cells, least=min(_LABEL_WIDTH, longest_word))


def _states(result: Result, rows: Sequence[Summary]) -> Column:
    """The column that says how the runs of each label ended."""
    planned, stops = _planned(result), _stops(result)
    cells = [_state(row, planned[row.label], stops.get(row.label)) for row in rows]
    unremarkable = all(row.finished == planned[row.label] for row in rows)
    return Column("status", cells, rank=6 if unremarkable else 1, least=11)


def _planned(result: Result) -> dict[str, int]:
    """How many runs each label should have."""
    counts: dict[str, int] = {}
    for run in result.experiment.runs:
        counts[run.label] = counts.get(run.label, 0) + 1
    return counts


def _stops(result: Result) -> dict[str, int]:
    """By label the step at which the first of its runs stopped that did not finish."""
    stops: dict[str, int] = {}
    for history in result.histories:
        if (step := history.stopped_at) is not None:
            stops[history.label] = min(step, stops.get(history.label, step))
    return stops


def _state(row: Summary, planned: int, step: int | None) -> Cell:
    """How the runs of one label ended."""
    parts = []
    if row.n < planned:
        done = f"{row.n} of {planned} trained" if row.n else "not trained"
        parts.append((done, "yellow"))
    for count, ending in ((row.diverged, "diverged"), (row.failed, "failed")):
        if count:
            share = f"{count} of {row.n} {ending}" if row.n > 1 else f"{ending} at step {step}"
            parts.append((share, "red"))
    if not parts:
        return Cell.of("finished")
    return Cell(tuple(piece for part in parts for piece in ((", ", ""), part))[1:])


def _epochs(result: Result, rows: Sequence[Summary]) -> Column:
    """The column of epochs at the last evaluation."""
    ends: dict[str, list[int]] = {}
    for history in result.histories:
        last = int(history.epochs[-1]) if len(history.epochs) else 0
        ends.setdefault(history.label, []).append(last)
    cells = [Cell.of(_from_to(ends.get(row.label, ()))) for row in rows]
    return Column("epochs", cells, rank=7, right=True)


def _from_to(numbers: Sequence[int]) -> str:
    """One number, or the smallest and the largest."""
    ends = sorted({min(numbers, default=0), max(numbers, default=0)})
    return words.EN_DASH.join(map(str, ends))


def _anyone_has(rows: Sequence[Summary], score: str) -> bool:
    """Whether a score was measured for any label."""
    return any(score in row.final for row in rows)


def _scores(rows: Sequence[Summary], score: str) -> Column:
    """The column of one final score."""
    head = words.metric(score).replace(" ", "\n")
    cells = [EMPTY if _lone_stop(row) else _spread(score, row) for row in rows]
    return Column(head, cells, rank=_rank(score), right=True)


def _rank(score: str) -> int:
    """Which scores go first on a narrow terminal; those of tuning count as those of the report."""
    return 2 + _ORDER.index(score.replace("validation", "test"))


def _lone_stop(row: Summary) -> bool:
    """Whether the only run of a label did not finish, which leaves no value to show."""
    return row.n == 1 and not row.finished


def _spread(score: str, row: Summary) -> Cell:
    """A single value, or the median with the range on a second line."""
    spread = row.final.get(score)
    if spread is None:
        return EMPTY
    middle = words.score(score, spread.median)
    span = words.span(score, spread.min, spread.max)
    return Cell(((middle, ""), (f"\n{span}", "dim"))) if span else Cell.of(middle)


def _contested(rows: Sequence[Summary]) -> bool:
    """Whether any cell has labels to choose between."""
    return len({row.cell for row in rows}) < len(rows)


def _wins(rows: Sequence[Summary], wins: Mapping[str, Wins]) -> Column:
    """The column of seeds won and shared."""
    cells = [_won(wins[row.label]) if row.label in wins else EMPTY for row in rows]
    return Column("seeds\nwon", cells, rank=2, right=True)


def _won(wins: Wins) -> Cell:
    """`12 of 20`, and `1 tied` below it."""
    tied = f"\n{wins.shared} tied" if wins.shared else ""
    return Cell(((f"{wins.alone} of {wins.seeds}", ""), (tied, "dim")))


def _final_values(result: Result) -> str:
    """What the numbers are: after how many epochs, over how many seeds."""
    epochs = {run.task.epochs for run in result.experiment.runs}
    after = f" after {words.count(epochs.pop(), 'epoch')}" if len(epochs) == 1 else ""
    return f"Final values{after}{_over_seeds(result)}"


def _over_seeds(result: Result) -> str:
    """How many seeds the numbers are taken over, and what becomes of runs that stopped."""
    seeds = max(_planned(result).values())
    if seeds == 1:
        return f", seed {result.experiment.runs[0].seed}"
    complete = len(result.histories) == len(result.experiment.runs)
    over = words.count(seeds, "seed") if complete else f"those of {seeds} seeds that are trained"
    ends = {history.status for history in result.histories}
    stopped = " or ".join(end for end in (Status.DIVERGED, Status.FAILED) if end in ends)
    scored = any("train_accuracy" in history.metrics for history in result.histories)
    infinite = "infinite loss and accuracy 0" if scored else "infinite loss"
    worst = f"; a {stopped} run counts as {infinite}" if stopped else ""
    return f": median and range over {over}{worst}"


def _meaning_of_a_win(rankings: Collection[str], wins: Mapping[str, Wins]) -> str:
    """What it takes to win a seed."""
    tied = any(won.shared for won in wins.values())
    rest = "; tied: it is shared with others." if tied else "."
    best = words.metric(min(rankings, key=_rank))
    where = ", or train loss where there is no other," if len(rankings) > 1 else ""
    return f" The lowest {best}{where} wins a seed{rest}"
