"""What a training would take: `--dry-run`, and impossible sizes refused before they hurt."""

from __future__ import annotations

import json
import os
import re
import resource
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from adamcli import config
from adamcli.runner import estimate, plan
from adamcli.text import duration, size

TINY = """
name: tiny
dataset: {name: moons, samples: 60, test_samples: 30}
model: {hidden: [6]}
train: {epochs: 3, batch_size: 16, seeds: 2}
optimizers: [{name: sgdm, lr: 0.05}, {name: adam, lr: 0.01}]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)
    return tmp_path


def tiny(*sets):
    return config.load(Path("tiny.yaml"), sets).runs


def files(folder):
    return sorted((path, path.stat().st_mtime_ns) for path in folder.rglob("*"))


def test_a_dry_run_says_what_it_takes_and_does_nothing(cli, folder, monkeypatch):
    monkeypatch.setattr("adamcli.cli.session.train_runs", None)
    before = files(folder)
    sweep = "sweep.adam.lr={log: [1e-3, 1e-1], n: 5}"
    code, out, err = cli("run", "tiny.yaml", "--set", sweep, "--dry-run")
    assert code == 0
    assert [line.split(maxsplit=1)[-1].strip() for line in out.splitlines()[4:7]] == [
        "6",
        "to train  12",
        "1 in 1 process",
    ]
    assert "training       about 0.0 s" in out
    assert "memory         about 6" in out
    assert err == "nothing was trained or written; leave out --dry-run to train\n"
    assert files(folder) == before


def test_a_dry_run_as_a_document(cli, folder):
    code, out, err = cli("run", "tiny.yaml", "--dry-run", "--json", "--jobs", "2")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert document.pop("seconds") > 0
    assert document.pop("bytes") > 2**20
    assert document.pop("run").startswith("outputs/tiny-")
    assert document == {
        "runs": 4,
        "trials": 0,
        "done": 0,
        "stacks": len(plan(tiny(), 2)),
        "jobs": 2,
        "labels": ["sgdm", "adam"],
    }
    assert cli("run", "tiny.yaml", "--dry-run", "--quiet") == (0, "", "")
    assert not (folder / "outputs").exists()


def test_a_dry_run_of_a_comparison(cli, folder):
    code, out, _ = cli("compare", "sgd", "adam", "--config", "tiny.yaml", "--dry-run", "--json")
    assert code == 0
    assert json.loads(out)["labels"] == ["sgd", "adam"]
    assert json.loads(cli("compare", "sgd", "--dry-run", "--json")[1])["runs"] == 20
    assert not (folder / "outputs").exists()


def test_a_dry_run_knows_what_is_done(cli):
    cli("run", "tiny.yaml", "--no-figures", "--quiet")
    done = json.loads(cli("run", "tiny.yaml", "--dry-run", "--json")[1])
    assert (done["runs"], done["done"], done["stacks"]) == (4, 4, 0)
    assert (done["seconds"], done["bytes"]) == (0, 0)
    assert "0, 4 are done already" in cli("run", "tiny.yaml", "--dry-run")[1]
    fresh = json.loads(cli("run", "tiny.yaml", "--dry-run", "--json", "--fresh")[1])
    assert fresh["done"] == 0


def test_estimates_grow_with_the_work():
    one = estimate(tiny("train.seeds=1"), 1)
    assert estimate(tiny("train.seeds=1", "train.epochs=6"), 1).seconds == pytest.approx(
        2 * one.seconds
    )
    many = estimate(tiny("train.seeds=16"), 1)
    assert one.seconds < many.seconds < 16 * one.seconds  # stacked runs share calls
    for more in ("model.hidden=[64]", "dataset.test_samples=3000", "model.activation=gelu"):
        larger = estimate(tiny("train.seeds=1", more), 1)
        assert larger.seconds > 1.05 * one.seconds, more
    big = ["model.hidden=[500]", "train.batch_size=60"]
    single = estimate(tiny(*big, "train.dtype=float32"), 1)
    assert single.seconds < 0.8 * estimate(tiny(*big), 1).seconds
    assert single.bytes < estimate(tiny(*big), 1).bytes


def test_estimates_know_processes_and_traces():
    runs = tiny("train.seeds=64", "train.epochs=1000")
    one, two = estimate(runs, 1), estimate(runs, 2)
    assert 0.5 < (two.seconds - 0.4) / one.seconds < 0.6
    assert one.bytes < two.bytes < 2 * one.bytes
    untraced = estimate(tiny("train.seeds=64", "train.epochs=1000", "trace.params=[]"), 1)
    assert untraced.bytes < one.bytes - 2 * 4000 * 8 * 8  # two labels, eight series


@pytest.mark.skipif(sys.platform != "linux", reason="reads the peak from Linux's /proc")
def test_the_memory_of_a_training_is_about_what_is_estimated():
    big = ["dataset.samples=5000", "train.batch_size=5000", "model.hidden=[128, 128]"]
    sets = [*big, "train.epochs=1", "train.seeds=4"]
    code = (
        "import pathlib, re, sys; from adamcli import config, runner\n"
        "runs = config.load(pathlib.Path('tiny.yaml'), sys.argv[1:]).runs\n"
        "list(runner.train_runs(runs, jobs=1))\n"
        # Not getrusage, whose peak a child inherits from the process that it was forked from.
        "status = pathlib.Path('/proc/self/status').read_text()\n"
        "print(int(re.search(r'VmHWM:\\s*(\\d+)', status)[1]) * 1024)"
    )
    used = int(subprocess.check_output([sys.executable, "-c", code, *sets], env=environment()))
    assert 0.5 < estimate(tiny(*sets), 1).bytes / used < 2


def environment():
    return {**os.environ, "PYTHONPATH": str(ROOT), "OPENBLAS_NUM_THREADS": "1"}


def limited():
    """At most 1 GiB of address space; the processor time ends what would never end."""
    resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))
    resource.setrlimit(resource.RLIMIT_CPU, (10, 10))


AXES = ", ".join(
    f"adam.{key}: {{log: [1e-5, 0.9], n: 1000}}" for key in ("lr", "eps", "eps_root", "beta2")
)


@pytest.mark.parametrize(
    ("sets", "words"),
    [
        ([f"sweep={{{AXES}}}"], r"20000000000\d\d runs would take about .* years of one core and "),
        (["sweep.adam.lr={log: [1e-5, 1], n: 1000000000000}"], "expected an integer with 2 <= x"),
        (
            [
                "sweep={adam.lr: {log: [1e-4, 1], n: 999}, adam.eps: {log: [1e-9, 1], n: 499}}",
                "model.hidden=[1024, 1024]",
            ],
            r"997004 runs would take about .* and .* TiB of memory, .*stay below 64 GiB",
        ),
        (["train.epochs=1e6", "train.batch_size=1", "dataset.samples=300"],
         "4 runs would take about .* GiB of memory"),
        (["dataset.samples=1e7", "dataset.test_samples=1e7", "train.seeds=1e5",
          "model.hidden=[4096, 4096, 4096, 4096]"], "TiB of memory"),
        (["model.hidden=[" + "4096, " * 2000 + "1]"], "TiB of memory"),
        (["train.seeds=1e6"], "2000000 runs would take"),
    ],
)  # fmt: skip
@pytest.mark.skipif(sys.platform != "linux", reason="limits of Linux")
def test_impossible_sizes_are_refused_with_an_estimate_before_anything_is_allocated(sets, words):
    options = [part for text in sets for part in ("--set", text)]
    command = [sys.executable, "-m", "adamcli", "run", "tiny.yaml", *options]
    for dry in ([], ["--dry-run"]):
        done = subprocess.run(
            [*command, *dry],
            env=environment(),
            preexec_fn=limited,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2, done.stderr
        assert done.stdout == ""
        assert re.search(words, done.stderr), done.stderr
    assert not Path("outputs").exists()


def test_a_long_sweep_is_planned():
    runs = tiny("sweep.adam.lr={log: [1e-4, 1], n: 2000}", "train.seeds=5")
    assert estimate(runs).runs == 10_005


def test_sizes_and_durations_in_words():
    assert [size(2**20 * n) for n in (0.5, 61.4, 2500, 3e6)] == [
        "0.5 MiB",
        "61.4 MiB",
        "2.4 GiB",
        "2.86 TiB",
    ]
    assert duration(3e9) == "95.1 years"
