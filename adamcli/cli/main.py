"""The way in and the only way out: every error becomes one message and an exit code."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import traceback
from collections.abc import Iterator
from types import FrameType

import typer

from adamcli.cli.streams import make_robust, printing, settle_stderr, show_cursor
from adamcli.errors import AdamcliError, Interrupted, StorageError
from adamcli.text import safe, safe_lines

# Set before NumPy is imported: the bits of a product may depend on the number of threads.
_BLAS_THREADS = ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS")


def run(args: list[str]) -> int:
    """Run one command line.

    Args:
        args: what stands after `adamcli`.

    Returns:
        The exit code; every message is already printed.
    """
    os.environ.update(dict.fromkeys(_BLAS_THREADS, "1"))
    make_robust()
    with _signals_caught():
        return _run(args)


def _run(args: list[str]) -> int:
    """Run one command line whose surroundings are made."""
    debug = "--debug" in args or bool(os.environ.get("ADAMCLI_DEBUG"))
    args = [arg for arg in args if arg != "--debug"]  # works in any place
    try:
        return _call(args)
    except typer.TyperException as error:
        return _report_usage(error)
    except AdamcliError as error:
        return _report(error, debug)
    except MemoryError as error:
        return _report(
            StorageError("out of memory", fix="lower the number of runs or the network's width"),
            debug,
            error,
        )
    except (Interrupted, KeyboardInterrupt) as error:
        return error.exit_code if isinstance(error, Interrupted) else 128 + signal.SIGINT
    except Exception as error:
        return _report_bug(error, debug)
    finally:
        settle_stderr()


def _call(args: list[str]) -> int:
    """Run a command line to its exit code, with all that it printed flushed."""
    from adamcli.cli.app import app

    try:
        with printing():
            code = app(args=args, prog_name="adamcli", standalone_mode=False)
    except SystemExit:
        return 0  # how Typer leaves when the reader of its help has left
    return code if isinstance(code, int) else 0


@contextlib.contextmanager
def _signals_caught() -> Iterator[None]:
    """Let signals to stop unwind the stack, so that all is left in order; the second ends at once.

    Ctrl-C is among them: a KeyboardInterrupt is then one that a plug-in has raised itself.
    Ending at once is safe: what is saved is whole at any moment, and workers end with us.
    """
    caught_before = False

    def interrupt(number: int, frame: FrameType | None) -> None:
        nonlocal caught_before
        if caught_before:
            show_cursor()
            os._exit(128 + number)
        caught_before = True
        raise Interrupted(number)

    numbers = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP")]
    before = {number: signal.getsignal(number) for number in numbers if number is not None}
    # What the parent chose to ignore (nohup) stays ignored.
    default = (signal.SIG_DFL, signal.default_int_handler)
    caught = {number: handler for number, handler in before.items() if handler in default}
    try:
        for number in caught:
            signal.signal(number, interrupt)
        yield
    finally:
        for number, handler in caught.items():
            signal.signal(number, handler)


def _report(error: AdamcliError, debug: bool, cause: BaseException | None = None) -> int:
    """Print an error that the user can act on."""
    if debug:
        traceback.print_exception(cause or error)
    for line in _messages(error):
        _complain(line)
    return error.exit_code


def _messages(error: AdamcliError) -> list[str]:
    """One message per mistake."""
    from adamcli.errors import ConfigErrors

    mistakes = error.mistakes if isinstance(error, ConfigErrors) else [error]
    return [f"error: {mistake}" for mistake in mistakes]


def _report_usage(error: typer.TyperException) -> int:
    """Print what is wrong with the command line itself."""
    text = error.format_message()
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "adamcli"
    stop = "" if text.endswith((".", "?")) else "."
    _complain(f"error: {text}{stop} Fix: see `{command} --help`")
    return int(error.exit_code)


def _report_bug(error: Exception, debug: bool) -> int:
    """Print what no user can mend."""
    if debug:
        traceback.print_exception(error)
    hint = "report it" if debug else "run it again with --debug and report what it prints"
    _complain(f"error: internal bug, {type(error).__name__}: {safe(str(error), 300)}. Fix: {hint}")
    return 1


def _complain(text: str) -> None:
    """Print a message on stderr, if there still is one."""
    try:
        print(safe_lines(text), file=sys.stderr, flush=True)
    except (OSError, ValueError):
        return
