"""Claims: every verdict on made-up runs, claim files and their mistakes, the command."""

from __future__ import annotations

import itertools
import json
import math
import os
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from histories import ended, history

from adamcli import config, stats
from adamcli.errors import ConfigError, ConfigErrors, mistakes_in
from adamcli.history import Failure
from adamcli.stats import Hypothesis, Inclusion, Searched, Trial, Tuned, aspect_of, judged

RATIOS = [0.7, 0.75, 0.8, 0.85, 0.9, 0.72, 0.78, 0.82, 0.88, 0.8]


def lower(a="adam", *baselines, metric="test_loss", margin=1.0, **kwargs):
    """The hypothesis that a has less of a metric than every baseline."""
    aspect = aspect_of(metric)
    return Hypothesis(a, baselines or ("sgdm",), aspect, aspect.better or "less", margin, **kwargs)


def losses(label, ratios, cell=""):
    """A run per seed whose test loss is a ratio times what is hard about the seed."""
    name = f"{label} {cell}".strip()
    return ended(name, {seed: r * (1 + seed) for seed, r in enumerate(ratios)}, cell=cell)


def verdict(hypothesis, runs, **kwargs):
    return judged(hypothesis, runs, runs, **kwargs)


def test_a_claim_is_supported_with_the_mean_log_ratio_as_its_effect():
    found = verdict(lower(), losses("adam", RATIOS) + losses("sgdm", [1.0] * 10))
    assert (found.verdict, found.reason) == (
        "supported",
        "the interval is beyond the margin; p 0.002",
    )
    won = found.decisive
    assert won.effect == pytest.approx(np.exp(-np.log(RATIOS).mean()), rel=1e-12)
    assert 1 < won.low < won.effect < won.high
    assert (won.n, won.p, won.p_better, won.b) == (10, 2 / 2**10, 1.0, "sgdm")


def test_the_mirrored_claim_is_refuted_with_mirrored_numbers():
    runs = losses("adam", RATIOS) + losses("sgdm", [1.0] * 10)
    there, back = (verdict(lower(*pair), runs) for pair in (("adam", "sgdm"), ("sgdm", "adam")))
    assert (back.verdict, back.reason) == ("refuted", "adam is better; p 0.002")
    assert back.decisive.effect * there.decisive.effect == pytest.approx(1, rel=1e-12)
    assert back.decisive.low * there.decisive.high == pytest.approx(1, rel=1e-12)
    assert back.decisive.p == there.decisive.p


@pytest.mark.parametrize(
    ("margin", "word", "reason"),
    [
        (1.1, "supported", "the interval is beyond the margin; p 0.002"),
        (1.25, "undecided", "against sgdm the interval contains the margin; p 0.9"),
        (1.5, "refuted", "the advantage over sgdm is short of the margin; p 0.002"),
    ],
)
def test_the_interval_is_held_against_the_margin(margin, word, reason):
    found = verdict(lower(margin=margin), losses("adam", RATIOS) + losses("sgdm", [1.0] * 10))
    assert (found.verdict, found.reason) == (word, reason)


def test_the_test_is_of_the_margin_too():
    ratios, margin = np.array(RATIOS[:8]), 1.2
    found = verdict(lower(margin=margin), losses("adam", ratios) + losses("sgdm", [1.0] * 8))
    differences = np.log(ratios * margin)
    sums = [abs(np.dot(s, differences)) for s in itertools.product((-1, 1), repeat=8)]
    observed = abs(differences.sum()) * (1 - 1e-12)
    assert found.decisive.p == pytest.approx(np.mean(np.array(sums) >= observed))


def test_a_claim_about_a_difference_has_a_margin_in_points():
    aspect = aspect_of("test_accuracy")
    better, worse = ([0.95 + 0.001 * (k % 3) - gain for k in range(12)] for gain in (0, 0.01))
    runs = [
        history(label, seed, test_accuracy=[value])
        for label, values in (("adam", better), ("sgdm", worse))
        for seed, value in enumerate(values)
    ]
    for margin, word in ((0.009, "supported"), (0.011, "refuted")):
        found = verdict(Hypothesis("adam", ("sgdm",), aspect, "more", margin), runs)
        assert found.verdict == word
        assert found.decisive.effect == pytest.approx(0.01)


