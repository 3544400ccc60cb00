"""The README's table of optimizers, made from the rules: python tests/readme_table.py."""

from __future__ import annotations

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from adamcli.optimizers import RULES, pages
from adamcli.settings import settings_of

START, END = "<!-- optimizers:", "<!-- end of optimizers -->"
HEAD = "| optimizer | what it is | defaults | `lr` tuned over | state per parameter | source |"


def table() -> str:
    """The table as Markdown, a row per rule."""
    rows = [_row(name) for name in RULES]
    return "\n".join([HEAD, "|---|---|---|---|---|---|", *rows])


def _row(name: str) -> str:
    """One rule."""
    about = pages.page_of(name, RULES[name])
    what = about.summary.partition(": ")[2] or about.summary
    settings = {s.name: s for s in settings_of(RULES[name])}
    defaults = [f"{s.name} {s.default:g}" for s in settings.values() if s.search]
    defaults = [each.replace("e-0", "e-") for each in defaults]
    searched = settings["lr"].search or "not tuned"
    cells = [f"`{name}`", what.rstrip("."), ", ".join(defaults), str(searched)]
    return f"| {' | '.join([*cells, f'{about.state:.3g}', _source(about.sections['Source'])])} |"


def _source(text: str) -> str:
    """The first paper's arXiv id, or else who and when."""
    text = text.partition(";")[0]
    found = re.search(r"arXiv:(\d{4}\.\d{4,5})", text)
    if found:
        return f"[{found[0]}](https://arxiv.org/abs/{found[1]})"
    year = re.search(r"\b(19|20)\d\d\b", text)
    return f"{text.split(',')[0]} {year[0] if year else ''}".strip()


def with_table(readme: str) -> str:
    """A README with the table between its two marks."""
    start = readme.index("\n", readme.index(START)) + 1
    return f"{readme[:start]}\n{table()}\n\n{readme[readme.index(END) :]}"


if __name__ == "__main__":
    path = ROOT / "README.md"
    path.write_text(with_table(path.read_text()))
