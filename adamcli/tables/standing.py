"""What a training under way looks like: as a table of labels, and as one line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
from rich.console import Console, ConsoleOptions, RenderResult

from adamcli.layout import Array
from adamcli.tables import words
from adamcli.tables.board import CURVE_POINTS, Board, Over, Standings
from adamcli.tables.grid import EMPTY, Cell, Column, Grid, line
from adamcli.tables.spark import sparklines

# Title, rank and width of each metric's column: the highest rank goes first on a narrow
# terminal, and the widths keep columns from moving when their numbers change.
_COLUMNS = {
    "train_loss": ("train\nloss", 1, 7),
    "train_accuracy": ("train\naccuracy", 4, 8),
    "test_accuracy": ("test\naccuracy", 2, 8),
    "validation_accuracy": ("validation\naccuracy", 2, 10),
    "grad_norm": ("grad\nnorm", 6, 7),
    "update_size": ("mean\nupdate", 7, 7),
}
_DIGITS = 3
_RANGES = {"train_loss": 15, "train_accuracy": 13, "test_accuracy": 13, "validation_accuracy": 13}
_HEAD_LINES = 3
_FOOT_LINES = 1
_LABEL_SHARE = 0.3  # of the terminal's width, before other columns have to give way
_WIDE = 120  # columns from which there is room for every point of a curve
_LABELS_IN_A_LINE = 8


@dataclass(frozen=True)
class StandingTable:
    """A row per label, two where several seeds have room for their range, and the time left.

    It is as high as the terminal at most; labels that do not fit are counted.
    """

    board: Board
    colours: Mapping[str, str]
    seconds: float

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        more = 0
        # The last line of the terminal stays free, so that nothing scrolls.
        room = options.size.height - 1 - _HEAD_LINES - _FOOT_LINES
        if room > 0:
            labels = len(self.board.labels)
            ranges = self.board.most_runs > 1 and 2 * labels <= room
            more = max(0, labels - room)
            yield self._grid(labels - more, ranges, options)
        rest = f"... {more} more   " if more else ""
        yield line(rest + _clock(self.board.progress, self.seconds), "dim", cut=True)

    def _grid(self, labels: int, ranges: bool, options: ConsoleOptions) -> Grid:
        """The table of the first labels."""
        standings = self.board.standings(labels)
        columns = [
            *_state_columns(standings, self.colours, int(_LABEL_SHARE * options.max_width)),
            *_metric_columns(standings, ranges),
            _curve_column(standings, options),
        ]
        return Grid(columns, note=False)


def _state_columns(at: Standings, colours: Mapping[str, str], least: int) -> Iterator[Column]:
    """Which labels there are, and how far they have come."""
    labels = [Cell.of(label, colours.get(label, "")) for label in at.labels]
    yield Column("optimizer", labels, least=least, one_line=True)
    yield Column("epoch", _epochs(at), rank=5, right=True)
    for head, counts in (("diverged", at.diverged), ("failed", at.failed)):
        if counts.any():
            yield Column(head, _shares(counts, at.runs), rank=1, right=True)


def _metric_columns(at: Standings, ranges: bool) -> Iterator[Column]:
    """The metrics that there are; before the first news, all of them."""
    lone = (at.runs == 1) & (at.diverged + at.failed == 1)  # nothing to show
    unknown = all(np.isnan(over.median).all() for over in at.metrics.values())
    for name, (head, rank, width) in _COLUMNS.items():
        over, ranged = at.metrics[name], ranges and name in _RANGES
        if unknown or not np.isnan(over.median).all():
            floor = _RANGES[name] if ranged else width
            yield Column(head, _metric(name, over, lone, ranged), rank, right=True, floor=floor)


def _curve_column(at: Standings, options: ConsoleOptions) -> Column:
    """The loss of every label over the length of the training."""
    points = CURVE_POINTS if options.max_width >= _WIDE else CURVE_POINTS // 2
    curves = at.curves[:, CURVE_POINTS // points - 1 :: CURVE_POINTS // points]
    cells = [Cell.of(curve) for curve in sparklines(curves, options.ascii_only)]
    return Column("train loss\n(log)", cells, rank=3, floor=points)


def standing_line(board: Board, seconds: float) -> str:
    """The median loss of every label in one line, as far as a line goes."""
    at = board.standings()
    shown = [
        f"{label} {_loss_in_words(at, place)}"
        for place, label in enumerate(at.labels[:_LABELS_IN_A_LINE])
    ]
    more = len(at.labels) - len(shown)
    shown += [f"... {more} more"] if more else []
    return "  ".join([_how_far(board, at), *shown, f"({_time(board.progress, seconds)})"])


def _how_far(board: Board, at: Standings) -> str:
    """`epoch 35/70` while all runs are at the same epoch, else the share that is done."""
    reached = {*at.epoch.min.tolist(), *at.epoch.max.tolist()}
    if len(set(at.epochs.tolist())) == len(reached) == 1:
        return f"epoch {at.epoch.min[0]:.0f}/{at.epochs[0]}"
    return f"{_share(board.progress)} done"


def _share(progress: float) -> str:
    """A share in whole percent; 100 only when all is done."""
    return f"{int(100 * progress)}%"


def _loss_in_words(at: Standings, place: int) -> str:
    """The median loss of one label, and how many of its runs diverged or failed."""
    runs = at.runs[place]
    ends = [(at.diverged[place], "diverged"), (at.failed[place], "failed")]
    for count, ending in ends:
        if count == runs:
            return ending
    loss = at.metrics["train_loss"].median[place]
    text = words.number(loss, _DIGITS) if not np.isnan(loss) else "waits"
    stopped = ", ".join(f"{count} of {runs} {ending}" for count, ending in ends if count)
    return f"{text} ({stopped})" if stopped else text


def _clock(progress: float, seconds: float) -> str:
    """How much is done, the time it took, and what is left."""
    return f"{_share(progress)} done, {_time(progress, seconds)}"


def _time(progress: float, seconds: float) -> str:
    """`0.4 s, about 0.4 s left`."""
    if not 0 < progress < 1:
        return words.duration(seconds)
    left = seconds * (1 - progress) / progress
    return f"{words.duration(seconds)}, about {words.duration(left)} left"


def _epochs(at: Standings) -> list[Cell]:
    """The epochs done: `35/70`, `0-70/70` while some runs of the label are ahead of others."""
    cells = []
    for low, high, epochs in zip(at.epoch.min, at.epoch.max, at.epochs, strict=True):
        done = f"{low:.0f}" if low == high else f"{low:.0f}{words.EN_DASH}{high:.0f}"
        cells.append(Cell.of(f"{done}/{epochs}"))
    return cells


def _shares(counts: Array, runs: Array) -> list[Cell]:
    """How many runs of each label came to an untimely end."""
    return [
        Cell.of(f"{count} of {of}" if of > 1 else "yes", "red") if count else EMPTY
        for count, of in zip(counts, runs, strict=True)
    ]


def _metric(name: str, over: Over, hidden: Array, ranges: bool) -> list[Cell]:
    """The median of a metric for every label, and the range below it."""
    rows = zip(over.min.tolist(), over.median.tolist(), over.max.tolist(), strict=True)
    return [
        EMPTY if hide else _spread(name, low, middle, high, ranges)
        for (low, middle, high), hide in zip(rows, hidden.tolist(), strict=True)
    ]


def _spread(name: str, low: float, middle: float, high: float, ranges: bool) -> Cell:
    """The median of one label, and the range below it."""
    if np.isnan(middle):
        return EMPTY
    text = words.score(name, middle, _DIGITS)
    if not ranges:
        return Cell.of(text)
    return Cell(((text, ""), (f"\n{words.span(name, low, high)}", "dim")))
