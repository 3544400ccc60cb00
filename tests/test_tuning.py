"""Tuning: equal trials, on other seeds and other points, and what is said of its result."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from stacks import rule, snapshots, task

from adamcli import config, stats
from adamcli.errors import ConfigError, ConfigErrors
from adamcli.optimizers import RULES
from adamcli.stats import Candidates, Inclusion, Searched

TINY = """
name: tiny
dataset: {name: moons, samples: 60, test_samples: 30}
model: {hidden: [6]}
train: {epochs: 3, batch_size: 16, seeds: 6}
tune: {trials: 4, seeds: 3}
optimizers: [{name: sgdm, lr: 0.05}, {name: adam, lr: 0.01}]
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)
    return tmp_path


def tiny(*sets):
    return config.load(Path("tiny.yaml"), sets)


def only(path):
    (found,) = [each for each in path.iterdir() if each.is_dir() and not each.is_symlink()]
    return found


def test_every_optimizer_has_the_same_number_of_trials_of_other_seeds_and_points():
    tuning = tiny().tuning
    runs = tuning.trials.runs
    assert len(runs) == 2 * 4 * 3
    assert [len(each.trials) for each in tuning.candidates] == [4, 4]
    assert {run.seed for run in runs} == {1_000_000, 1_000_001, 1_000_002}
    assert {run.task.held_out for run in runs} == {"validation"}
    assert all("test_loss" not in run.task.metrics for run in runs)
    assert {run.task.held_out for run in tiny().runs} == {"test"}


@pytest.mark.parametrize(
    ("trials", "tuned"),
    [
        (1, ["lr"]),
        (9, ["lr"]),
        (10, ["lr", "beta1"]),
        (24, ["lr", "beta1"]),
        (25, ["lr", "beta1", "eps"]),
        (50, ["lr", "beta1", "beta2", "eps"]),
    ],
)
def test_a_larger_budget_tunes_more(trials, tuned):
    candidates = tiny(f"tune.trials={trials}").tuning.candidates
    assert sorted(candidates[1].space) == sorted(tuned)


def test_trials_lie_in_the_range_that_the_rule_publishes_and_more_of_them_keep_the_first():
    few, many = (tiny(f"tune.trials={n}").tuning.candidates[1].space["lr"] for n in (4, 9))
    assert many.values[:4] == few.values
    assert (few.low, few.high, few.scale) == (1e-4, 1e-1, "log")
    assert all(few.low <= value <= few.high for value in many.values)
    shares = np.log(np.array(many.values) / many.low) / np.log(many.high / many.low)
    np.testing.assert_allclose(shares, many.shares)


def test_a_range_of_the_file_stands_instead_of_the_published_one_or_beside_it():
    sets = ["tune.space={adam.lr: {log: [0.01, 0.02]}, adam.beta2: {log1m: [0.9, 0.99]}}"]
    sgdm, adam = tiny(*sets).tuning.candidates
    assert [*sgdm.space] == ["lr"]
    assert {key: (each.low, each.high) for key, each in adam.space.items()} == {
        "lr": (0.01, 0.02),
        "beta2": (0.9, 0.99),
    }


def test_the_best_trial_trains_the_runs_that_report(cli):
    code, out, _ = cli("run", "tiny.yaml", "--json", "--no-figures")
    assert code == 0
    told = json.loads(out)["tuning"]
    directory = only(Path("outputs"))
    trials = json.loads((directory / "trials" / "summary.json").read_text())
    for each in told:
        scores = {
            summary["label"]: summary["final"]["validation_loss"]["median"]
            for summary in trials
            if summary["label"].startswith(each["label"])
        }
        assert [trial["score"] for trial in each["trials"]] == [*scores.values()]
        assert each["score"] == min(scores.values())
        best = tiny(
            *(f"{each['label']}.{key}={v}" for key, v in each["chosen"].items()), "tune=null"
        )
        expected = {run.rule for run in best.runs if run.base == each["label"]}
        saved = load(directory)
        assert {run.rule for run in saved.experiment.runs if run.base == each["label"]} == expected


def load(path):
    from adamcli import store

    return store.RunDirectory(path).load()


def test_a_second_run_trains_nothing_and_the_saved_experiment_is_the_same(cli, monkeypatch):
    cli("run", "tiny.yaml", "--quiet", "--no-figures")
    directory = only(Path("outputs"))
    monkeypatch.setattr("adamcli.cli.session.train_runs", None)
    code, out, _ = cli("run", directory / "config.yaml", "--json", "--no-figures")
    assert code == 0
    assert json.loads(out)["run"].endswith(directory.name)
    code, out, _ = cli("show", directory.name)
    assert code == 0
    assert "4 trials for each optimizer, chosen by the median validation loss over 3 seeds" in out


