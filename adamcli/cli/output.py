"""Two consoles: results go to stdout, everything else to stderr."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterable
from typing import Any, Literal

from rich.console import Console, RenderableType

from adamcli.cli.streams import printing
from adamcli.documents import to_json
from adamcli.text import safe


class _Console(Console):
    """Plain text in, and a broken pipe is an exception; Rich's own would end the process."""

    def __init__(self, **options: Any) -> None:
        super().__init__(highlight=False, emoji=False, markup=False, **options)

    def on_broken_pipe(self) -> None:
        """Let the caller decide what a reader's leaving means."""
        raise BrokenPipeError


def stdout() -> Console:
    """The console of results. A pipe is as wide as COLUMNS or 100."""
    width = None if sys.stdout.isatty() or "COLUMNS" in os.environ else 100
    return _Console(width=width)


def stderr() -> Console:
    """The console of everything that is not a result."""
    return _Console(stderr=True)


def show(*renderables: RenderableType) -> None:
    """Print results on stdout."""
    with printing():
        console = stdout()
        for renderable in renderables:
            console.print(renderable)


def show_lines(lines: Iterable[str]) -> None:
    """Print plain lines on stdout, never wrapped."""
    with printing():
        for line in lines:
            print(safe(line))


def show_json(document: Any) -> None:
    """Print one JSON document on stdout; numbers that are not finite become null."""
    with printing():
        print(to_json(document))


def say(text: str) -> None:
    """Print a line on stderr."""
    with contextlib.suppress(OSError):
        print(safe(text), file=sys.stderr, flush=True)


def view_mode(silent: bool) -> Literal["quiet", "live", "lines"]:
    """How a training shows its progress: `quiet`, `live` on a terminal, else `lines`."""
    if silent:
        return "quiet"
    dumb = os.environ.get("TERM", "") in ("dumb", "") or "CI" in os.environ
    return "live" if sys.stderr.isatty() and not dumb else "lines"
