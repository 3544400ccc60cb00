"""A second process that draws figures, started before it is needed.

Loading Matplotlib takes as long as training a small experiment, so `run` starts a painter
before anything else, which loads it on another core meanwhile; it then draws from the saved
data. As a process of its own it also cannot harm the training. This module loads nothing
but the standard library, so that the start comes early.
"""

from __future__ import annotations

import contextlib
import json
import pickle
import subprocess
import sys
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from adamcli.cli.drawing import Painted

_ANSWER = "from adamcli.cli.drawing import answer; answer()"


class Painter:
    """The process, and the way to talk to it.

    Raises:
        OSError: no process can be started.
    """

    def __init__(self) -> None:
        # A session of its own, so that Ctrl-C reaches only us; it ends when its input does.
        # -P: no module of the current folder may stand in for one of ours.
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", _ANSWER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def paint(self, path: Path, formats: Sequence[str], have: Collection[str]) -> Painted | None:
        """As `drawing.paint`, of what the run directory at `path` holds; None if it has died."""
        request = {"path": str(path.absolute()), "formats": [*formats], "have": sorted(have)}
        try:
            reply, _ = self._process.communicate(json.dumps(request).encode())
            painted: Painted = pickle.loads(reply)
        except (OSError, EOFError, pickle.UnpicklingError):
            return None
        return painted

    def stop(self) -> None:
        """End the process, whatever it is doing."""
        self._process.kill()
        self._process.communicate()


@contextlib.contextmanager
def painter(*, wanted: bool) -> Iterator[Painter | None]:
    """A painter for the duration, or None if none is wanted or can be had."""
    started = None
    if wanted:
        with contextlib.suppress(OSError):
            started = Painter()
    try:
        yield started
    finally:
        if started is not None:
            started.stop()
