"""The view of a training under way: a table that renews itself, plain lines, or nothing."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from time import perf_counter, thread_time
from types import TracebackType
from typing import TYPE_CHECKING, Literal, Protocol, Self

from rich.console import Console
from rich.live import Live
from rich.text import Text

from adamcli.tables.board import Board
from adamcli.tables.grid import line
from adamcli.tables.results import label_colours
from adamcli.tables.standing import StandingTable, standing_line

if TYPE_CHECKING:
    from adamcli.config import Run
    from adamcli.runner import Progress

Mode = Literal["live", "lines", "quiet"]
Clock = Callable[[], float]

_SHARE = 0.02  # of the elapsed time, at most, goes into showing it
_INTERVAL = 0.25  # seconds between two tables, at least
_TABLE_COST = 0.005  # seconds that the first table is expected to take
_LINE_COST = 0.001  # the same for the first line
_LINES = 10  # milestones of a training


class LiveView:
    """Shows a training to whoever is watching; costs it under 3 % of its time.

    Use as a context manager around the training and hand every `Progress` to `update`. When
    it is left, in whatever way, a table is cleared away and the cursor is back. A terminal
    that goes away ends the view and not the training.

    Args:
        runs: the list that `train_runs` was given.
        console: where to show it, usually stderr.
        mode: `live`, a table for a terminal; `lines`, at most ten plain lines; `quiet`.
        clock: seconds from any start.
        work: seconds of this thread's own work; waiting while others train costs nothing.
    """

    def __init__(
        self,
        runs: Sequence[Run],
        console: Console,
        mode: Mode = "live",
        *,
        clock: Clock = perf_counter,
        work: Clock = thread_time,
    ) -> None:
        self._view: _View = _VIEWS[mode](runs, console, clock, work)

    def __enter__(self) -> Self:
        return self

    def update(self, progress: Progress) -> None:
        """Take note of a block's progress, and show it if it is time."""
        try:
            self._view.update(progress)
        except OSError:
            self._close()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
        """End the view; a terminal that is gone needs no tidying."""
        view, self._view = self._view, _Nothing()
        with contextlib.suppress(OSError):
            view.close()


class _View(Protocol):
    """One way of showing a training."""

    def update(self, progress: Progress) -> None:
        """Take note of a block's progress."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was."""
        ...


class _Nothing:
    """Shows nothing."""

    def __init__(self, *_: object) -> None:
        pass

    def update(self, progress: Progress) -> None:
        """Ignore it."""

    def close(self) -> None:
        """Nothing was opened."""


class _Budget:
    """Keeps the time that is spent on showing within its share of the whole.

    Args:
        cost: seconds that the first showing is expected to take.
        interval: seconds between two showings, at least.
        clock: seconds from any start.
        work: seconds of work, in which costs are measured.
    """

    def __init__(self, cost: float, interval: float, clock: Clock, work: Clock) -> None:
        self._clock = clock
        self._work = work
        self._interval = interval
        self._start = clock()
        self._spent = 0.0
        self._due = self._start
        self._expected = cost
        self._plan()

    @property
    def elapsed(self) -> float:
        """Seconds since the training began."""
        return self._clock() - self._start

    @property
    def allows(self) -> bool:
        """Whether there is time for another showing."""
        return self._clock() >= self._due

    @contextlib.contextmanager
    def spending(self) -> Iterator[None]:
        """Put what happens inside on the account; the next is expected to cost the least yet."""
        began = self._work()
        yield
        cost = self._work() - began
        self._spent += cost
        # The very first is dear (imports, cold caches) and says nothing about the next.
        self._expected = min(cost, self._expected)
        self._plan()

    def _plan(self) -> None:
        """Set the time from which another showing is within the share."""
        affordable = self._start + (self._spent + self._expected) / _SHARE
        self._due = max(self._clock() + self._interval, affordable)


class _Lines:
    """Prints a line at every tenth of the training, fewer if it is over in a moment."""

    def __init__(self, runs: Sequence[Run], console: Console, clock: Clock, work: Clock) -> None:
        self._board = Board(runs)
        self._console = console
        self._budget = _Budget(_LINE_COST, 0.0, clock, work)
        self._printed = 0

    def update(self, progress: Progress) -> None:
        """Print where all labels stand when another tenth is done."""
        board = self._board
        board.note(progress)
        tenths = _LINES * board.done // board.total
        if tenths > self._printed and (self._budget.allows or tenths == _LINES):
            self._printed = tenths
            with self._budget.spending():
                text = standing_line(board, self._budget.elapsed)
                self._console.print(line(text), soft_wrap=True)

    def close(self) -> None:
        """Every line is complete."""


class _Table:
    """Renews a table, as often as its share of the time allows."""

    def __init__(self, runs: Sequence[Run], console: Console, clock: Clock, work: Clock) -> None:
        self._board = Board(runs)
        self._colours = label_colours(runs)
        self._budget = _Budget(_TABLE_COST, _INTERVAL, clock, work)
        self._live = Live(
            console=console,
            auto_refresh=False,
            transient=True,
            redirect_stdout=False,
            vertical_overflow="crop",
        )

    def update(self, progress: Progress) -> None:
        """Renew the table if it is due."""
        self._board.note(progress)
        if self._budget.allows:
            with self._budget.spending():
                self._renew()

    def close(self) -> None:
        """Clear the table away and show the cursor."""
        if self._live.is_started:
            self._live.update(Text())
            self._live.stop()

    def _renew(self) -> None:
        """Draw the table where the last one was."""
        if not self._live.is_started:
            self._live.start()
        table = StandingTable(self._board, self._colours, self._budget.elapsed)
        self._live.update(table, refresh=True)


_VIEWS: dict[str, Callable[[Sequence[Run], Console, Clock, Clock], _View]] = {
    "live": _Table,
    "lines": _Lines,
    "quiet": _Nothing,
}
