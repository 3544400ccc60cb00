"""Ranges and groups of a sweep: their values, their labels, and what is wrong with them."""

# Whole messages are longer than lines of code.
# ruff: noqa: E501

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from test_config_sweep import TWO, complaint, swept

from adamcli.config import Experiment, load, schema
from adamcli.errors import AdamcliError, ConfigErrors

ENDS = "Fix: write the low and the high end, such as log: [1.0e-4, 1.0]"
NUMBERS = "Fix: write two numbers, such as"
HALTON = "Fix: write n and a range for each setting, as {n: 16, adam.lr: {log: [1.0e-4, 1.0]}}"
TOGETHER = "Fix: write a list for each setting, such as {adam.lr: [1, 2], adam.beta1: [0.9, 0.5]}"


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ("{adam.lr: {log: [1e-4, 1]}}", "missing key 'n', swept.yaml:2:18 (sweep.adam.lr). "
         "Fix: add n: an integer with 2 <= x <= 100000"),
        ("{adam.lr: {log: [1e-4, 1], n: 1}}", "expected an integer with 2 <= x <= 100000, got 1, "
         "swept.yaml:2:38 (sweep.adam.lr.n). Fix: give n an integer with 2 <= x <= 100000, such as 16"),
        ("{adam.lr: {log: [1e-4, 1], n: true}}", "expected an integer with 2 <= x <= 100000, got true, "
         "swept.yaml:2:38 (sweep.adam.lr.n). Fix: give n an integer with 2 <= x <= 100000, such as 16"),
        ("{adam.lr: {log: [1, 1e-4], n: 4}}", "the low end 1 is not below the high end 0.0001, "
         "swept.yaml:2:25 (sweep.adam.lr.log[0]). Fix: write the smaller number first"),
        ("{adam.lr: {log: [1, 1], n: 4}}", "the low end 1 is not below the high end 1, "
         "swept.yaml:2:25 (sweep.adam.lr.log[0]). Fix: write the smaller number first"),
        ("{adam.lr: {log: [0, 1], n: 4}}", "expected a number with 0 < x, got 0, swept.yaml:2:25 "
         f"(sweep.adam.lr.log[0]). {NUMBERS} log: [1.0e-4, 1.0]"),
        ("{adam.beta1: {log1m: [0.5, 1], n: 4}}", "expected a number with x < 1, got 1, swept.yaml:2:35 "
         f"(sweep.adam.beta1.log1m[1]). {NUMBERS} log1m: [0.5, 0.999]"),
        ("{adam.beta1: {linear: [0.5, x], n: 4}}", "expected a number, got 'x', swept.yaml:2:36 "
         f"(sweep.adam.beta1.linear[1]). {NUMBERS} linear: [0.0, 1.0]"),
        ("{adam.lr: {log: [1, 2, 3], n: 4}}", f"expected two numbers, got 3 values, swept.yaml:2:24 "
         f"(sweep.adam.lr.log). {ENDS}"),
        ("{adam.lr: {log: 3, n: 4}}", f"expected two numbers, got 3, swept.yaml:2:24 (sweep.adam.lr.log). {ENDS}"),
        ("{adam.beta1: {linear: [0.5, 1], n: 4}}", "expected a number with 0 <= x < 1, got 1, swept.yaml:2:36 "
         "(sweep.adam.beta1.linear[1]). Fix: give beta1 (decay of the first moment) a number with "
         "0 <= x < 1, such as 0.9"),
        ("{train.batch_size: {log: [1.5, 8], n: 4}}", "expected an integer with 1 <= x <= 1000000000, got 1.5, "
         "swept.yaml:2:34 (sweep.train.batch_size.log[0]). Fix: give batch_size (training points in a batch) "
         "an integer with 1 <= x <= 1000000000, such as 64"),
        ("{model.init: {linear: [0, 1], n: 4}}", "a range for 'init', which takes one of article, he, glorot, "
         "swept.yaml:2:21 (sweep.model.init). Fix: list the values to sweep"),
        ("{model.hidden: {linear: [1, 4], n: 4}}", "a range for 'hidden', which takes a non-empty list of integers "
         "with 1 <= x <= 4096, swept.yaml:2:23 (sweep.model.hidden). Fix: list the values to sweep"),
        ("{adam.bias_correction: {linear: [0, 1], n: 2}}", "a range for 'bias_correction', which takes true or "
         "false, swept.yaml:2:31 (sweep.adam.bias_correction). Fix: list the values to sweep"),
        ("{adam.lr: {lgo: [1e-4, 1], n: 4}}", "unknown key 'lgo' for a range, swept.yaml:2:19 "
         "(sweep.adam.lr.lgo). Fix: did you mean 'log'?"),
        ("{adam.lr: {n: 4}}", "missing key 'linear', 'log' or 'log1m' for a range, swept.yaml:2:18 "
         "(sweep.adam.lr). Fix: add the ends, such as log: [1.0e-4, 1.0]"),
        ("{adam.lr: {log: [1, 2], linear: [1, 2], n: 4}}", "two scales for a range, log and linear, "
         "swept.yaml:2:32 (sweep.adam.lr.linear). Fix: keep one of them"),
        ("{halton: 16}", f"expected settings to sweep together, got 16, swept.yaml:2:17 (sweep.halton). {HALTON}"),
        ("{halton: {n: 16}}", "expected settings to sweep together, got no setting, swept.yaml:2:17 "
         f"(sweep.halton). {HALTON}"),
        ("{halton: {adam.lr: {log: [1, 2]}}}", "missing key 'n', swept.yaml:2:17 (sweep.halton). "
         "Fix: add n: an integer with 1 <= x <= 100000"),
        ("{halton: {n: 4, seed: -1, adam.lr: {log: [1, 2]}}}", "expected an integer with 0 <= x <= 4294967295, "
         "got -1, swept.yaml:2:30 (sweep.halton.seed). Fix: give seed an integer with 0 <= x <= 4294967295, such as 16"),
        ("{halton: {n: 4, adam.lr: [1, 2]}}", "expected a range, got a list, swept.yaml:2:33 "
         f"(sweep.halton.adam.lr). {HALTON}"),
        ("{halton: {n: 4, adam.lr: {log: [1, 2], n: 3}}}", "unknown key 'n' for a range, swept.yaml:2:47 "
         "(sweep.halton.adam.lr.n). Fix: use one of linear, log, log1m"),
        ("{halton: {n: 4, adam.lrr: {log: [1, 2]}}}", "unknown key 'lrr' for adam, swept.yaml:2:24 "
         "(sweep.halton.adam.lrr). Fix: did you mean 'lr'?"),
        ("{halton: {n: 4, adam.lr: {log: [1, 2]}, dataset.noise: {linear: [0, 1]}}}", "halton sweeps settings of "
         "the problem and of optimizers together, swept.yaml:2:48 (sweep.halton.dataset.noise). "
         "Fix: sweep dataset.noise outside of it"),
        ("{adam.lr: [1], halton: {n: 4, optimizers.1.lr: {log: [1, 2]}}}", "'optimizers.1.lr' sweeps the same "
         "setting as 'adam.lr', swept.yaml:2:38 (sweep.halton.optimizers.1.lr). Fix: keep one of them"),
        ("{together: {adam.lr: [1, 2], adam.beta1: [0.5]}}", "1 value of 'adam.beta1' beside 2 values of 'adam.lr', "
         "swept.yaml:2:49 (sweep.together.adam.beta1). Fix: give all of them the same number of values"),
        ("{together: {adam.lr: {log: [1, 2], n: 4}}}", "expected a non-empty list, got a mapping, swept.yaml:2:29 "
         f"(sweep.together.adam.lr). {TOGETHER}"),
        ("{together: {adam.lr: [1]}, halton: {n: 2, adam.beta1: {linear: [0.1, 0.5]}}}", "halton beside together in "
         "one sweep, swept.yaml:2:35 (sweep.halton). Fix: keep one of them"),
    ],
)  # fmt: skip
def test_a_range_or_group_that_cannot_be_swept_is_told_at_its_place(
    tmp_path: Path, sweep: str, message: str
) -> None:
    assert complaint(tmp_path, sweep) == message


