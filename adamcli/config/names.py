"""Names that users choose, and seeds: what is allowed, and what a count of seeds stands for."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from typing import Any

from pydantic_core import PydanticCustomError

from adamcli.text import is_printable, slug, suggestion

MAX_RUNS = 1_000_000

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}", re.ASCII)
_RESERVED = re.compile(r"(CON|PRN|AUX|NUL|COM\d|LPT\d)(\..*)?", re.IGNORECASE | re.ASCII)
_NAME_RULE = "use 1 to 64 letters, digits and . _ -, starting with a letter or digit"


def refused(what: str, fix: str) -> PydanticCustomError:
    """A validation error with our own words."""
    return PydanticCustomError("refused", "{what}", {"what": what, "fix": fix})


def check_name(name: str) -> str:
    """The name of an experiment, which becomes part of a directory's name on any system."""
    if not _NAME.fullmatch(name) or name.endswith("."):
        raise refused("a name that cannot name a directory", _NAME_RULE)
    if _RESERVED.fullmatch(name):
        raise refused("a name that Windows reserves", "choose another name")
    return name


def name_from(stem: str) -> str:
    """The name of an experiment that gives none, from its file's stem."""
    name = slug(stem).replace("=", "-").lstrip("._-").rstrip(".-") or "experiment"
    return f"experiment-{name}" if _RESERVED.fullmatch(name) else name


def check_label(label: str) -> str:
    """The label of an optimizer: short, printable, without blanks around it."""
    if not 1 <= len(label) <= 100:
        raise refused(f"a label of {len(label)} characters", "use 1 to 100 characters")
    if not is_printable(label):
        raise refused("a label with an unprintable character", "use printable characters")
    if label != label.strip():
        raise refused("a label with a blank at its start or end", "remove the blank")
    return label


def check_sentence(text: str) -> str:
    """What a claim says: one printable line."""
    if not 1 <= len(text.strip()) <= 200:
        raise refused(f"a sentence of {len(text.strip())} characters", "use 1 to 200 characters")
    if not is_printable(text):
        raise refused("a sentence with an unprintable character", "write it in one line")
    return text


def label_keys(label: str) -> tuple[str, str]:
    """What must differ between labels: the folded text, and the file name made of it."""
    return unicodedata.normalize("NFC", label.casefold()), slug(label).casefold()


def suggestion_of_rule(name: str, known: Iterable[str]) -> str:
    """A phrase for the Fix of an optimizer that there is not; it may be meant as a plug-in."""
    fix = suggestion(name, known)
    own = "" if fix.startswith("did you mean") else "; name the file of your own with --plugin"
    return f"{fix}{own}"


def seed_list(value: Any, first: int = 0, least: int = 1) -> Any:
    """A count of seeds as the list of them; anything else as it is.

    Args:
        first: the seed from which a count goes up.
        least: how many there must be.
    """
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, list):
        if value and len(value) < least:
            raise refused(f"{len(value)} seeds are too few", f"list at least {least}")
        return value
    if not isinstance(value, int) or isinstance(value, bool):
        raise refused("neither a count of seeds nor a list of them", "write 20, or [0, 1, 2]")
    if not least <= value <= MAX_RUNS:
        raise refused("a count of seeds out of range", f"use {least} to {MAX_RUNS}")
    return list(range(first, first + value))
