"""The article's own numbers, from `tests/data/article.json`.

They were recorded with the repaired program of the tutorial (NumPy, float64, seed 42); it
clips the sigmoid before the logarithm, which moves its losses by up to 3e-6 relative.
"""

from __future__ import annotations

import json

import numpy as np
import pytest
from benchmarks.plain import article
from conftest import ROOT

from adamcli import config
from adamcli.runner import train_runs

ARTICLE = json.loads((ROOT / "tests/data/article.json").read_text())
TOLERANCE = {"train_loss": 1e-5, "train_accuracy": 0, "grad_norm": 1e-9, "update_size": 1e-9}


@pytest.fixture(scope="module")
def histories():
    experiment = config.load(ROOT / "configs/article.yaml")
    *_, last = train_runs(experiment.runs, jobs=1)
    return {history.label: history for history in last.finished}


@pytest.mark.parametrize("metric", TOLERANCE)
@pytest.mark.parametrize("label", ARTICLE["optimizers"])
def test_every_epoch_agrees(histories, label, metric):
    expected = ARTICLE["optimizers"][label][metric]
    assert len(expected) == 70
    np.testing.assert_allclose(
        histories[label].metrics[metric], expected, rtol=TOLERANCE[metric], atol=0
    )


@pytest.mark.parametrize("series", ["m", "m_hat", "v", "v_hat", "effective_lr"])
def test_every_recorded_step_of_the_trace_agrees(histories, series):
    recorded = ARTICLE["trace_W1_0_0"]
    steps = np.array(recorded["step"])
    trace = histories["adam"].traces["W1[0,0]"][series]
    np.testing.assert_allclose(trace[steps - 1], recorded[series], rtol=1e-9, atol=0)


@pytest.mark.parametrize("label", ARTICLE["optimizers"])
def test_the_final_weights_agree(histories, label):
    total = histories[label].params["W2"].sum()
    assert total == pytest.approx(ARTICLE["optimizers"][label]["W2_sum_final"], rel=1e-9)


@pytest.mark.parametrize(
    "setting",
    [
        {"seed": 0, "epochs": 5},
        {"seed": 7, "noise": 0.6, "epochs": 4},
        {"seed": 1, "hidden": (16, 48), "epochs": 4},
        {"seed": 2, "hidden": (20,), "epochs": 4},
        {"seed": 3, "hidden": (12, 10, 8), "epochs": 4},
        {"seed": 4, "batch_size": 100, "samples": 1000, "epochs": 4},
        {"seed": 5, "batch_size": 37, "samples": 500, "epochs": 4},
        {"seed": 6, "batch_size": 1, "samples": 60, "epochs": 3},
        {"seed": 8, "batch_size": 300, "samples": 301, "epochs": 6},
    ],
    ids=str,
)
def test_other_settings_agree_with_an_independent_program(setting):
    """`tests/benchmarks/plain.py` shares no code with adamcli; it stands in for the article's."""
    keys = {"noise": "dataset.noise", "samples": "dataset.samples", "hidden": "model.hidden"}
    keys |= {"epochs": "train.epochs", "batch_size": "train.batch_size"}
    overrides = [
        f"{keys[k]}={list(v) if k == 'hidden' else v}" for k, v in setting.items() if k in keys
    ]
    overrides.append(f"train.seeds=[{setting['seed']}]")
    runs = config.load(ROOT / "configs/article.yaml", overrides).runs
    *_, last = train_runs(runs, jobs=1)
    for history in last.finished:
        metrics, series, params = article(**setting)[history.label]
        for name in TOLERANCE:
            np.testing.assert_allclose(
                history.metrics[name], metrics[name], rtol=1e-9, err_msg=name
            )
        for name, values in series.items():
            np.testing.assert_allclose(
                history.traces["W1[0,0]"][name], values, rtol=1e-9, atol=1e-15, err_msg=name
            )
        for name, values in params.items():
            np.testing.assert_allclose(history.params[name], values, rtol=1e-9, atol=1e-12)