def test_all_that_is_wrong_with_a_sweep_comes_at_once(tmp_path: Path) -> None:
    sweep = (
        "{adam.lr: {log: [-1, x], m: 3}, sgdm.momentum: {linear: [0, 1], n: 0}, "
        "halton: {adam.bta1: {log1m: [0.9, 0.5]}, adam.eps: {log: [2, 1]}}}"
    )
    path = tmp_path / "swept.yaml"
    path.write_text(f"{TWO}sweep: {sweep}\n")
    with pytest.raises(ConfigErrors) as caught:
        load(path)
    assert [mistake.what for mistake in caught.value.mistakes] == [
        "missing key 'n'",
        "expected a number with 0 < x, got -1",
        "expected a number with 0 < x, got 'x'",
        "unknown key 'm' for a range",
        "expected a number with 0 <= x < 1, got 1",
        "expected an integer with 2 <= x <= 100000, got 0",
        "missing key 'n'",
        "unknown key 'bta1' for adam",
        "the low end 2 is not below the high end 1",
    ]


def values(experiment: Experiment, name: str) -> list[float]:
    return [getattr(run.rule, name) for run in experiment.runs if run.optimizer == "adam"]


def test_ranges_divide_their_scale_evenly_from_end_to_end(tmp_path: Path) -> None:
    assert values(swept(tmp_path, "{adam.lr: {log: [1e-4, 1], n: 5}}"), "lr") == [
        *(1e-4, 1e-3, 1e-2, 0.1, 1.0),
    ]
    assert values(swept(tmp_path, "{adam.beta1: {log1m: [0.9, 0.999], n: 3}}"), "beta1") == [
        *(0.9, 0.99, 0.999),
    ]
    ends = "{adam.eps: {linear: [0.12345678901234567, 0.3], n: 2}}"
    assert values(swept(tmp_path, ends), "eps") == [0.12345678901234567, 0.3]
    noises = swept(tmp_path, "{dataset.noise: {linear: [0, 1], n: 4}}").runs[::2]
    assert [run.cell for run in noises] == [
        "noise=0.0",
        "noise=0.333",
        "noise=0.667",
        "noise=1.0",
    ]


