"""What all runs share and a plug-in must leave alone: noted, compared, put back."""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import sys
from types import TracebackType
from typing import Any

import numpy as np

from adamcli.text import safe_lines

Touched = tuple[str, str]
"""What was done to shared state, and what to do instead."""

_RANDOM = (
    "changed NumPy's global random state",
    "draw from a generator of your own, np.random.default_rng(seed)",
)
_ERRORS = ("changed NumPy's error handling", "put it into `with np.errstate(...):`")
_FOLDER = ("changed the working directory", "leave it, and name files by absolute paths")

# struct mt19937_state: 624 words and the position in them.
_STATE_BYTES = 4 * 625


class Watch:
    """A context in which a plug-in's code runs.

    Afterwards everything is as it was before. What the code prints goes to stderr.

    Attributes:
        touched: what was not as before, the first thing first.
    """

    def __init__(self) -> None:
        self.touched: list[Touched] = []

    def __enter__(self) -> Watch:
        self._folder = _folder()
        self._errors = np.geterr()
        self._generator = _generator()
        self._random = _bits(self._generator)
        self._streams = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = _Aside(sys.stderr)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        sys.stdout, sys.stderr = self._streams
        generator = _generator()
        if generator is not self._generator or _bits(generator) != self._random:
            self.touched.append(_RANDOM)
            _restore(self._generator, self._random)
        if np.geterr() != self._errors:
            self.touched.append(_ERRORS)
            np.seterr(**self._errors)
        if _folder() != self._folder:
            self.touched.append(_FOLDER)
            with contextlib.suppress(OSError):
                os.chdir(self._folder)


def _folder() -> str:
    """The working directory, empty where it has been removed."""
    try:
        return os.getcwd()
    except OSError:
        return ""


def _generator() -> Any:
    """The generator behind `np.random.rand` and its like."""
    return np.random.get_bit_generator()  # type: ignore[attr-defined]


def _bits(generator: Any) -> bytes:
    """The state of NumPy's global generator; empty where it has been replaced by another kind.

    Read in place, for `np.random.get_state` takes 40 us, a third of a step.
    """
    if type(generator) is not np.random.MT19937:
        return b""
    return ctypes.string_at(generator.ctypes.state_address, _STATE_BYTES)


def _restore(generator: Any, bits: bytes) -> None:
    """Give NumPy's global generator an earlier state."""
    np.random.set_bit_generator(generator)  # type: ignore[attr-defined]
    if bits:
        words = np.frombuffer(bits, np.uint32)
        state = {"key": words[:-1], "pos": int(words[-1])}
        np.random.set_state(  # noqa: NPY002
            {"bit_generator": "MT19937", "state": state, "has_gauss": 0, "gauss": 0.0}
        )


class _Aside:
    """Where a plug-in prints to: stderr, which a live table knows how to share.

    That of a worker process does not know the table, so on a terminal its prints are lost.
    """

    encoding = "utf-8"

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Pass text on, without what a terminal would obey."""
        worker = multiprocessing.parent_process() is not None
        here, sys.stderr = sys.stderr, self._stream  # for a live table, which prints there itself
        try:
            if not (worker and self._stream.isatty()):
                self._stream.write(safe_lines(text))
        except (OSError, ValueError, AttributeError):
            pass  # a stream that is gone needs no prints
        finally:
            sys.stderr = here
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""

    def isatty(self) -> bool:
        """Nobody should draw here."""
        return False
