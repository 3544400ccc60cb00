"""Running a plug-in's code: whatever goes wrong is told with the line of the user's file."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Callable
from types import TracebackType
from typing import Any

from adamcli.errors import Interrupted, PluginError, RuleError
from adamcli.plugins.source import Source
from adamcli.plugins.watch import Watch
from adamcli.text import safe_lines

_MAX_TEXT = 300
_MAX_FRAMES = 30
_MAX_LOG = 10_000
_FIX = "mend the plug-in; error.log has the traceback"
_READ_ONLY_FIX = "work on a copy: gradients and parameters are read-only"


class MisdeedError(Exception):
    """What a plug-in's code did that it must not do.

    Args:
        what: the predicate of a sentence, `returned None`.
        line: of the user's file; None for that of the function that was called.
        fix: what to do about it.
        log: the traceback of the user's code, where it raised something.
    """

    def __init__(self, what: str, line: int | None = None, *, fix: str, log: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.line = line
        self.fix = fix
        self.log = log

    def in_run(self, who: str, source: Source, line: int) -> RuleError:
        """As the error that ends a run.

        Args:
            who: the subject of the sentence, `step 3: update`.
            line: of the function that was called.
        """
        where = source.where(self.line or line)
        return RuleError(f"{who} {self.what}", where=where, fix=self.fix, log=self.log)

    def at_loading(self, source: Source) -> PluginError:
        """As the error of a file that cannot be used."""
        fix = "mend the plug-in" if self.fix == _FIX else self.fix
        what = f"the plug-in {self.what}"
        return PluginError(what, where=source.where(self.line or 1), fix=fix)


def obeyed(source: Source, function: Callable[..., Any], *args: Any) -> Any:
    """What a function of a plug-in returns.

    Raises:
        MisdeedError: it raised whatever it may be, `SystemExit` too, or touched what all
            runs share.
        Interrupted, KeyboardInterrupt: the user wants to stop.
    """
    watch = Watch()
    try:
        with watch:
            answer = function(*args)
    except BaseException as error:
        if _is_for_us(error):
            raise
        raise _misdeed(source, error) from error
    for what, fix in watch.touched:
        raise MisdeedError(what, fix=fix)
    return answer


def _is_for_us(error: BaseException) -> bool:
    """Whether an exception comes from the user at the keyboard and not from the plug-in.

    The command line turns Ctrl-C into `Interrupted` and workers ignore it, so a
    KeyboardInterrupt can only be real where Python's own handler is in place.
    """
    if isinstance(error, KeyboardInterrupt):
        return signal.getsignal(signal.SIGINT) is signal.default_int_handler
    return isinstance(error, Interrupted)


def _misdeed(source: Source, error: BaseException) -> MisdeedError:
    """An exception as the misdeed that it is."""
    words = traceback.format_exception_only(error)
    text = words[-1 if isinstance(error, SyntaxError) else 0].rstrip()
    text = " ".join(text[:_MAX_TEXT].split()) + "…" * (len(text) > _MAX_TEXT)
    fix = _READ_ONLY_FIX if "read-only" in text else _FIX
    frames = _frames_in(source, error.__traceback__)
    line = frames[-1].tb_lineno if frames else None
    if isinstance(error, SyntaxError) and error.filename == source.filename:
        line = error.lineno
    return MisdeedError(f"raised {text}", line, fix=fix, log=_log(error, frames))


def _frames_in(source: Source, trace: TracebackType | None) -> list[TracebackType]:
    """The frames of the user's file, innermost last."""
    frames = []
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == source.filename:
            frames.append(trace)
        trace = trace.tb_next
    return frames


def _log(error: BaseException, frames: list[TracebackType]) -> str:
    """The traceback from the user's first frame on, as far as anybody would read it."""
    start = frames[0] if frames else None
    text = "".join(traceback.format_exception(type(error), error, start, limit=-_MAX_FRAMES))
    if len(text) > _MAX_LOG:
        text = f"{text[: _MAX_LOG // 2]}…\n…{text[-_MAX_LOG // 2 :]}"
    return safe_lines(text)