def test_a_range_of_integers_is_rounded_and_has_each_once(tmp_path: Path) -> None:
    sweep = "{train.batch_size: {log: [1, 8], n: 7}, model.hidden.1: {linear: [4, 6], n: 3}}"
    runs = swept(tmp_path, sweep).runs[::2]
    assert list(dict.fromkeys(run.task.batch_size for run in runs)) == [1, 2, 3, 4, 6, 8]
    assert [run.task.model.hidden for run in runs[:3]] == [(32, 4), (32, 5), (32, 6)]


def test_ranges_and_lists_are_multiplied(tmp_path: Path) -> None:
    sweep = "{adam.lr: {log: [1e-4, 1], n: 16}, adam.beta1: [0.5, 0.9], dataset.noise: [0.1, 0.2]}"
    runs = swept(tmp_path, sweep).runs
    assert len(runs) == 2 * (1 + 16 * 2)
    assert runs[1].label == "adam lr=0.0001 beta1=0.5 noise=0.1"
    assert runs[3].label == "adam lr=0.000185 beta1=0.5 noise=0.1"


HALTON_SWEEP = (
    "{halton: {n: 32, seed: 5, adam.lr: {log: [1e-4, 1]}, adam.beta1: {log1m: [0.5, 0.99]}, "
    "sgdm.lr: {log: [1e-4, 1]}}}"
)


