"""A terminal made of a pseudo-terminal, and what may be written to one."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Mapping, Sequence

Size = tuple[int, int]
"""Rows and columns."""

# What Rich writes to colour text, to move the cursor and to erase lines.
_ALLOWED = re.compile(r"\x1b\[[0-9;]*m|\x1b\[\?25[hl]|\x1b\[[0-9]*[ABCDGK]|\r")
_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"


def in_terminal(
    command: Sequence[str],
    environment: Mapping[str, str],
    sizes: Sequence[Size],
    seconds: float = 60,
) -> tuple[int, str]:
    """Run a command in a terminal: its exit code, and all that it wrote.

    Args:
        sizes: of the terminal, one after the other while the command writes.
        seconds: after which it is killed.
    """
    ours, theirs = pty.openpty()
    resize(ours, sizes[0])
    process = subprocess.Popen(
        command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, close_fds=True
    )
    os.close(theirs)
    written, waiting = b"", [*sizes[1:]]
    end = time.monotonic() + seconds
    while time.monotonic() < end and (part := _part(ours, process)) is not None:
        written += part
        if part and waiting:
            resize(ours, waiting.pop(0))
            process.send_signal(signal.SIGWINCH)
    os.close(ours)
    if process.poll() is None and time.monotonic() >= end:
        process.kill()
    return process.wait(), written.decode("utf-8", "replace")


def _part(terminal: int, process: subprocess.Popen[bytes]) -> bytes | None:
    """What has been written since; None at the end."""
    ready, _, _ = select.select([terminal], [], [], 0.1)
    if not ready:
        return b"" if process.poll() is None else None
    try:
        return os.read(terminal, 65536) or None
    except OSError:  # how Linux says that the other end is closed
        return None


def resize(terminal: int, size: Size) -> None:
    """Give a terminal another size."""
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))


def misprints(written: str) -> str:
    """What a terminal should not have been sent; empty if nothing."""
    text = _ALLOWED.sub("", written)
    if control := _CONTROL.search(text):
        around = text[max(0, control.start() - 20) : control.start() + 20]
        return f"control character {control[0]!r} in {around!r}"
    if _HIDE in written and written.rfind(_SHOW) < written.rfind(_HIDE):
        return "the cursor stays hidden"
    return ""


def is_live(written: str) -> bool:
    """Whether a table was renewed in place."""
    return _HIDE in written


def has_escapes(written: str) -> bool:
    return "\x1b" in written


def has_colours(written: str) -> bool:
    """Whether there is any colour, beside bold, dim and the like."""
    codes = {code for match in _COLOUR.findall(written) for code in match[2:-1].split(";")}
    return any(code.isdigit() and int(code) >= 30 for code in codes)
