"""Experiment files by the thousand: valid ones, one mistake each, and no experiments at all."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import typer
from conftest import ROOT

from adamcli import config
from adamcli.errors import AdamcliError
from faults.campaign import Campaign, HangError, within
from faults.generated import Drawer, garbage, mutated, written
from faults.judging import complaints, faults_of

pytestmark = pytest.mark.faults

SEED = 20_240
NEVER_RIGHT = ("new key", "misspelt key", "key twice")
LONGEST = 10.0  # seconds that one check may take on a busy machine
PLUGIN = (ROOT / "configs/plugins/plain_sign.py").read_text(encoding="utf-8")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A folder with the files that generated experiments may name."""
    monkeypatch.chdir(tmp_path)
    # Typer makes its tree of commands again for every command line, which takes most of the time.
    monkeypatch.setattr(typer.main, "get_command", cache(typer.main.get_command))
    rng = np.random.default_rng(SEED)
    x, y = rng.normal(size=(40, 2)), np.arange(40) % 2
    rows = [f"{a},{b},{k}" for (a, b), k in zip(x, y, strict=True)]
    Path("data.csv").write_text("\n".join(["a,b,target", *rows]), encoding="utf-8")
    np.savez("data.npz", X=x, y=y)
    Path("rule.py").write_text(PLUGIN, encoding="utf-8")
    return tmp_path


@pytest.fixture
def check(cli, folder):
    """Check the text of an experiment: exit code, stdout, stderr and what is wrong with them."""

    def call(content: bytes) -> tuple[int, str, str, str]:
        Path("x.yaml").write_bytes(content)
        try:
            with within(LONGEST):
                code, out, err = cli("config", "check", "x.yaml")
        except HangError as error:
            return -1, "", "", f"{error}\n{content!r:.2000}"
        wrong = faults_of(code, out, err)
        return code, out, err, f"{wrong}\n{content!r:.2000}\n{err}" if wrong else ""

    return call


def encoded(tree: dict) -> bytes:
    return written(tree).encode("utf-8", "surrogatepass")


def accepted(drawer: Drawer, count: int) -> list[dict]:
    """Experiments that can be loaded, of those that the schema allows."""
    found: list[dict] = []
    while len(found) < count:
        tree = drawer.experiment()
        Path("x.yaml").write_bytes(encoded(tree))
        try:
            config.load(Path("x.yaml"))
        except AdamcliError:
            continue
        found.append(tree)
    return found


def test_what_the_schema_allows_is_loaded_or_refused_in_words(check, scaled):
    drawer = Drawer(config.schema(), np.random.default_rng(SEED))
    with Campaign("configs, valid for the schema", scaled(80, 6_000)) as campaign:
        for _ in range(campaign.planned):
            code, _, _, wrong = check(encoded(drawer.experiment()))
            campaign.tried(f"exit {code}", wrong)
    assert campaign.ends["exit 0"] > campaign.planned / 5


def test_one_mistake_is_told_by_its_key(check, scaled):
    rng = np.random.default_rng(SEED + 1)
    bases = accepted(Drawer(config.schema(), rng), scaled(15, 400))
    refused = named = 0
    with Campaign("configs, one mutation", scaled(160, 12_000)) as campaign:
        for i in range(campaign.planned):
            mutant = mutated(bases[i % len(bases)], rng)
            code, _, err, wrong = check(encoded(mutant.tree))
            if code == 0 and mutant.kind in NEVER_RIGHT:
                wrong = f"a {mutant.kind}, and accepted: {encoded(mutant.tree)!r:.2000}"
            campaign.tried(f"exit {code}", wrong)
            refused += code == 2
            word = rf"(?<!\w){re.escape(mutant.key)}(?!\w)"
            named += code == 2 and bool(re.search(word, complaints(err)))
        campaign.notes.append(f"{named / refused:.1%} of {refused:,} mistakes told by their key")
    assert refused > campaign.planned / 2
    assert named >= 0.95 * refused


def test_garbage_is_refused_in_words(check, scaled):
    rng = np.random.default_rng(SEED + 2)
    texts = [path.read_text(encoding="utf-8") for path in sorted(ROOT.glob("configs/*.yaml"))]
    with Campaign("configs, raw bytes", scaled(80, 4_000)) as campaign:
        for i in range(campaign.planned):
            code, _, _, wrong = check(garbage(texts[i % len(texts)], rng))
            campaign.tried(f"exit {code}", wrong)


def test_processes_end_as_the_same_command_lines_in_this_one(check, scaled):
    rng = np.random.default_rng(SEED + 3)
    drawer = Drawer(config.schema(), rng)
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "adamcli", "config", "check", "x.yaml"]
    with Campaign("configs, in processes of their own", scaled(3, 300)) as campaign:
        for i in range(campaign.planned):
            tree = drawer.experiment()
            texts = [encoded(tree), encoded(mutated(tree, rng).tree), garbage(written(tree), rng)]
            code, out, err, _ = check(texts[i % 3])
            done = subprocess.run(
                command, env=environment, capture_output=True, timeout=60, check=False
            )
            same = (done.returncode, done.stdout.decode(), done.stderr.decode()) == (code, out, err)
            wrong = faults_of(done.returncode, done.stdout.decode(), done.stderr.decode())
            wrong = wrong or ("" if same else f"otherwise than in process, {done.stderr.decode()}")
            campaign.tried(f"exit {done.returncode}", f"{wrong}\n{texts[i % 3]!r}" if wrong else "")