def test_equal_runs_leave_a_claim_undecided():
    runs = losses("adam", [1.0] * 10) + losses("sgdm", [1.0] * 10)
    assert verdict(lower(), runs).verdict == "undecided"


def test_an_interval_beyond_the_margin_is_not_enough_without_the_test():
    runs = [
        history(label, seed, train_accuracy=[0.5, level])
        for label, levels in (("adam", [0.95] * 8), ("sgdm", [0.95] * 4 + [0.8] * 4))
        for seed, level in enumerate(levels)
    ]
    found = verdict(lower(metric="steps to train_accuracy 0.9"), runs)
    assert found.verdict == "undecided"
    assert found.reason == (
        "against sgdm the interval is beyond the margin, the test is not; p 0.12; "
        "a bound, as 4 of 8 seeds are infinite for one label"
    )


def test_few_seeds_missing_and_failed_runs_make_a_claim_invalid():
    runs = losses("adam", RATIOS[:6]) + losses("sgdm", [1.0] * 6)
    assert verdict(lower(), runs).verdict == "supported"
    few = [each for each in runs if each.seed < 5]
    found = verdict(lower(), few)
    assert (found.verdict, found.reason) == (
        "invalid",
        "5 seeds: below 6 no test can give p < 0.05",
    )
    assert found.decisive.n == 5
    found = judged(lower(), runs, runs[1:])
    assert (found.verdict, found.reason) == ("invalid", "1 of 12 runs are missing")
    broken = replace(runs[0], failure=Failure(3, "broken"))
    found = judged(lower(), runs, [broken, *runs[1:]])
    assert (found.verdict, found.reason) == ("invalid", "1 of 12 runs failed")


def test_a_metric_without_a_value_makes_a_claim_invalid():
    runs = losses("adam", RATIOS) + losses("sgdm", [1.0] * 10)
    found = verdict(lower(metric="roughness of m"), runs)
    assert (found.verdict, found.decisive) == ("invalid", None)
    assert found.reason == "roughness of m has no value for adam at seed 0"


def test_a_diverged_run_counts_as_the_worst():
    runs = losses("adam", [1.0] * 10) + losses("sgdm", [math.inf] * 6 + [1.0] * 4)
    found = verdict(lower(), runs)
    assert found.verdict == "supported"
    assert found.reason.endswith("a bound, as 6 of 10 seeds are infinite for one label")
    assert verdict(lower("sgdm", "adam"), runs).verdict == "refuted"


def test_other_labels_and_the_order_of_runs_do_not_matter():
    runs = losses("adam", RATIOS) + losses("sgdm", [1.0] * 10)
    others = losses("lion", [0.1] * 3)
    found = judged(lower(), runs + others, runs[::-1] + others)
    assert found == verdict(lower(), runs)


def test_every_baseline_on_every_problem_has_to_be_beaten():
    cells = {"noise=0.1": (1.0, 1.1), "noise=0.5": (1.05, 1.2)}
    runs = [
        each
        for cell, (b, c) in cells.items()
        for label, ratios in (("adam", RATIOS), ("sgdm", [b] * 10), ("rmsprop", [c] * 10))
        for each in losses(label, ratios, cell)
    ]
    claim = lower("adam", "sgdm", "rmsprop")
    found = verdict(claim, runs)
    assert found.verdict == "supported"
    assert "weakest of 4 against sgdm on noise=0.1" in found.reason
    assert [(each.cell, each.b) for each in found.contests] == [
        (cell, b) for cell in cells for b in ("sgdm", "rmsprop")
    ]
    worse = [each for each in runs if each.label != "rmsprop noise=0.5"]
    worse += losses("rmsprop", [0.5] * 10, "noise=0.5")
    found = verdict(claim, worse)
    assert (found.verdict, found.decisive.cell) == ("refuted", "noise=0.5")
    assert found.reason == "rmsprop on noise=0.5 is better; p 0.0078"  # 4 times 2 / 2^10
    doubtful = [each for each in runs if each.label != "sgdm noise=0.1"]
    doubtful += losses("sgdm", [*RATIOS[::-1]], "noise=0.1")
    found = verdict(claim, doubtful)
    assert (found.verdict, found.decisive.b) == ("undecided", "sgdm")


