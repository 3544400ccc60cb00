"""One hash of all numbers: the same however they came about, another when any of them changes."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, needs_dask

from adamcli import config, store
from adamcli.history import Failure
from adamcli.runner import train_runs
from adamcli.store import faults
from adamcli.store.digest import result_hash

# Products of this size come out with other bits on two BLAS threads than on one.
CONFIG = """
name: tiny
dataset: {name: moons, samples: 128, test_samples: 32}
model: {hidden: [64, 64]}
train: {epochs: 2, batch_size: 128, seeds: 3, dtype: float32}
optimizers: [{name: adam}, {name: sgd, lr: 1.0e+30}, {name: muon}]
trace: {params: ["W1[0,0]"], layers: true}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "tiny.yaml").write_text(CONFIG)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def hash_of(cli):
    def hash_of(*options):
        assert cli("run", "tiny.yaml", "--no-figures", "--quiet", *options)[0] == 0
        return shown(cli)

    return hash_of


def shown(cli):
    code, out, _ = cli("show", "tiny", "--hash")
    assert code == 0
    return out.strip()


@pytest.fixture(scope="module")
def histories(tmp_path_factory):
    path = tmp_path_factory.mktemp("hash") / "tiny.yaml"
    path.write_text(CONFIG)
    *_, last = train_runs(config.load(path).runs)
    return last.finished


def in_order(histories):
    experiment = [(label, seed) for label in ("adam", "sgd", "muon") for seed in range(3)]
    return sorted(histories, key=lambda history: experiment.index(history.key))


def test_the_hash_is_one_line_or_one_document(cli, hash_of):
    digest = hash_of()
    assert cli("show", "--hash") == (0, f"{digest}\n", "")
    assert cli("show", "--hash", "--json") == (0, f'{{\n  "hash": "{digest}"\n}}\n', "")


def test_what_is_saved_has_the_hash_of_what_was_trained(hash_of, histories):
    assert hash_of() == result_hash(in_order(histories))


@pytest.mark.parametrize("rows", [1, 2, 8, 64])
def test_the_hash_does_not_depend_on_the_size_of_stacks(rows, hash_of, histories, monkeypatch):
    monkeypatch.setattr("adamcli.runner.planning._BLOCK_ROWS", rows)
    assert hash_of() == result_hash(in_order(histories))


@pytest.mark.parametrize(
    ("threads", "jobs", "seed", "locale"),
    [(1, 3, "0", "C"), (2, 1, "1", "C.UTF-8"), (3, 2, "random", "tr_TR.UTF-8"), (4, 1, "7", "")],
)
def test_the_hash_does_not_depend_on_its_surroundings(
    threads, jobs, seed, locale, histories, cli, folder
):
    elsewhere = folder / f"elsewhere {threads}"
    elsewhere.mkdir()
    names = ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS")
    surroundings = {
        **os.environ,
        **dict.fromkeys(names, str(threads)),
        "PYTHONHASHSEED": seed,
        "LC_ALL": locale,
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "adamcli", "run", "../tiny.yaml", "--out", "../outputs"]
    subprocess.run(
        [*command, "--no-figures", "--quiet", "--jobs", str(jobs)],
        cwd=elsewhere,
        env=surroundings,
        check=True,
    )
    assert shown(cli) == result_hash(in_order(histories))


@needs_dask
def test_the_hash_does_not_depend_on_a_cluster(hash_of, histories):
    assert hash_of("--engine", "dask", "--jobs", "2") == result_hash(in_order(histories))


@pytest.mark.parametrize("kept", [1, 4, 8])
def test_the_hash_does_not_depend_on_interruptions(kept, cli, hash_of, histories, monkeypatch):
    monkeypatch.setattr("adamcli.runner.planning._BLOCK_ROWS", 1)
    with monkeypatch.context() as patch:
        interrupt(patch, ".part", kept + 1)
        assert cli("run", "tiny.yaml", "--no-figures")[0] == 4
    code, digest, note = cli("show", "--hash")
    assert code == 0
    assert note == f"note: {9 - kept} of 9 runs are not trained yet\n"
    assert digest.strip() != hash_of() == result_hash(in_order(histories))


