"""What every command line must keep to, whatever it was given."""

from __future__ import annotations

import re
from collections.abc import Collection

_UNFIT = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f"  # C0 but tab and line feed, DEL, C1
    r"\u200b-\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"  # bidi, separators, surrogates
)
_EXCERPT = re.compile(r"^ *\d* \| .*$", re.MULTILINE)
_MESSAGE = re.compile(r"error: .+, .+\. Fix: .+", re.DOTALL)
_USAGE = re.compile(r"error: .+ Fix: see `adamcli[ a-z-]* --help`", re.DOTALL)


def faults_of(code: int, out: str, err: str, allowed: Collection[int] = (0, 2)) -> str:
    """What is wrong with how a command ended; empty if nothing is.

    Args:
        code: its exit code.
        out: all of stdout.
        err: all of stderr.
        allowed: the exit codes that are right.
    """
    found = []
    if code not in allowed:
        found.append(f"exit code {code}")
    if "Traceback" in err or "internal bug" in err:
        found.append("a traceback, or a bug admitted")
    if unfit := _UNFIT.search(out + err):
        found.append(f"the character {unfit[0]!r} reached the terminal")
    if code == 2:
        found += [f"no what, where and Fix in {m!r}" for m in messages(err) if not _is_whole(m)]
        found += [] if messages(err) else ["exit code 2 without a message"]
    return ", ".join(found)


def messages(err: str) -> list[str]:
    """The error messages on stderr, without the lines of the user's file."""
    text = _EXCERPT.sub("", err)
    return [f"error: {part}".strip() for part in re.split(r"^error: ", text, flags=re.M)[1:]]


def complaints(err: str) -> str:
    """What the messages complain of, without what to do about it."""
    return "\n".join(message.rpartition(". Fix: ")[0] or message for message in messages(err))


def _is_whole(message: str) -> bool:
    """Whether a message says what, where and what to do; Typer's name the option themselves."""
    return bool(_MESSAGE.fullmatch(message) or _USAGE.fullmatch(message))