def test_damaged_trials_are_refused(cli):
    cli("run", "tiny.yaml", "--quiet", "--no-figures")
    metrics = only(Path("outputs")) / "trials" / "metrics.csv"
    metrics.write_bytes(metrics.read_bytes().replace(b"1", b"2"))
    code, _, err = cli("show")
    assert code == 6
    assert "trials" in err


def test_compare_tunes_on_request(cli):
    command = ("compare", "adam", "--config", "tiny.yaml", "--no-figures", "--json")
    code, out, _ = cli(*command, "--tune", "2")
    assert code == 0
    (told,) = json.loads(out)["tuning"]
    assert (told["label"], len(told["trials"]), told["seeds"]) == ("adam", 2, 3)


def test_compare_leaves_out_the_ranges_of_optimizers_that_are_left_out():
    sets = "tune: {trials: 2, space: {sgdm.lr: {log: [1, 2]}, adam.lr: {log: [3, 4]}}}"
    Path("tiny.yaml").write_text(TINY.replace("tune: {trials: 4, seeds: 3}", sets))
    experiment = config.load(Path("tiny.yaml"), optimizers=["adam"])
    (candidates,) = experiment.tuning.candidates
    assert candidates.space["lr"].low == 3


def test_a_dry_run_counts_the_trials(cli):
    code, out, _ = cli("run", "tiny.yaml", "--dry-run", "--json")
    assert code == 0
    assert (json.loads(out)["trials"], json.loads(out)["runs"]) == (24, 36)


def test_each_problem_of_a_suite_is_tuned_by_itself(cli):
    Path("suite.yaml").write_text(
        "problems:\n"
        "  - {label: moons, dataset: {name: moons, samples: 60, test_samples: 30}}\n"
        "  - {label: bowl, problem: {name: quadratic}}\n"
        "train: {epochs: 2, batch_size: 16, seeds: 6}\n"
        "tune: {trials: 3}\n"
        "optimizers: [{name: sgdm}, {name: adam}]\n"
    )
    code, out, _ = cli("run", "suite.yaml", "--json", "--no-figures")
    assert code == 0
    metrics = {(each["cell"], each["metric"]) for each in json.loads(out)["tuning"]}
    assert metrics == {("moons", "validation_loss"), ("bowl", "train_loss")}


@pytest.mark.parametrize(
    ("sets", "message"),
    [
        (["tune.seeds=2"], "a count of seeds out of range"),
        (["tune.seeds=[7, 8]"], "2 seeds are too few"),
        (["tune.seeds=[1, 7, 8]"], "seed 1 both tunes and reports"),
        (["tune.space={adam.lrr: {log: [1, 2]}}"], "did you mean 'lr'"),
        (["tune.space={adam.lr: {log: [2, 1]}}"], "the low end 2 is not below"),
        (["tune.space={dataset.noise: {log: [1, 2]}}"], "'dataset.noise' is not tuned"),
        (["sweep.adam.lr=[0.1, 0.2]"], "'adam.lr' is swept, and optimizers are tuned"),
        (["dataset.test_samples=0"], "there are none"),
        (["adam.lr=0.1"], "'lr' is tuned"),
        (["tune.trails=3"], "did you mean 'trials'"),
        (["tune.seeds=1000000"], "8000000 runs would tune; 1000000 are allowed"),
    ],
)
def test_what_cannot_be_tuned_is_refused(sets, message):
    with pytest.raises((ConfigError, ConfigErrors), match=message):
        tiny(*sets)


def test_two_mistakes_in_a_space_are_told_at_once():
    with pytest.raises(ConfigErrors) as caught:
        tiny("tune.space={adam.lr: {log: [2, 1]}, sgdm.lr: {log1m: [0.5, 1.5]}}")
    assert len(caught.value.mistakes) == 2


def test_best_so_far_is_what_all_orders_of_the_trials_give():
    scores = [3.0, 1.0, 4.0, 1.5, np.inf]
    orders = np.array([*itertools.permutations(scores)])
    best = np.minimum.accumulate(orders, axis=1)
    budget = stats.best_so_far(scores)
    for share, found in ((0.5, budget.median), (0.05, budget.low), (0.95, budget.high)):
        expected = np.quantile(best, share, axis=0, method="inverted_cdf")
        np.testing.assert_array_equal(found, expected)


def history(label, seed, loss, status="finished"):
    return SimpleNamespace(
        label=label,
        cell="",
        seed=seed,
        status=status,
        metrics={"validation_loss": np.array([loss])},
        final=lambda metric: loss if status == "finished" else float("nan"),
    )


def outcome(losses, shares, stopped=()):
    labels = tuple(f"t{i}" for i in range(len(losses)))
    searched = Searched(0.0, 1.0, "linear", tuple(shares), tuple(shares))
    runs = [
        history(label, seed, loss + seed, "diverged" if (i, seed) in stopped else "finished")
        for i, (label, loss) in enumerate(zip(labels, losses, strict=True))
        for seed in range(3)
    ]
    (found,) = stats.tuned(runs, [Candidates("", "adam", {"lr": searched}, labels)])
    return found


