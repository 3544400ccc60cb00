"""Text that could do harm, and every place where a user can put it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

PAYLOADS = {
    "markup": "[bold red]x[/]",
    "markup unopened": "[/]",
    "markup unclosed": "[bold",
    "a link": "[link=file:///etc/passwd]x[/link]",
    "an escaped bracket": "\\[x]",
    "an emoji's name": ":fire:",
    "emoji": "🔥👩\u200d🔬",
    "CJK": "漢字かな",
    "accents apart": "e\u0301",
    "right to left": "\u202eabc",
    "isolates": "\u2066abc\u2069",
    "a zero-width joiner": "a\u200db",
    "a byte order mark": "\ufeffa",
    "colour": "\x1b[31mred",
    "a cleared screen": "\x1b[2J\x1b[H",
    "a title": "\x1b]0;title\x07",
    "a link in OSC 8": "\x1b]8;;http://x\x1b\\x",
    "the clipboard": "\x1b]52;c;eA==\x07",
    "C1 CSI": "\x9b31mred",
    "C1 OSC": "\x9d0;title\x9c",
    "a bell and a backspace": "a\x07\x08b",
    "a carriage return": "good\rbad",
    "a new line": "one\nerror: two, x. Fix: no",
    "a line separator": "one\u2028two\x85three",
    "a tab": "a\tb",
    "NUL": "a\x00b",
    "half a pair": "a\udcffb",
    "mathematics": "$x^2$",
    "two dollars": "Ba$$in",
    "unknown TeX": "$\\frac{$",
    "an underline first": "_hidden",
    "upwards": "../../x",
    "from the root": "/nonexistent/x",
    "backwards": "a\\b",
    "a home": "~root",
    "an option": "-rf",
    "a variable": "${HOME} %s {0!r} %(x)s",
    "a script": "<script>alert(1)</script>&amp;",
    "quotes": "'\"`,;=#|",
    "a formula": "=1+1",
    "a name of Windows": "CON",
    "300 bytes": "n" * 300,
    "300 wide characters": "漢" * 300,
    "30,000 characters": "x" * 30_000,
}

TINY: dict[str, Any] = {
    "name": "tiny",
    "dataset": {"name": "moons", "samples": 20, "test_samples": 10},
    "model": {"hidden": [2]},
    "train": {"epochs": 1, "batch_size": 10},
    "optimizers": [{"name": "adam"}],
}
_PROBLEM = {"problem": {"name": "saddle", "steps": 2}}

SETTINGS: dict[str, Callable[[str], dict[str, Any]]] = {
    "name": lambda p: {"name": p},
    "a key": lambda p: {p: 1},
    "a key of an optimizer": lambda p: {"optimizers": [{"name": "adam", p: 1}]},
    "a key of a dataset": lambda p: {"dataset": {"name": "moons", p: p}},
    "optimizer": lambda p: {"optimizers": [{"name": p}]},
    "label": lambda p: {"optimizers": [{"name": "adam", "label": p}]},
    "two labels": lambda p: {"optimizers": [{"name": "adam", "label": p}] * 2},
    "lr": lambda p: {"optimizers": [{"name": "adam", "lr": p}]},
    "schedule": lambda p: {"train": {"schedule": {"name": p}}},
    "epochs": lambda p: {"train": {"epochs": p}},
    "seeds": lambda p: {"train": {"seeds": [0, p]}},
    "random": lambda p: {"train": {"random": p}},
    "dataset": lambda p: {"dataset": {"name": p}},
    "data file": lambda p: {"dataset": {"name": "file", "path": p}},
    "target": lambda p: {"dataset": {"name": "file", "path": "data.csv", "target": p}},
    "model": lambda p: {"model": p},
    "init": lambda p: {"model": {"init": p}},
    "parameter": lambda p: {"trace": {"params": [p]}},
    "plug-in": lambda p: {"plugins": [p]},
    "swept path": lambda p: {"sweep": {p: [1, 2]}},
    "swept setting": lambda p: {"sweep": {f"adam.{p}": [1, 2]}},
    "swept value": lambda p: {"sweep": {"adam.lr": [0.1, p]}},
    "swept range": lambda p: {"sweep": {"adam.lr": {p: [0.1, 1], "n": 2}}},
    "tuned path": lambda p: {"tune": {"trials": 1, "space": {p: {"log": [0.1, 1]}}}},
    "label of a problem": lambda p: {
        **dict.fromkeys(("dataset", "model")),
        "problems": [{"label": p, **_PROBLEM}, {"label": "other", **_PROBLEM}],
    },
    "name of a problem": lambda p: {
        **dict.fromkeys(("dataset", "model")),
        "problem": {"name": p},
    },
}
"""What of the experiment becomes what; None takes a section away."""

COMMANDS = (
    ("config", "check", "x.yaml"),
    ("config", "show", "x.yaml"),
    ("config", "show", "x.yaml", "--json"),
    ("run", "x.yaml", "--dry-run"),
    ("run", "x.yaml", "--no-figures"),
    ("compare", "adam", "--config", "x.yaml", "--no-figures", "--json"),
)
"""What is done with the experiment."""

ARGUMENTS: dict[str, Callable[[str], Iterable[str]]] = {
    "a command": lambda p: (p,),
    "an option": lambda p: ("run", "tiny.yaml", f"--{p}"),
    "CONFIG of run": lambda p: ("run", p),
    "CONFIG.yaml of run": lambda p: ("run", f"{p}.yaml"),
    "CONFIG of config check": lambda p: ("config", "check", f"configs/{p}.yaml"),
    "CONFIG of config show": lambda p: ("config", "show", p),
    "--config": lambda p: ("compare", "adam", "--config", p),
    "--set without a value": lambda p: ("config", "check", "tiny.yaml", "--set", p),
    "--set with a path": lambda p: ("config", "check", "tiny.yaml", "--set", f"{p}=1"),
    "--set with a value": lambda p: ("config", "check", "tiny.yaml", "--set", f"adam.lr={p}"),
    "--set with a name": lambda p: ("config", "show", "tiny.yaml", "--set", f"name={p}"),
    "--set with a label": lambda p: ("config", "show", "tiny.yaml", "--set", f"adam.label={p}"),
    "--seeds": lambda p: ("run", "tiny.yaml", "--seeds", p),
    "--jobs": lambda p: ("run", "tiny.yaml", "--jobs", p),
    "--format": lambda p: ("run", "tiny.yaml", "--format", p),
    "--plugin": lambda p: ("run", "tiny.yaml", "--plugin", p),
    "--out of run": lambda p: ("run", "tiny.yaml", "--no-figures", "--out", p),
    "--out of runs": lambda p: ("runs", "--out", p),
    "--out of show": lambda p: ("show", "--out", p),
    "RUN of show": lambda p: ("show", p),
    "RUN of plot": lambda p: ("plot", p),
    "RUN of plot-trace": lambda p: ("plot-trace", p),
    "RUN of reproduce": lambda p: ("reproduce", p),
    "--optimizer": lambda p: ("plot-trace", "--optimizer", p),
    "--param": lambda p: ("plot-trace", "--param", p),
    "--seed": lambda p: ("plot-trace", "--seed", p),
    "OPT of compare": lambda p: ("compare", p, "--config", "tiny.yaml"),
    "OPT of optimizers": lambda p: ("optimizers", p),
    "NAME of datasets": lambda p: ("datasets", p),
    "NAME of check": lambda p: ("check", p),
    "FILE of check": lambda p: ("check", f"{p}.py"),
    "--reference": lambda p: ("check", "sgd", "--reference", p),
    "FILE of claims": lambda p: ("claims", p),
}
"""Command lines with the text in one place."""

CLAIMS: dict[str, Callable[[str], dict[str, Any]]] = {
    "claim": lambda p: {"claim": p},
    "a": lambda p: {"hypothesis": {"a": p, "b": "sgd"}},
    "b": lambda p: {"hypothesis": {"a": "adam", "b": ["sgd", p]}},
    "metric": lambda p: {"hypothesis": {"a": "adam", "b": "sgd", "metric": p}},
    "margin": lambda p: {"margin": p},
    "experiment": lambda p: {"experiment": p},
    "set": lambda p: {"experiment": "tiny.yaml", "set": {p: 1}},
    "a key of a claim": lambda p: {p: 1},
}
"""What of the claim becomes what."""

CLAIM: dict[str, Any] = {
    "claim": "Adam is better",
    "hypothesis": {"a": "adam", "b": "sgd", "metric": "test_loss"},
    "margin": 1.0,
    "experiment": {**TINY, "optimizers": [{"name": "adam"}, {"name": "sgd"}]},
}

TABLES: dict[str, Callable[[str], str]] = {
    "a column": lambda p: f"{quoted(p)},target\n1,0\n2,1\n3,0\n",
    "a column with gaps": lambda p: f"{quoted(p)},target\n1,0\n,1\n",
    "a column twice": lambda p: f"{quoted(p)},{quoted(p)},target\n1,1,0\n",
    "a number": lambda p: f"a,target\n1,0\n{quoted(p)},1\n",
    "a class": lambda p: f"a,target\n1,{quoted(p)}\n2,1\n3,0\n",
    "too many cells": lambda p: f"a,target\n1,0,{quoted(p)}\n",
}
"""CSV files with the text in one place."""


def rule(head: str = "", state: str = "{}", body: str = "return -step.lr * grads") -> str:
    """A plug-in, with lines of its own in the class and in its methods."""
    return f"""