def test_a_halton_group_sweeps_its_settings_together(tmp_path: Path) -> None:
    runs = swept(tmp_path, HALTON_SWEEP).runs
    adam = [run for run in runs if run.optimizer == "adam"]
    sgdm = [run for run in runs if run.optimizer == "sgdm"]
    assert len(adam) == len(sgdm) == 32
    shares = [math.log10(run.rule.lr) / 4 + 1 for run in adam]
    assert sorted(int(share * 32) for share in shares) == list(range(32))  # one in each part
    thirds = [math.log((1 - run.rule.beta1) / 0.5) / math.log(0.01 / 0.5) for run in adam[:27]]
    assert sorted(int(share * 27) for share in thirds) == list(range(27))
    # Every optimizer counts its own settings, so both have the best dimension for lr.
    assert [run.rule.lr for run in sgdm] == [run.rule.lr for run in adam]
    assert adam[0].label == f"adam lr={adam[0].rule.lr:.3g} beta1={adam[0].rule.beta1:.4g}"


def test_a_halton_group_may_sweep_the_problem(tmp_path: Path) -> None:
    sweep = "{halton: {n: 6, dataset.noise: {linear: [0, 1]}, model.hidden.0: {log: [4, 6]}}}"
    runs = swept(tmp_path, sweep).runs
    assert len(runs) == 2 * 6
    assert {run.task.model.hidden[0] for run in runs} == {4, 5, 6}


def test_equal_points_of_a_group_are_one_setting(tmp_path: Path) -> None:
    sweep = (
        "{together: {adam.lr: [0.1, 0.2, 0.1], adam.beta1: [0.5, 0.5, 0.5], sgdm.lr: [1, 2, 3]}}"
    )
    labels = [run.label for run in swept(tmp_path, sweep).runs]
    assert labels == [
        *("sgdm lr=1.0", "sgdm lr=2.0", "sgdm lr=3.0"),
        *("adam lr=0.1 beta1=0.5", "adam lr=0.2 beta1=0.5"),
    ]


def test_more_points_and_another_seed(tmp_path: Path) -> None:
    few = values(swept(tmp_path, HALTON_SWEEP), "lr")
    more = values(swept(tmp_path, HALTON_SWEEP.replace("n: 32", "n: 40")), "lr")
    other = values(swept(tmp_path, HALTON_SWEEP.replace("seed: 5", "seed: 6")), "lr")
    assert more[:32] == few
    assert not set(other) & set(few)


@pytest.mark.parametrize(
    "sweep",
    [
        HALTON_SWEEP,
        "{adam.lr: {log: [1e-4, 0.7], n: 7}, train.batch_size: {log: [8, 64], n: 5}}",
        "{together: {adam.beta1: [0.9, 0.5], adam.lr: [1, 2]}, dataset.noise: {linear: [0, 1], n: 4}}",
    ],
)
def test_the_saved_sweep_gives_the_same_runs(tmp_path: Path, sweep: str) -> None:
    experiment = swept(tmp_path, sweep)
    (tmp_path / "again.yaml").write_text(experiment.to_yaml())
    again = load(tmp_path / "again.yaml")
    assert again == experiment
    assert again.directory == experiment.directory
    jsonschema.validate(experiment.resolved, schema())


def test_the_order_in_a_group_names_another_directory(tmp_path: Path) -> None:
    one = swept(tmp_path, "{together: {adam.beta1: [0.9, 0.5], adam.lr: [1, 2]}}")
    other = swept(tmp_path, "{together: {adam.lr: [1, 2], adam.beta1: [0.9, 0.5]}}")
    assert one.runs[1].label != other.runs[1].label
    assert one.directory != other.directory