def test_the_lowest_median_is_chosen_and_the_first_of_equals():
    assert outcome([5, 2, 3, 2], [0.2, 0.4, 0.6, 0.8]).chosen == 1


def test_a_trial_that_mostly_diverges_is_never_chosen():
    found = outcome([5, 1, 7], [0.2, 0.5, 0.8], stopped={(1, 0), (1, 1)})
    assert found.chosen == 0
    assert found.trials[1].score == np.inf
    assert [trial.stopped for trial in found.trials] == [0, 2, 0]


@pytest.mark.parametrize(
    ("losses", "edge"),
    [
        ([1, 2, 3, 4, 5], "low"),
        ([2, 1, 3, 4, 5], ""),
        ([5, 4, 2, 1, 3], ""),
        ([5, 4, 3, 2, 1], "high"),
    ],
)
def test_the_best_beyond_which_nothing_was_tried_is_at_an_edge(losses, edge):
    found = outcome(losses, [0.1, 0.3, 0.5, 0.7, 0.9])
    assert found.edges.get("lr", "") == edge


def test_within_a_twentieth_of_the_end_is_an_edge_too():
    assert outcome([3, 1, 2], [0.01, 0.04, 0.5]).edges == {"lr": "low"}
    assert outcome([3, 1, 2], [0.01, 0.06, 0.5]).edges == {}


def test_losing_to_what_one_contains_is_told():
    verdict = SimpleNamespace(
        cell="", a="adam", b="sgdm", metric="test_loss", verdict=stats.B_BETTER
    )
    inclusions = {("adam", "sgdm"): "a large eps"}
    assert stats.audited([verdict], inclusions) == [
        Inclusion("", "adam", "sgdm", "a large eps"),
    ]
    verdict.verdict = stats.A_BETTER
    assert stats.audited([verdict], inclusions) == []
    verdict.verdict, verdict.metric = stats.B_BETTER, "steps to test_accuracy 0.9"
    assert stats.audited([verdict], inclusions) == []


# For every rule that contains another: with which settings, and at which lr for the other's 1.
SPECIAL = {
    ("sgdm", "sgd"): ({"momentum": 0.0}, {}, 1.0),
    ("nesterov", "sgd"): ({"momentum": 0.0}, {}, 1.0),
    ("signum", "signsgd"): ({"momentum": 0.0}, {}, 1.0),
    ("adamw", "adam"): ({"weight_decay": 0.0}, {}, 1.0),
    ("adam", "rmsprop"): ({"beta1": 0.0, "bias_correction": False}, {}, 1.0),
    ("adam", "sgdm"): ({"eps": 1e9, "bias_correction": False}, {"momentum": 0.9}, 1e10),
    ("rmsprop", "sgd"): ({"eps": 1e9}, {}, 1e9),
    ("rmsprop", "sgdm"): ({"eps": 1e9, "momentum": 0.9}, {"momentum": 0.9}, 1e9),
}


def test_every_inclusion_that_a_rule_names_is_tested():
    named = {(name, other) for name, r in RULES.items() for other in getattr(r, "contains", {})}
    assert named == {*SPECIAL}


@pytest.mark.parametrize(("name", "other"), SPECIAL)
def test_a_rule_is_the_one_that_it_contains(name, other):
    special, settings, factor = SPECIAL[name, other]
    rules = [rule(name, lr=0.01 * factor, **special), rule(other, lr=0.01, **settings)]
    mine, theirs = (snapshots([task(epochs=2)], [each])[-1].params for each in rules)
    np.testing.assert_allclose(mine, theirs, rtol=1e-7, atol=1e-9)


def test_the_figure_has_every_trial_and_the_chosen_one_ringed(cli):
    cli("run", "tiny.yaml", "--quiet", "--set", "tune.space={sgdm.lr: {log: [0.01, 1e6]}}")
    from adamcli import figures

    result = load(only(Path("outputs")))
    assert "tuning.png" in [path.name for path in result.figures]
    (plan,) = [each for each in figures.plan(result)[0] if each.name == "tuning"]
    left, right = plan.draw().axes
    points = np.concatenate([line.get_xydata() for line in left.lines if len(line.get_xdata()) < 9])
    for each in result.experiment.tuning.outcomes:
        assert {*each.space["lr"].values} <= {*points[:, 0]}
        assert [each.space["lr"].values[each.chosen], each.best.score] in points.tolist()
    lines = [line for line in right.lines if line.get_linestyle() != "None"]
    budgets = [each.budget.median.tolist() for each in result.experiment.tuning.outcomes]
    assert [line.get_ydata().tolist() for line in lines] == budgets