def test_a_refutation_is_adjusted_for_the_number_of_comparisons():
    one = verdict(lower(), losses("adam", [1.0] * 6) + losses("sgdm", RATIOS[:6]))
    assert one.verdict == "refuted"
    runs = losses("adam", [1.0] * 6) + losses("sgdm", RATIOS[:6]) + losses("lion", [1.5] * 6)
    assert verdict(lower("adam", "sgdm", "lion"), runs).verdict == "undecided"


def test_misses_of_a_target_come_last_but_have_no_size():
    def accuracies(label, hits):
        return [
            history(label, seed, test_accuracy=[0.99 if k >= hit else 0.5 for k in range(4)])
            for seed, hit in enumerate(hits)
        ]

    runs = accuracies("adam", [1] * 10) + accuracies("sgdm", [9] * 8 + [1] * 2)
    found = verdict(lower(metric="steps to test_accuracy 0.9"), runs)
    assert (found.verdict, found.decisive.infinite) == ("supported", 8)
    # A hit at the second of four evaluations against the fifth, the earliest it could be.
    assert found.decisive.effect == pytest.approx(2.5**0.8)
    never = accuracies("adam", [9] * 10) + accuracies("sgdm", [9] * 10)
    assert verdict(lower(metric="steps to test_accuracy 0.9"), never).verdict == "undecided"


def test_a_verdict_that_rests_on_an_under_tuned_label_is_invalid():
    runs = losses("adam", RATIOS) + losses("sgdm", [1.0] * 10)
    edge = "its best lr is at the high edge of what was tried"
    adam, sgdm = ({("", label): edge} for label in ("adam", "sgdm"))
    found = verdict(lower(), runs, under_tuned=sgdm)
    assert found.verdict == "invalid"
    assert found.reason == f"supported, but sgdm is under-tuned: {edge}"
    assert found.decisive.effect > 1
    assert verdict(lower(), runs, under_tuned=adam).verdict == "supported"
    assert verdict(lower("sgdm", "adam"), runs, under_tuned=sgdm).verdict == "invalid"
    assert verdict(lower("sgdm", "adam"), runs, under_tuned=adam).verdict == "refuted"
    assert verdict(lower(margin=1.25), runs, under_tuned=sgdm).verdict == "undecided"


def test_one_sound_problem_refutes_but_support_needs_all_of_them():
    cells = ("noise=0.1", "noise=0.5")
    runs = [
        each
        for cell in cells
        for each in losses("adam", RATIOS, cell) + losses("sgdm", [1.0] * 10, cell)
    ]
    doubt = {("noise=0.5", "sgdm"): "doubtful"}
    found = verdict(lower(), runs, under_tuned=doubt)
    assert found.reason == "supported, but sgdm is under-tuned on noise=0.5: doubtful"
    found = verdict(lower("sgdm", "adam"), runs, under_tuned=doubt)
    assert (found.verdict, found.decisive.cell) == ("refuted", "noise=0.1")
    both = {(cell, "sgdm"): "doubtful" for cell in cells}
    assert verdict(lower("sgdm", "adam"), runs, under_tuned=both).verdict == "invalid"


