"""Sensitivity to the learning rate: the curve, its good range, what is printed and drawn."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest

from adamcli import config, figures, stats, store
from adamcli.stats import good_range

SWEPT = """
name: swept
dataset: {name: moons, samples: 60, test_samples: 30}
model: {hidden: [6]}
train: {epochs: 3, batch_size: 16, seeds: 3}
optimizers: [{name: sgdm}, {name: adam}, {name: adam, label: fixed, lr: 0.01}]
trace: {params: []}
sweep:
  sgdm.lr: {log: [0.001, 1.0], n: 5}
  adam.lr: {log: [0.001, 0.1], n: 4}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "swept.yaml").write_text(SWEPT)
    return tmp_path


def swept(*sets):
    return config.load(Path("swept.yaml"), sets)


def saved():
    return store.find(None, Path("outputs")).load()


def test_the_ends_of_the_good_range_are_interpolated_in_logarithms():
    lr = np.array([1e-4, 1e-3, 1e-2, 1e-1])
    found = good_range(lr, np.array([100.0, 1.0, 16.0, 1e4]))
    # ln 4 is ln 4 / ln 100 of the way down and half the way up.
    low = 10 ** (-3 - math.log(4) / math.log(100))
    np.testing.assert_allclose([found.low, found.high], [low, 10**-2.5])
    assert (found.open_low, found.open_high) == (False, False)
    assert found.decades == pytest.approx(math.log10(found.high / found.low))


def test_the_good_range_ends_where_a_loss_is_bad_though_a_farther_one_is_good():
    found = good_range(np.array([1.0, 10.0, 100.0]), np.array([1.0, 50.0, 1.5]))
    assert (found.low, found.open_low) == (1.0, True)
    assert 1 < found.high < 10
    assert not found.open_high


def test_a_grid_that_ends_in_the_good_range_says_so():
    found = good_range(np.array([1.0, 10.0, 100.0]), np.array([9.0, 2.0, 1.0]))
    assert (found.high, found.open_low, found.open_high) == (100.0, False, True)


def test_the_good_range_stops_before_a_learning_rate_at_which_training_fails():
    found = good_range(np.array([1.0, 10.0, 100.0]), np.array([2.0, 1.0, np.inf]))
    assert (found.low, found.high) == (1.0, 10.0)
    assert (found.open_low, found.open_high) == (True, False)


def test_nothing_is_good_where_all_fail():
    found = good_range(np.array([1.0, 10.0]), np.full(2, np.inf))
    assert math.isnan(found.low)
    assert math.isnan(found.decades)


def test_losses_below_zero_are_near_by_their_difference():
    found = good_range(np.array([1.0, 10.0, 100.0, 1000.0]), np.array([-10.0, -9.8, -9.0, 10.0]))
    assert (found.low, found.open_low) == (1.0, True)
    assert 10 < found.high < 1000
    assert found.high == pytest.approx(100.0)


def test_labels_with_many_learning_rates_are_points_of_a_curve():
    rates = swept().rates
    assert {rate.curve for rate in rates.values()} == {"sgdm", "adam"}
    assert "fixed" not in rates
    assert sorted(rate.lr for rate in rates.values() if rate.curve == "adam")[0] == 0.001
    assert not swept("sweep={adam.lr: [0.1, 0.2, 0.3]}").rates


def test_other_swept_settings_make_curves_of_their_own():
    rates = swept("sweep.adam.beta1=[0.5, 0.9]").rates
    curves = [rate.curve for rate in rates.values()]
    assert [curves.count(name) for name in ("adam beta1=0.5", "adam beta1=0.9")] == [4, 4]


def test_a_curve_has_the_numbers_of_the_summaries_and_counts_who_stopped(cli):
    assert cli("run", "swept.yaml", "--set", "sgdm.weight_decay=1e150", "--json")[0] == 0
    result = saved()
    curves = {c.curve: c for c in stats.sensitivities(result.histories, result.experiment.rates)}
    summaries = {each.label: each for each in stats.summarize(result.histories)}
    for label, rate in result.experiment.rates.items():
        curve, summary = curves[rate.curve], summaries[label]
        place = curve.lr.tolist().index(rate.lr)
        assert curve.iqm[place] == summary.final["test_loss"].iqm
        assert curve.stopped[place] == 1 - summary.finished / summary.n
    assert curves["sgdm"].stopped[-1] == 1
    assert curves["adam"].stopped.max() == 0


def test_run_prints_and_draws_the_curves(cli):
    code, out, _ = cli("run", "swept.yaml")
    assert code == 0
    assert "good range of lr" in out
    assert "Good: at most 4 times the lowest loss" in out
    result = saved()
    assert "sensitivity.png" in [path.name for path in result.figures]
    (plan,) = [each for each in figures.plan(result)[0] if each.name == "sensitivity"]
    upper, lower = plan.draw().axes
    for curve in stats.sensitivities(result.histories, result.experiment.rates):
        lines = [line for line in upper.lines if [*line.get_xdata()] == curve.lr.tolist()]
        assert lines[0].get_ydata().tolist() == curve.iqm.tolist()
        assert [curve.lr.tolist(), curve.stopped.tolist()] in [
            [[*line.get_xdata()], [*line.get_ydata()]] for line in lower.lines
        ]
    document = json.loads(cli("show", "--json")[1])["sensitivity"]
    assert [each["curve"] for each in document] == ["sgdm", "adam"]
    assert len(document[0]["lr"]) == len(document[0]["stopped"]) == 5


def test_of_too_many_labels_the_best_of_each_curve_are_drawn(cli):
    wide = "sweep={sgdm.lr: {log: [0.001, 1.0], n: 9}, adam.lr: {log: [0.001, 0.1], n: 9}}"
    _, _, err = cli("run", "swept.yaml", "--set", wide)
    assert "curves: the best 3 of 19 labels, the others are left out" in err
    result = saved()
    (plan,) = [each for each in figures.plan(result)[0] if each.name == "curves"]
    (legend,) = plan.draw().legends
    named = [text.get_text() for text in legend.get_texts()]
    best = {
        curve.curve: f"{curve.curve} lr={curve.lr[curve.best]:.3g}"
        for curve in stats.sensitivities(result.histories, result.experiment.rates)
    }
    assert [name.split(" lr=")[0] for name in named] == ["sgdm", "adam", "fixed"]
    assert len({*named} & {*best.values()}) >= 1
