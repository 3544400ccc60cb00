r"""User text in figures: drawn literally, and never with a glyph missing.

A character that the figure's font lacks is drawn in the first installed font that has an
outline for it; where no font has, its escape is drawn (`\u4e2d`), which loses nothing.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable
from functools import cache

from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text
from matplotlib.textpath import text_to_path

from adamcli import text as texts

MAIN = "DejaVu Sans"
"""The font of all figures; it comes with Matplotlib."""

# Families that are likely to have what DejaVu Sans has not are asked before all others.
_LIKELY = ("cjk", "noto", "unicode", "wenquanyi", "droid", "gothic", "symbol", "emoji")

# A font that has this one, such as Last Resort, has a box for everything.
_NO_CHARACTER = 0xFDD0


def inscribe(artist: Text, words: str, limit: int = 100) -> None:
    """Let a text artist show user text as it is, cut to `limit` columns."""
    shown, families = drawable(words, limit, str(artist.get_fontweight()))
    artist.set_fontfamily(families)
    artist.set_text(shown)


def fit(artist: Text, words: str, inches: float) -> float:
    """Let a text artist show user text as far as it fits; returns its width in inches."""
    limit = 100
    inscribe(artist, words, limit)
    while (width := _width(artist)) > inches and limit > 2:
        limit = min(limit - 1, int(columns(artist.get_text()) * inches / width))
        inscribe(artist, words, max(limit, 2))
    return width


def _width(artist: Text) -> float:
    """How wide a text is in print, in inches."""
    font = artist.get_fontproperties()
    width, _, _ = text_to_path.get_text_width_height_descent(artist.get_text(), font, False)
    return float(width) / 72


def drawable(words: str, limit: int = 100, weight: str = "normal") -> tuple[str, list[str]]:
    """What can be drawn in place of a text, and the font families to draw it with."""
    families = {MAIN: None}
    shown = ""
    for character in texts.safe(words):
        family = _family(character, weight)
        piece = character if family else _escaped(character)
        if columns(shown + piece) > limit:
            return shown[: limit - 1] + "…", list(families)
        shown += piece
        families[family or MAIN] = None
    return shown, list(families)


def fonts() -> str:
    """Which font figures are drawn in, and which one has what it lacks, such as Chinese."""
    wide = _family("中", "normal")
    return f"{MAIN}; Chinese in {wide}" if wide else f"{MAIN}; Chinese as escapes (\\u4e2d)"


def columns(shown: str) -> int:
    """The width of a text in columns of a terminal, a fair guess at its width in print."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in shown)


def _escaped(character: str) -> str:
    """The escape of one character in Python's notation."""
    return character.encode("unicode_escape").decode()


@cache
def _family(character: str, weight: str) -> str | None:
    """The first font family that can draw a character."""
    code = ord(character)
    return next((f for f in _candidates(code) if _draws(_file(f, weight), code)), None)


def _candidates(code: int) -> Iterable[str]:
    """The figure's font, then, for all but ASCII, every installed one."""
    yield MAIN
    if code > 127:
        yield from _installed()


@cache
def _installed() -> tuple[str, ...]:
    """The names of all installed families, likely ones first, otherwise by name."""
    names = sorted({entry.name for entry in fontManager.ttflist})
    return tuple(sorted(names, key=lambda name: not any(w in name.lower() for w in _LIKELY)))


@cache
def _file(family: str, weight: str) -> str:
    """The font file that Matplotlib takes for a family."""
    return findfont(FontProperties(family=[family], weight=weight))


def _draws(file: str, code: int) -> bool:
    """Whether a font has the character, as an outline and not as a stand-in for any."""
    font = get_font(file)
    if not font.get_char_index(code):
        return False
    if code < 128 or chr(code).isspace():
        return True
    font.load_char(code)
    return len(font.get_path()[0]) > 0 and not font.get_char_index(_NO_CHARACTER)