def test_edges_speak_against_any_label_and_the_audit_against_baselines():
    def outcome(label, chosen):
        space = {"lr": Searched(1e-3, 1.0, "log", (1e-3, 0.1, 1.0), (0.0, 0.67, 1.0))}
        trials = tuple(Trial(f"{label} {k}", {}, 0.0, 0) for k in range(3))
        return Tuned("noise=1", label, "test_loss", 3, space, trials, chosen)

    outcomes = [outcome("adam", 0), outcome("sgdm", 1), outcome("lion", 2)]
    included = [
        Inclusion("noise=1", f"{label} noise=1", "sgd noise=1", "momentum 0")
        for label in ("adam", "sgdm")
    ]
    assert stats.tuning_doubts(lower("adam", "sgdm", "lion"), outcomes, included) == {
        ("noise=1", "adam"): "its best lr is at the low edge of what was tried",
        ("noise=1", "sgdm"): "it loses to sgd, which it contains",
        ("noise=1", "lion"): "its best lr is at the high edge of what was tried",
    }


def test_a_claim_that_is_true_by_exactly_its_margin_is_seldom_decided():
    rng = np.random.default_rng(0)
    words = []
    for _ in range(300):
        ratios = np.exp(rng.normal(-math.log(1.2), 0.3, 12))
        runs = losses("adam", ratios) + losses("sgdm", [1.0] * 12)
        words.append(judged(lower(margin=1.2), runs, runs, resamples=400).verdict)
    # Each side is wrong 2.5 % of the time at most; 4 standard errors above that.
    assert max(words.count(word) for word in ("supported", "refuted")) <= 300 * 0.025 + 11
    assert words.count("undecided") < 300


def traced(**series):
    """A run with one traced parameter."""
    recorded = {name: np.array(values, dtype=float) for name, values in series.items()}
    return replace(history(train_loss=[1.0]), traces={"W1[0,0]": recorded})


def test_metrics_of_traces_are_computed_as_they_say():
    one = traced(grad=[1, 2, 3], m=[0.1, 0.3, -0.5])
    values = {
        "m at step 3": 0.5,
        "m over mean gradient at step 2": 0.3 / 1.5,
        "roughness of m": math.sqrt((0.2**2 + 0.8**2) / 2 / ((0.1**2 + 0.3**2 + 0.5**2) / 3)),
    }
    for name, value in values.items():
        assert aspect_of(name).value(one, None) == pytest.approx(value, rel=1e-12), name
    for name in ("m at step 4", "v at step 1", "m over mean gradient at step 4", "roughness of v"):
        assert math.isnan(aspect_of(name).value(one, None)), name
    two = replace(one, traces={**one.traces, "b": {"m": np.array([0.0] * 3)}})
    assert aspect_of("m at step 3").value(two, None) == pytest.approx(0.5 / math.sqrt(2))


def test_metrics_at_a_horizon_are_those_of_that_evaluation():
    one = history(train_loss=[3, 2, 1], update_size=[0.3, 0.2, 0.1])
    assert aspect_of("train_loss").value(one, 2) == 2
    assert aspect_of("train_loss").value(one, None) == 1
    assert aspect_of("update_size").value(one, 1) == 0.3
    early = history(diverged_at=70, train_loss=[3, 2], update_size=[0.3, 0.2])
    assert aspect_of("train_loss").value(early, 2) == 2
    assert aspect_of("train_loss").value(early, 3) == aspect_of("train_loss").value(early, None)
    assert math.isinf(aspect_of("train_loss").value(early, 3))
    assert math.isnan(aspect_of("update_size").value(early, 3))
    gap = aspect_of("accuracy_gap")
    both = history(train_accuracy=[0.9, 1.0], test_accuracy=[0.8, 0.7])
    assert [gap.value(both, at) for at in (1, None)] == pytest.approx([0.1, 0.3])


@pytest.mark.parametrize(
    "name", ["loss", "steps to test_loss", "m at step 0", "roughness of", "steps to m 0.9", ""]
)
def test_what_is_no_metric_is_none(name):
    assert aspect_of(name) is None


