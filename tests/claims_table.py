"""The README's table of claims as they come out: python tests/claims_table.py [DIR].

Trains what `adamcli claims` needs and is not in DIR, `outputs` by default, yet.
"""

from __future__ import annotations

import contextlib
import io
import json
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from adamcli.cli.main import run

START, END = "<!-- claims:", "<!-- end of claims -->"
HEAD = "| claim | verdict | effect, 95 % interval | margin | why |"


def document(out: str) -> list[dict[str, Any]]:
    """What `adamcli claims --json` says."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        code = run(["claims", "--json", "--out", out])
    if code:
        raise SystemExit(code)
    claims: list[dict[str, Any]] = json.loads(text.getvalue())["claims"]
    return claims


def table(claims: list[dict[str, Any]]) -> str:
    """The table as Markdown, a row per claim."""
    return "\n".join([HEAD, "|---|---|---|---|---|", *map(_row, claims)])


def _row(claim: dict[str, Any]) -> str:
    """One claim, with a link to its file."""
    sentence = f"[{claim['claim']}]({claim['file']})"
    cells = [sentence, f"**{claim['verdict']}**", _effect(claim), _size(claim, "margin")]
    return f"| {' | '.join([*cells, claim['reason']])} |"


def _effect(claim: dict[str, Any]) -> str:
    """A factor or percentage points with their interval; nothing where there is none."""
    if claim["effect"] is None:
        return ""
    unit = " times" if claim["unit"] == "factor" else " points"
    effect, low, high = (_size(claim, key) for key in ("effect", "low", "high"))
    return f"{effect}{unit} ({low} to {high})"


def _size(claim: dict[str, Any], key: str) -> str:
    """A factor, or a difference of accuracies in percentage points."""
    return f"{claim[key] * (1 if claim['unit'] == 'factor' else 100):.4g}"


def with_table(readme: str, claims: list[dict[str, Any]]) -> str:
    """A README with the table between its two marks."""
    start = readme.index("\n", readme.index(START)) + 1
    return f"{readme[:start]}\n{table(claims)}\n\n{readme[readme.index(END) :]}"


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(with_table(path.read_text(), document(*sys.argv[1:] or ["outputs"])))
