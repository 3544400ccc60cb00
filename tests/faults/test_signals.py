"""Asked to stop at any moment: soon, in order, with the right exit code, and to be continued."""

from __future__ import annotations

import contextlib
import os
import random
import select
import signal
import sys
import time
from pathlib import Path

import pytest

from adamcli.cli.main import run
from adamcli.store import faults
from faults.campaign import Campaign
from faults.laboratory import CONFIG, Laboratory

pytestmark = pytest.mark.faults

SEED = 20_244
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 30.0  # a busy machine needs more than the two seconds of an idle one
MORE = 1.5  # seconds that worker processes and figures take
HIDDEN, SHOWN = b"\x1b[?25l", b"\x1b[?25h"
MARK = "ADAMCLI_TEST_MARK"
LONG = CONFIG.replace("epochs: 2", "epochs: 40, eval_every: 10")


class OnTerminal:
    """A command line whose three streams are a terminal of its own."""

    def __init__(self, args: list[str]) -> None:
        self.mark = f"{os.getpid()}-{time.monotonic_ns()}"
        begun, begin = os.pipe()
        self.pid, self._terminal = os.forkpty()
        if not self.pid:
            self._live(args, begin)
        os.close(begin)
        os.read(begun, 1)
        os.close(begun)
        self.shown = b""

    def _live(self, args: list[str], begin: int) -> None:
        """The life of the child; it never returns to the tests."""
        code = 99
        try:
            os.environ |= {MARK: self.mark, "TERM": "xterm", "LINES": "24"}
            told = False

            def before(operation: str, path: Path) -> None:
                nonlocal told
                if not told:
                    told = True
                    os.write(begin, b".")

            faults.before = before

            for number, name in enumerate(("stdout", "stderr"), start=1):
                setattr(sys, name, os.fdopen(number, "w", encoding="utf-8", closefd=False))
            code = run(args)
        finally:
            os._exit(code)

    def watch(self, seconds: float) -> bool:
        """Read what it prints for some time, or until it ends; whether it has ended."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self._terminal], [], [], left)[0]:
                try:
                    self.shown += os.read(self._terminal, 2**16)
                except OSError:  # the other end is closed
                    return True
        return False

    def stop(self, *numbers: int) -> tuple[int, float]:
        """Send signals, a moment apart: the exit code, and the seconds until it ended."""
        start = time.monotonic()
        for number in numbers:
            os.kill(self.pid, number)
            time.sleep(0.01)
        over = self.watch(PATIENCE)
        if not over:
            os.kill(self.pid, signal.SIGKILL)
        _, status = os.waitpid(self.pid, 0)
        seconds = time.monotonic() - start
        os.close(self._terminal)
        return os.waitstatus_to_exitcode(status), seconds

    def survivors(self) -> list[int]:
        """Processes that it started and that have not ended, a moment after it did."""
        for _ in range(100):
            left = [
                pid
                for pid in map(int, filter(str.isdigit, os.listdir("/proc")))
                if self._is_its(pid)
            ]
            if not left:
                break
            time.sleep(0.05)
        return left

    def _is_its(self, pid: int) -> bool:
        """Whether a process has its mark in the environment."""
        with contextlib.suppress(OSError):
            return f"{MARK}={self.mark}".encode() in Path(f"/proc/{pid}/environ").read_bytes()
        return False


@pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="there is no /proc")
@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
def test_signals_stop_a_run_at_any_moment(laboratory, scaled, tmp_path, again):
    folder = tmp_path / "long"
    folder.mkdir()
    laboratory = Laboratory(folder, LONG)
    draw = random.Random(SEED + again)
    seconds = []
    plain, jobs, drawing = ("--no-figures",), ("--no-figures", "--jobs", "2"), ()
    ways = [plain] * scaled(1, 6) + [jobs, drawing]
    lasting = lasting_of(laboratory, plain)
    with Campaign(f"signals, {'twice' if again else 'once'}", scaled(3, 60)) as campaign:
        while campaign.count < campaign.planned:
            way = ways[campaign.count % len(ways)]
            number = SIGNALS[campaign.count % len(SIGNALS)]
            laboratory.clear()
            child = OnTerminal(arguments(laboratory, way))
            child.watch(draw.uniform(0, lasting + (way is not plain) * MORE))
            code, took = child.stop(*[number] * (1 + again))
            left = child.survivors()
            if code in (0, -number):
                continue  # it was done before
            seconds.append(took)
            hidden, shown = child.shown.rfind(HIDDEN), child.shown.rfind(SHOWN)
            wrong = [
                f"exit {code}" if code != 128 + number else "",
                f"still there: {left}" if left else "",
                "no cursor" if hidden > shown else "",
                "a traceback" if b"Traceback" in child.shown else "",
                laboratory.wrong(),
            ]
            told = (
                f"{signal.Signals(number).name}, {way}: {[*filter(None, wrong)]}, {child.shown!r}"
            )
            campaign.tried(f"exit {code}", told if any(wrong) else "")
        seconds.sort()
        middle = seconds[len(seconds) // 2]
        campaign.notes.append(f"ended after {middle:.2f} s, at most {seconds[-1]:.2f} s")


def arguments(laboratory, way):
    """The command line of a way to run the experiment."""
    plain = [str(each) for each in laboratory.command if each not in ("--no-figures", "--quiet")]
    return [*plain, *way]


def lasting_of(laboratory, way):
    """How long the experiment takes in some way, from its first operation on files."""
    laboratory.clear()
    child = OnTerminal(arguments(laboratory, way))
    start = time.monotonic()
    assert child.watch(4 * PATIENCE)
    lasting = time.monotonic() - start
    assert child.stop()[0] == 0
    return lasting