EXPERIMENT = """\
  name: claims-tiny
  dataset: {name: moons, samples: 60, test_samples: 30}
  model: {hidden: [6]}
  train: {epochs: 3, batch_size: 16, seeds: 6}
  optimizers: [{name: sgdm, lr: 1.0e-6}, {name: adam, lr: 0.03}]
"""
CLAIM = f"""\
claim: Adam learns more than SGD that hardly moves
hypothesis: {{a: adam, b: sgdm, metric: train_loss}}
margin: 1.0
experiment:
{EXPERIMENT}"""
MIRRORED = CLAIM.replace("a: adam, b: sgdm", "a: sgdm, b: adam")


@pytest.fixture
def cli(cli, tmp_path, monkeypatch):
    """Run a command line in a folder with claim files."""
    monkeypatch.chdir(tmp_path)
    Path("good.yaml").write_text(CLAIM)
    Path("bad.yaml").write_text(MIRRORED)
    return cli


def test_claims_print_a_table_and_exit_by_strict(cli):
    code, out, err = cli("claims", "good.yaml", "bad.yaml")
    assert code == 0
    assert out.startswith("2 claims: 1 supported and 1 refuted\n")
    assert re.search(r"^supported  Adam learns more than SGD that hardly moves *$", out, re.M)
    assert "effect " in out
    assert "the interval is beyond the margin; p 0.031" in out
    assert "experiment 1 of 1: claims-tiny-" in err
    (folder,) = Path("outputs").glob("claims-tiny-*")
    assert not (folder / "figures").exists()
    assert cli("claims", "good.yaml", "bad.yaml", "--strict")[0] == 3
    assert cli("claims", "good.yaml", "--strict", "--quiet") == (0, "", "")


def test_claims_as_json(cli):
    code, out, err = cli("claims", "good.yaml", "bad.yaml", "--json")
    good, bad = json.loads(out)["claims"]
    assert (code, err) == (0, "")
    keys = ("file", "claim", "verdict", "effect", "low", "high", "n", "reason")
    assert {*keys} <= good.keys()
    assert (good["file"], good["verdict"], good["n"]) == ("good.yaml", "supported", 6)
    assert good["margin"] == 1 < good["low"] < good["effect"] < good["high"]
    assert bad["verdict"] == "refuted"
    assert bad["effect"] == pytest.approx(1 / good["effect"])
    Path("few.yaml").write_text(CLAIM.replace("seeds: 6", "seeds: 1"))
    (few,) = json.loads(cli("claims", "few.yaml", "--json")[1])["claims"]
    assert (few["verdict"], few["n"], few["low"]) == ("invalid", 1, None)


def test_a_second_time_nothing_is_trained_and_run_finds_the_same_directory(cli):
    cli("claims", "good.yaml", "--json")
    (folder,) = Path("outputs").glob("claims-tiny-*")
    before = os.stat(folder / "manifest.json").st_mtime_ns
    code, _, err = cli("claims", "good.yaml")
    assert code == 0
    assert "all 12 runs are done already" in err
    Path("same.yaml").write_text(EXPERIMENT.replace("\n  ", "\n").strip())
    assert cli("run", "same.yaml", "--no-figures")[2].count("done already") == 1
    assert os.stat(folder / "manifest.json").st_mtime_ns == before
    assert cli("claims", "good.yaml", "--fresh")[0] == 0
    assert os.stat(folder / "manifest.json").st_mtime_ns > before


def test_a_tuned_claim_trains_its_trials_once_and_is_invalid_at_the_edge(cli):
    tuned = CLAIM + "  tune: {trials: 2, seeds: 3, space: {sgdm.lr: {log: [1.0e-7, 1.0e-6]}}}\n"
    Path("tuned.yaml").write_text(tuned)
    code, out, err = cli("claims", "tuned.yaml", "--json")
    (found,) = json.loads(out)["claims"]
    assert (code, err, found["verdict"], found["n"]) == (0, "", "invalid", 6)
    assert found["reason"] == (
        "supported, but sgdm is under-tuned: its best lr is at the high edge of what was tried"
    )
    err = cli("claims", "tuned.yaml")[2]
    assert "all 12 runs are done already" in err
    assert err.count("done already") == 1


