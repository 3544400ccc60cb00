"""Plug-ins that several test files write: a good one, and one that can be made to misbehave."""

from __future__ import annotations

from pathlib import Path

HEAD = """\
import os, signal, sys
from dataclasses import dataclass
import numpy as np
from adamcli.settings import setting
"""

GOOD = f"""{HEAD}
@dataclass(frozen=True)
class Mine:
    \"\"\"Momentum of my own.\"\"\"

    lr: float = 0.05
    beta: float = setting(0.9, "decay", ge=0, lt=1)
    turbo: bool = False

    def init(self, params, layout):
        return {{"m": np.zeros_like(params)}}

    def update(self, grads, state, step):
        state["m"] = self.beta * state["m"] + grads
        return -step.lr * state["m"]
"""

TINY = """
name: tiny
dataset: {name: moons, samples: 60, test_samples: 30}
model: {hidden: [6]}
train: {epochs: 3, batch_size: 16}
"""


def write(folder: Path, text: str, name: str = "mine") -> Path:
    """A plug-in's file."""
    path = folder / f"{name}.py"
    path.write_text(text)
    return path


def misbehaving(update: str = "", init: str = "", rest: str = "") -> str:
    """A plug-in whose methods begin with other code; 12 steps are taken in the tests.

    Args:
        update: statements of `update`, which otherwise is that of plain descent.
        init: statements of `init`, which otherwise returns a slot m.
        rest: more members of the class.
    """
    return f"""{HEAD}
@dataclass(frozen=True)
class Mine:
    lr: float = 0.05
{_indented(rest, 4)}
    def init(self, params, layout):
{_indented(init, 8)}
        return {{"m": np.zeros_like(params)}}

    def update(self, grads, state, step):
{_indented(update, 8)}
        return -step.lr * grads
"""


def marked(text: str, method: str = "") -> int:
    """The number of the line that ends in `# here`, else that of a method."""
    lines = {line.strip(): number for number, line in enumerate(text.splitlines(), 1)}
    here = [number for line, number in lines.items() if line.endswith("# here")]
    return here[0] if here else next(n for x, n in lines.items() if x.startswith(f"def {method}("))


def _indented(text: str, columns: int) -> str:
    """The lines of a text, moved to the right."""
    return "\n".join(f"{'':{columns}}{line}" for line in text.splitlines())