@pytest.mark.parametrize(
    ("sweep", "fits"),
    [
        ({"adam.lr": {"log": [0.1, 1], "n": 4}, "halton": {"n": 1, "a.b": {"linear": [0, 1]}}}, True),
        ({"adam.lr": [1], "together": {"adam.beta1": [0.5]}}, True),
        ({"adam.lr": {"log": [0.1, 1]}}, False),
        ({"adam.lr": {"log": [0.1], "n": 4}}, False),
        ({"adam.lr": {"log": [0.1, 1], "linear": [0, 1], "n": 4}}, False),
        ({"halton": {"adam.lr": {"log": [0.1, 1]}}}, False),
        ({"halton": {"n": 4, "adam.lr": {"log": [0.1, 1], "n": 4}}}, False),
        ({"together": {"adam.lr": {"log": [0.1, 1], "n": 4}}}, False),
    ],
)  # fmt: skip
def test_the_schema_knows_ranges_and_groups(sweep: dict[str, Any], fits: bool) -> None:
    validator = jsonschema.Draft7Validator(schema())
    assert validator.is_valid({"optimizers": [{"name": "adam"}], "sweep": sweep}) is fits


def test_labels_have_as_many_digits_as_tell_the_values_apart(tmp_path: Path) -> None:
    def tags(numbers: str) -> list[str]:
        runs = swept(tmp_path, f"{{adam.lr: {numbers}}}").runs[1:]
        return [run.label.removeprefix("adam lr=") for run in runs]

    assert tags("[0.0031622776, 0.1234, 3]") == ["0.00316", "0.1234", "3.0"]
    assert tags("[0.0031622776, 0.0031611111]") == ["0.003162", "0.003161"]
    assert tags("[0.10000001, 0.10000002]") == ["0.10000001", "0.10000002"]


def test_ranges_can_be_set_on_the_command_line(tmp_path: Path) -> None:
    swept(tmp_path, HALTON_SWEEP)
    path = tmp_path / "swept.yaml"
    several = load(path, ["sweep.sgdm.momentum={log1m: [0.5, 0.9], n: 3}", "sweep.halton.n=2"])
    assert len(several.runs) == 2 * 3 + 2
    one = load(path, ["sweep.halton.adam.lr={log: [1e-3, 2e-3]}"])
    assert all(1e-3 <= lr <= 2e-3 for lr in values(one, "lr"))
    with pytest.raises(AdamcliError) as caught:
        load(path, ["sweep.sgdm.momentum={log: [0, 1], n: 3}"])
    place = "--set #1 (sweep.sgdm.momentum={log: [0, 1], n: 3})"
    assert str(caught.value).startswith(f"expected a number with 0 < x, got 0, {place}. Fix: ")
    with pytest.raises(AdamcliError, match=r"set sweep.halton.adam.lr instead$"):
        load(path, ["adam.lr=3"])


def test_comparing_some_optimizers_keeps_their_part_of_a_group(tmp_path: Path) -> None:
    whole = values(swept(tmp_path, HALTON_SWEEP), "lr")
    some = load(tmp_path / "swept.yaml", optimizers=["adam", "sgd"])
    assert values(some, "lr") == whole
    assert len(some.runs) == 32 + 1
    assert len(load(tmp_path / "swept.yaml", optimizers=["sgd"]).runs) == 1


def test_data_files_may_be_swept_together(tmp_path: Path) -> None:
    for name, rows in (("a", 90), ("b", 120)):
        lines = [f"{i},{i % 3},{i % 2}" for i in range(rows)]
        (tmp_path / f"{name}.csv").write_text("\n".join(["x,y,target", *lines]))
    path = tmp_path / "files.yaml"
    path.write_text(
        "dataset: {name: file, path: a.csv, test_samples: 20}\ntrain: {batch_size: 8}\n"
        "optimizers: [{name: sgd}]\n"
        "sweep: {together: {dataset.path: [a.csv, b.csv], train.batch_size: [8, 16]}}\n"
    )
    tasks = [run.task for run in load(path).runs]
    assert [(task.dataset.train_size, task.batch_size) for task in tasks] == [(70, 8), (100, 16)]
