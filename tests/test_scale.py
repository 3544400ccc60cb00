"""Experiments of very many labels or seeds: what is still told, and that it is the same."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from histories import ended

from adamcli import figures, stats, store
from adamcli.seeding import generator
from adamcli.stats import paired
from adamcli.stats.bootstrap import bca_interval, bootstrap_interval, iqm_interval
from adamcli.stats.means import mean_interval

OUTPUTS = Path("outputs")
CROWD = """\
problem: {name: rosenbrock}
train: {epochs: 2, seeds: 6}
optimizers: [{name: adam}]
sweep: {adam.lr: {log: [1.0e-4, 1.0], n: 120}}
trace: {params: []}
"""


def stream() -> np.random.Generator:
    return generator(0, "bootstrap")


@pytest.mark.parametrize(("n", "samples"), [(2, 3), (3, 3), (7, 300), (20, 3), (33, 3), (250, 3)])
def test_intervals_of_the_iqm_have_the_bits_of_the_plain_bootstrap(n, samples) -> None:
    values = np.random.default_rng(n).lognormal(size=(samples, n))
    values[1, 0] = np.inf
    plain = bootstrap_interval(values, stats.iqm, stream(), 1000)
    np.testing.assert_array_equal(iqm_interval(values, stream(), 1000), plain)


def test_without_resamples_a_summary_has_all_but_its_intervals() -> None:
    runs = ended("a", dict(enumerate([3.0, 1.0, 2.0, np.inf])))
    (whole,), (lean,) = stats.summarize(runs), stats.summarize(runs, resamples=0)
    for score, spread in whole.final.items():
        others = lean.final[score]
        assert np.isnan([others.low, others.high]).all()
        assert (spread.median, spread.iqm, spread.min, spread.max) == (
            *(others.median, others.iqm),
            *(others.min, others.max),
        )


def test_labels_of_different_sizes_keep_their_own_spreads() -> None:
    sizes = {"a": 3, "b": 5, "c": 3}
    runs = [
        run
        for k, (label, size) in enumerate(sizes.items())
        for run in ended(label, {seed: 10.0 * k + seed for seed in range(size)})
    ]
    together = stats.summarize(runs)
    alone = [each for label in sizes for each in stats.summarize(_of(runs, label))]
    assert together == alone


def _of(runs, label):
    return [run for run in runs if run.label == label]


@pytest.mark.parametrize("n", [2, 3, 20, 150])
def test_intervals_of_means_are_those_of_bca(n) -> None:
    values = np.random.default_rng(1).lognormal(size=(4, n))
    plain = bca_interval([values], stats.mean, stream(), 2000)
    np.testing.assert_allclose(mean_interval(values, stream(), 2000), plain, rtol=1e-11)


@pytest.mark.parametrize("n", [7, 300])
def test_intervals_of_means_do_not_depend_on_their_company(n) -> None:
    values = np.random.default_rng(2).normal(size=(9, n))
    together = np.array(mean_interval(values, stream(), 500))
    alone = [mean_interval(row[None, ::-1], stream(), 500) for row in values]
    np.testing.assert_array_equal(together, np.array(alone)[..., 0].T)


def test_intervals_of_means_bear_zeros_and_huge_numbers() -> None:
    values = np.stack([np.zeros(120), np.full(120, 1e308), np.full(120, 5e-324)])
    low, high = mean_interval(values, stream(), 200)
    np.testing.assert_allclose(low, [0.0, 1e308, 0.0], atol=1e-300)
    np.testing.assert_array_equal(low, high)


def test_flips_of_many_pairs_are_drawn_as_at_once() -> None:
    differences = np.random.default_rng(3).normal(0.05, 1, size=(2, 300))
    flipped = generator(0, "sign flips").integers(2, size=(300, 999), dtype=bool).astype(float)
    sizes = np.sort(np.abs(differences), axis=-1)
    sums = sizes.sum(axis=-1, keepdims=True) - 2 * sizes @ flipped
    extreme = (np.abs(sums) >= np.abs(differences.sum(axis=-1, keepdims=True))).sum(axis=-1)
    p = stats.sign_flip(differences, generator(0, "sign flips"), flips=999)
    np.testing.assert_array_equal(p, (1 + extreme) / 1000)


def test_among_more_pairs_than_the_most_no_number_of_seeds_gives_a_win() -> None:
    smallest = [paired.smallest_p(n) for n in range(1, 100)]
    assert min(smallest) * stats.MOST_PAIRS < stats.ALPHA
    assert min(smallest) * (stats.MOST_PAIRS + 1) >= stats.ALPHA


def test_a_cell_of_too_many_labels_is_a_crowd_and_the_others_keep_their_verdicts() -> None:
    crowd = [run for k in range(58) for run in ended(f"a{k}", {0: 1.0}, cell="noise=0.1")]
    pair = [run for label in "bc" for run in ended(label, {0: 1.0}, cell="noise=0.2")]
    found = stats.verdicts([*crowd, *pair], [], resamples=10)
    assert [(verdict.a, verdict.b) for verdict in found] == [("b", "c")]
    assert stats.crowds([*crowd, *pair]) == [stats.Crowd("noise=0.1", 58, 1653)]
    assert stats.crowds([*crowd[:57], *pair]) == []


def test_too_many_optimizers_on_several_problems_have_scores_but_no_contrasts() -> None:
    start = {"train_loss": 9.0, "test_loss": 9.0}
    runs = [
        replace(run, initial=start)
        for cell in ("p", "q")
        for k in range(58)
        for run in ended(f"a{k} {cell}", {0: 1.0 + k, 1: 2.0}, cell=cell)
    ]
    places = {run.label: stats.Place("surface", run.label.split(" ")[0]) for run in runs}
    (found,) = stats.aggregates(runs, places)
    assert (len(found.standings), found.contrasts) == (58, ())
    few = [run for run in runs if run.label.split(" ")[0] in ("a0", "a1", "a2")]
    assert len(stats.aggregates(few, places)[0].contrasts) == 3


@pytest.fixture
def crowd(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "crowd.yaml").write_text(CROWD)
    assert cli("run", "crowd.yaml", "--no-figures", "--quiet", "--jobs", "1")[0] == 0
    return cli


def test_of_too_many_labels_the_best_are_shown_and_nothing_is_judged(crowd) -> None:
    code, out, _ = crowd("show")
    words = " ".join(out.split())
    assert code == 0
    assert "The best 100 of 120 labels, all are in summary.csv." in words
    assert "no verdict: 120 labels make 7140 pairs" in words
    result = store.find(None, OUTPUTS).load()
    medians = {s.label: s.final["train_loss"].median for s in stats.summarize(result.histories)}
    ranked = sorted(medians, key=medians.__getitem__)
    lines = {line.split("  ")[0].strip() for line in out.splitlines()}
    assert {*ranked[:100]} <= lines
    assert not {*ranked[100:]} & lines
    document = json.loads(crowd("show", "--json")[1])
    assert document["verdicts"] == []
    assert document["crowds"] == [{"cell": "", "labels": 120, "pairs": 7140}]
    assert len(document["results"]) == 720


def test_learning_rates_of_one_optimizer_have_no_figure_of_their_seeds(crowd) -> None:
    plans, notes = figures.plan(store.find(None, OUTPUTS).load())
    assert "seeds" not in [plan.name for plan in plans]
    assert "seeds: none of 120 labels, all are learning rates of one optimizer" in notes
