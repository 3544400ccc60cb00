"""A campaign counts the faults that were really tried: one that tried too few has failed."""

from __future__ import annotations

import contextlib
import signal
import time
from collections import Counter
from collections.abc import Iterator
from types import FrameType, TracebackType

REPORTS: list[str] = []
"""A line for each campaign that has ended."""

_SHOWN = 10
_TELL_EVERY = 60.0  # seconds between two lines on how far it is


class Campaign:
    """Counts faults and how they ended; leaving it fails if there were too few, or a wrong end.

    Args:
        name: what is tried, a word or two.
        planned: how many faults must be tried.
    """

    def __init__(self, name: str, planned: int) -> None:
        self.name, self.planned = name, planned
        self.ends: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.notes: list[str] = []
        self._start = self._told = time.monotonic()

    @property
    def count(self) -> int:
        """The faults tried so far."""
        return self.ends.total()

    def tried(self, end: str, wrong: str = "") -> None:
        """Count a fault that was tried.

        Args:
            end: how it ended, such as `exit 2`.
            wrong: what is wrong with that, and how to get it again; empty if nothing is.
        """
        self.ends[end] += 1
        if wrong:
            self.wrong.append(wrong)
        if time.monotonic() - self._told > _TELL_EVERY:
            self._told = time.monotonic()
            print(self.report(), flush=True)

    def report(self) -> str:
        """One line: how many were tried, and what became of them."""
        ends = ", ".join(f"{count:,} {end}" for end, count in sorted(self.ends.items()))
        seconds = f"{time.monotonic() - self._start:.0f} s"
        parts = [f"{len(self.wrong)} wrong", ends, *self.notes, seconds]
        return f"{self.name}: {self.count:,} of {self.planned:,} tried, {'; '.join(parts)}"

    def __enter__(self) -> Campaign:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        REPORTS.append(self.report())
        print(REPORTS[-1])
        if error is None:
            assert not self.wrong, "\n\n".join([REPORTS[-1], *self.wrong[:_SHOWN]])
            assert self.count >= self.planned, f"too few faults were tried: {REPORTS[-1]}"


class HangError(BaseException):
    """Something took longer than it may; not an Exception, so that nothing swallows it."""


@contextlib.contextmanager
def within(seconds: float) -> Iterator[None]:
    """End what takes longer.

    Raises:
        HangError: it took longer.
    """

    def ring(number: int, frame: FrameType | None) -> None:
        raise HangError(f"no end after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, ring)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