def test_a_claim_names_an_experiment_file_and_sets_what_is_otherwise(cli, tmp_path):
    Path("parts").mkdir()
    Path("parts/tiny.yaml").write_text(EXPERIMENT.replace("\n  ", "\n").strip())
    text = CLAIM.partition("experiment:")[0] + "experiment: parts/tiny.yaml\n"
    Path("path.yaml").write_text(text)
    Path("set.yaml").write_text(text + "set: {train.seeds: 7, adam.lr: 0.02}\n")
    same, other, good = config.load_claims(map(Path, ("path.yaml", "set.yaml", "good.yaml")))
    assert same.experiment == good.experiment
    assert len(other.experiment.runs) == 14
    assert {run.rule.lr for run in other.experiment.runs if run.optimizer == "adam"} == {0.02}


def mistakes(text: str, folder: Path) -> list[str]:
    """What is wrong with a claim file, without excerpts."""
    (folder / "claim.yaml").write_text(text)
    with pytest.raises((ConfigError, ConfigErrors)) as caught:
        config.load_claims([folder / "claim.yaml"])
    found = mistakes_in(caught.value)
    return [str(each).splitlines()[0].replace(f"{folder}/", "") for each in found]


def test_all_mistakes_of_a_claim_and_its_experiment_come_at_once(tmp_path):
    text = CLAIM.replace("metric: train_loss", "metric: tran_loss").replace("margin", "margn")
    assert mistakes(text.replace("samples: 60", "smples: 60"), tmp_path) == [
        "unknown metric 'tran_loss', claim.yaml:2:40 (hypothesis.metric). "
        "Fix: did you mean 'train_loss'?",
        "unknown key 'margn' for the claim, claim.yaml:3:1 (margn). Fix: did you mean 'margin'?",
        "unknown key 'smples' for moons, claim.yaml:6:26 (experiment.dataset.smples). "
        "Fix: did you mean 'samples'?",
    ]