def test_parts_and_final_files_have_the_same_hash(cli, hash_of, histories, monkeypatch):
    with monkeypatch.context() as patch:
        interrupt(patch, "metrics.csv", 1)
        assert cli("run", "tiny.yaml", "--no-figures")[0] == 4
    assert cli("show", "--json")[1].count('"interrupted"') == 1
    assert shown(cli) == hash_of() == result_hash(in_order(histories))


def interrupt(monkeypatch, name, count):
    """Let the disk be full when a file whose name ends like this appears for the nth time."""
    fault = faults.Fault(f"ENOSPC:{count}:rename")

    def before(operation, path):
        if path.name.endswith(name):
            fault(operation, path)

    monkeypatch.setattr(faults, "before", before)


def test_trials_count_too(cli, folder):
    tuned = (CONFIG.replace("hidden: [64, 64]", "hidden: [4]") + "tune: {trials: 2}\n").replace(
        ", {name: sgd, lr: 1.0e+30}, {name: muon}", ""
    )
    (folder / "tiny.yaml").write_text(tuned)
    assert cli("run", "tiny.yaml", "--no-figures", "--quiet")[0] == 0
    (path,) = folder.glob("outputs/tiny-*/trials")
    histories = store.RunDirectory(path.parent).load().histories
    assert shown(cli) != result_hash(histories)
    tried = store.RunDirectory(path).load().histories
    assert shown(cli) == result_hash([*tried, *histories])


def ulp(values):
    changed = np.array(values)
    changed.flat[-1] = np.nextafter(changed.flat[-1], np.inf, dtype=changed.dtype)
    return changed


def nested(series):
    first = next(iter(series))
    inner = series[first]
    name = [*inner][-1]
    return {**series, first: {**inner, name: ulp(inner[name])}}


CHANGES = {
    "metric": lambda h: {"metrics": {**h.metrics, "test_loss": ulp(h.metrics["test_loss"])}},
    "initial": lambda h: {
        "initial": {**h.initial, "train_loss": float(ulp([h.initial["train_loss"]])[0])}
    },
    "param": lambda h: {"params": {**h.params, "b1": ulp(h.params["b1"])}},
    "trace": lambda h: {"traces": nested(h.traces)},
    "layer": lambda h: {"layers": nested(h.layers)},
    "epoch": lambda h: {"epochs": h.epochs + np.array([0, 1])},
    "step": lambda h: {"steps": h.steps + np.array([1, 0])},
    "divergence": lambda h: {"diverged_at": 1},
    "failure": lambda h: {"failure": Failure(1, "")},
    "seed": lambda h: {"seed": 99},
    "label": lambda h: {"label": "other"},
    "cell": lambda h: {"cell": "other"},
    "shape": lambda h: {"params": {**h.params, "W1": h.params["W1"].T}},
    "name": lambda h: {"params": {name.lower(): v for name, v in h.params.items()}},
}


@pytest.mark.parametrize("change", CHANGES)
def test_every_number_counts(change, histories):
    first, *others = in_order(histories)
    changed = replace(first, **CHANGES[change](first))
    assert result_hash([changed, *others]) != result_hash([first, *others])


def test_zeros_have_a_sign_and_runs_an_order(histories):
    first, second, *_ = in_order(histories)
    zeros = [replace(first, params={"b1": np.array([zero])}) for zero in (0.0, -0.0)]
    assert result_hash(zeros[:1]) != result_hash(zeros[1:])
    assert result_hash([first, second]) != result_hash([second, first])


def test_how_numbers_lie_in_memory_does_not_count(histories):
    (first, *_) = in_order(histories)
    number = np.array([[1.0, np.nan], [2.0, 3.0]])
    other_nan = (number.view(np.uint64) | np.isnan(number).astype(np.uint64) << 63).view(float)
    assert other_nan.tobytes() != number.tobytes()
    same = [number, np.asfortranarray(number), number.astype(">f8"), number.astype("f4"), other_nan]
    assert len({result_hash([replace(first, params={"W": values})]) for values in same}) == 1


def test_a_run_is_forgotten_when_the_next_is_hashed(hash_of):
    hash_of()
    result, _ = store.find("tiny", Path("outputs")).hashed()
    lazies = [(history.params, history.traces, history.layers) for history in result.histories]
    assert not [lazy for each in lazies for lazy in each if lazy.held]
