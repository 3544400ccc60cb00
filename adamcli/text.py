"""Text from files and command lines, made safe to print and to use in a file name."""

from __future__ import annotations

import difflib
import hashlib
import re
import unicodedata
from collections.abc import Iterable, Sequence

# Cc: C0, C1 and DEL; Cf: bidi overrides and zero-width characters; Cs: lone surrogates;
# Zl, Zp: line and paragraph separators. All of them can rewrite what a terminal shows.
_UNPRINTABLE = {"Cc", "Cf", "Cs", "Zl", "Zp"}


def is_printable(text: str) -> bool:
    """Whether no character of the text is a control, format or surrogate character."""
    return not any(unicodedata.category(c) in _UNPRINTABLE for c in text)


def safe(text: str, limit: int | None = None) -> str:
    r"""The text with unprintable characters as visible escapes (`\x1b`), cut to `limit`."""
    shown = "".join(c if is_printable(c) else c.encode("unicode_escape").decode() for c in text)
    return shown if limit is None or len(shown) <= limit else f"{shown[: limit - 1]}…"


def quoted(text: str, limit: int = 80) -> str:
    r"""The text in quotation marks as Python writes it, safe and cut to `limit`: `'a\x1b'`."""
    return safe(repr(text), limit)


def safe_lines(text: str) -> str:
    """As `safe`, but line breaks stay."""
    return "\n".join(safe(line) for line in text.split("\n"))


def slug(text: str) -> str:
    """A portable file-name part: ASCII letters, digits, `.`, `=`, `_` and single dashes.

    Accents are dropped. Text that loses more than that, letters of other scripts or all
    beyond 60 characters, gets a digest at its end, so that it stays different from others.
    """
    plain = unicodedata.normalize("NFKD", text)
    part = re.sub(r"[^A-Za-z0-9.=_]+", "-", plain.encode("ascii", "ignore").decode()).strip("-.")
    lost = any(not c.isascii() and not unicodedata.combining(c) for c in plain)
    if not lost and len(part) <= 60:
        return part or "x"
    digest = hashlib.sha256(plain.encode("utf-8", "surrogatepass")).hexdigest()[:6]
    return f"{part[:53]}-{digest}".lstrip("-")


def suggestion(word: str, possible: Iterable[str]) -> str:
    """A phrase for the Fix of an unknown word: the nearest one, or those there are."""
    known = list(possible)
    folded = {each.casefold(): each for each in known}
    near = difflib.get_close_matches(word.casefold(), folded, n=5, cutoff=0.6)
    if near:  # two letters in each other's place are the likeliest slip
        nearest = min(near, key=lambda each: sorted(each) != sorted(word.casefold()))
        return f"did you mean {folded[nearest]!r}?"
    return f"use one of {some(known)}" if known else "remove it"


def some(words: Sequence[str], most: int = 12) -> str:
    """The first few words, and how many more there are."""
    more = [f"{len(words) - most} more"] if len(words) > most else []
    return ", ".join([*words[:most], *more])


_DAY, _YEAR = 86_400, 31_557_600


def duration(seconds: float) -> str:
    """A time as `0.4 s`, `12 s`, `3 min 05 s`, `2 h 07 min`, `6.2 days` or `1.2e+03 years`."""
    whole = round(seconds)
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02d} s"
    if whole < 2 * _DAY:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} min"
    return f"{seconds / _DAY:.3g} days" if seconds < 2 * _YEAR else f"{seconds / _YEAR:.3g} years"


def size(count: float) -> str:
    """A number of bytes as `61 MiB`, `2.3 GiB` or `1.2e+03 TiB`."""
    for unit, power in (("MiB", 20), ("GiB", 30)):
        if count < 1000 * 2**power:
            return f"{count / 2**power:.{2 if count < 9.95 * 2**power else 3}g} {unit}"
    return f"{count / 2**40:.3g} TiB"
