"""Command lines in children forked from a process that has imported everything.

A start of the interpreter takes half a second, a fork a few milliseconds: so thousands of
processes can be killed, and what they leave is what a process of its own would leave.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from adamcli.cli.main import run
from adamcli.store import faults


@dataclass(frozen=True)
class Ended:
    """How a process ended: its exit code, or minus the signal that killed it."""

    code: int
    out: str
    err: str


class Child:
    """A process that does something with stdout and stderr of its own.

    Args:
        task: what it does; returns its exit code.
    """

    def __init__(self, task: Callable[[], int]) -> None:
        self._streams = [os.memfd_create(name) for name in ("out", "err")]
        self._code: int | None = None
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if not self.pid:
            self._live(task)

    def _live(self, task: Callable[[], int]) -> None:
        """The life of the child; it never returns to the tests."""
        code = 99
        try:
            os.setpgid(0, 0)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            for number, stream in enumerate(self._streams, start=1):
                os.dup2(stream, number)
            sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
            sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
            code = task()
            sys.stdout.flush()
            sys.stderr.flush()
        finally:
            os._exit(code)

    def send(self, number: int) -> None:
        """Send it a signal, if it is still there."""
        os.kill(self.pid, number)

    def is_over(self) -> bool:
        """Whether it has ended."""
        if self._code is None:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
            self._code = os.waitstatus_to_exitcode(status) if pid else None
        return self._code is not None

    def end(self, within: float = 120.0) -> Ended:
        """Wait for it.

        Raises:
            TimeoutError: it takes longer; it is killed.
        """
        deadline = time.monotonic() + within
        while not self.is_over():
            if time.monotonic() > deadline:
                self.send(signal.SIGKILL)
                raise TimeoutError(f"process {self.pid} did not end")
            time.sleep(0.001)
        assert self._code is not None
        texts = []
        for stream in self._streams:
            texts.append(os.pread(stream, 2**20, 0).decode(errors="replace"))
            os.close(stream)
        return Ended(self._code, *texts)


def adamcli(args: Sequence[object], fault: str = "") -> Callable[[], int]:
    """The task of running a command line, perhaps with a fault as `ADAMCLI_FAULT` names it."""

    def task() -> int:
        if fault:
            faults.before = faults.Fault(fault)
        return run([str(arg) for arg in args])

    return task


def ended(args: Sequence[object], fault: str = "") -> Ended:
    """How a command line ends, perhaps with a fault."""
    return Child(adamcli(args, fault)).end()