PATH = CLAIM.partition("experiment:")[0] + "experiment: parts.yaml\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            CLAIM.replace("a: adam", "a: adm"),
            "no optimizer 'adm' in the experiment, claim.yaml:2:17 (hypothesis.a). "
            "Fix: did you mean 'adam'?",
        ),
        (
            CLAIM.replace("b: sgdm", "b: [sgdm, adam]"),
            "label 'adam' twice in the hypothesis, claim.yaml:2:33 (hypothesis.b[1]). "
            "Fix: compare it with another one",
        ),
        (
            CLAIM.replace("margin: 1.0", "margin: 0.5"),
            "a margin of 0.5, and train_loss is compared by a factor, claim.yaml:3:9 (margin). "
            "Fix: write 1, or more",
        ),
        (
            CLAIM.replace("train_loss", "train_loss, wins: more"),
            "more train_loss is never better, claim.yaml:2:58 (hypothesis.wins). "
            "Fix: leave it out, or swap a and b",
        ),
        (
            CLAIM.replace("train_loss", "update_size"),
            "neither less nor more update_size is better in itself, claim.yaml:2:13 "
            "(hypothesis.wins). Fix: add wins: less, or wins: more",
        ),
        (
            CLAIM.replace("train_loss", "update_size, wins: most"),
            "expected one of less, more, got 'most', claim.yaml:2:59 (hypothesis.wins). "
            "Fix: use one of less, more",
        ),
        (
            CLAIM.replace("train_loss", "train_loss, horizon: 4"),
            "nothing is evaluated after epoch 4, claim.yaml:2:61 (hypothesis.horizon). "
            "Fix: use at most 3",
        ),
        (
            CLAIM.replace("train_loss", "steps to train_loss 0.3, horizon: 2"),
            "steps to train_loss 0.3 has no horizon, claim.yaml:2:74 (hypothesis.horizon). "
            "Fix: remove it, or shorten train.epochs",
        ),
        (
            CLAIM.replace("train_loss", "roughness of m, wins: less"),
            "'roughness of m' needs traces of all seeds, claim.yaml:2:40 (hypothesis.metric). "
            "Fix: add trace: {params: [...], seeds: all} to the experiment",
        ),
        (
            CLAIM.replace("test_samples: 30", "test_samples: 0").replace("train_", "test_"),
            "the experiment does not measure test_loss, claim.yaml:2:40 (hypothesis.metric). "
            "Fix: use one of train_loss, train_accuracy, grad_norm, update_size",
        ),
        (
            CLAIM + "set: {train.epochs: 3}\n",
            "set beside an experiment that is written out, claim.yaml:10:1 (set). "
            "Fix: write the values there",
        ),
        (
            CLAIM.replace("Adam learns more than SGD that hardly moves", '"\\e[2J"'),
            r"a sentence with an unprintable character: '\x1b[2J', claim.yaml:1:8 (claim). "
            "Fix: write it in one line",
        ),
        (
            PATH.replace("parts.yaml", "part.yaml"),
            "no such experiment file 'part.yaml', claim.yaml:4:13 (experiment). "
            "Fix: did you mean parts.yaml?",
        ),
        (
            PATH + "set: {lion.lr: 1}\n",
            "unknown path 'lion.lr', claim.yaml:5:7 (set.lion.lr). Fix: use one of sgdm, adam, "
            "name, dataset, model, problem, problems, train, plugins, optimizers, trace, sweep, "
            "1 more",
        ),
        (
            PATH + "set: {adam.lr: -1}\n",
            "expected a number with 0 < x, got -1, claim.yaml:5:16 (set.adam.lr). "
            "Fix: give lr (learning rate) a number with 0 < x, such as 0.001",
        ),
        (
            PATH + "set: {dataset.noise: 1}\n",
            "'dataset.noise' is swept by the file, claim.yaml:5:22 (set.dataset.noise). "
            "Fix: set sweep.dataset.noise instead, to a list of one value",
        ),
        (
            "",
            "expected a mapping, got nothing, claim.yaml:1:1. "
            "Fix: write `claim:`, `hypothesis:`, `margin:` and `experiment:`",
        ),
    ],
)
def test_one_mistake_is_told_once_at_its_place(tmp_path, text, message):
    swept = EXPERIMENT.replace("\n  ", "\n").strip() + "\nsweep: {dataset.noise: [0.1, 0.2]}\n"
    (tmp_path / "parts.yaml").write_text(swept)
    assert mistakes(text, tmp_path) == [message]


def test_the_mistakes_of_all_files_come_before_anything_is_trained(cli):
    Path("worse.yaml").write_text(CLAIM.replace("margin: 1.0", "margin: 0"))
    Path("worst.yaml").write_text(CLAIM.replace("b: sgdm", "b: sgd"))
    code, out, err = cli("claims", "good.yaml", "worse.yaml", "worst.yaml", "nowhere.yaml")
    assert (code, out, Path("outputs").exists()) == (2, "", False)
    heads = [line for line in err.splitlines() if line.startswith("error: ")]
    assert ["worse.yaml:3:9" in heads[0], "worst.yaml:2:26" in heads[1]] == [True, True]
    assert heads[2].startswith("error: no such claim file, nowhere.yaml. Fix: ")


def test_the_shipped_claims_load_anywhere_and_have_twenty_seeds_or_more(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    paths = config.shipped(config.CLAIM)
    assert {str(path) for path in paths} == {
        str(path.relative_to(ROOT)) for path in (ROOT / "configs/claims").glob("*.yaml")
    }
    for claim in config.load_claims(paths):
        assert len({run.seed for run in claim.experiment.runs}) >= 20, claim.file
        assert claim.experiment.name.startswith("claims-")