from dataclasses import dataclass
import sys

@dataclass(frozen=True)
class Rule:
    {head}
    lr: float = 0.01

    def init(self, params, layout):
        return {state}

    def update(self, grads, state, step):
        {body}
"""


RULES: dict[str, Callable[[str], str]] = {
    "raised by the file": lambda p: f"raise ValueError({p!r})",
    "raised by update": lambda p: rule(body=f"raise ValueError({p!r})"),
    "exit of update": lambda p: rule(body=f"raise SystemExit({p!r})"),
    "returned by update": lambda p: rule(body=f"return {p!r}"),
    "printed by update": lambda p: rule(
        body=f"print({p!r}); print({p!r}, file=sys.stderr); return -step.lr * grads"
    ),
    "a slot": lambda p: rule(state=f"{{{p!r}: params * 0}}"),
    "an error's name": lambda p: rule(
        body=f"raise type({p.replace(chr(0), '')!r}, (Exception,), {{}})('x')"
    ),
    "like": lambda p: rule(head=f"like = {p!r}"),
    "a docstring": lambda p: rule(head=repr(p)),
    "a default": lambda p: rule(head=f"word: str = {p!r}"),
}
"""Plug-ins with the text in one place."""


def quoted(cell: str) -> str:
    """A cell of a CSV file."""
    doubled = cell.replace('"', '""')
    return f'"{doubled}"'


def save(path: str, tree: dict[str, Any]) -> None:
    """Write a tree as YAML that reads back as it is, whatever characters it has."""
    kept = {key: value for key, value in tree.items() if value is not None}
    Path(path).write_text(json.dumps(kept), encoding="utf-8")
