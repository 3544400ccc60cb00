"""Sweeps: products of lists, their labels, and what may not be swept."""

# Whole messages are longer than lines of code.
# ruff: noqa: E501

from __future__ import annotations

from pathlib import Path

import pytest

from adamcli.config import Experiment, load
from adamcli.errors import AdamcliError
from adamcli.schedules import Cosine, Linear

LIST = "Fix: write its values, such as [0.1, 0.2], or a range, such as {log: [1.0e-4, 1.0], n: 16}"
TWO = "optimizers: [{name: sgdm}, {name: adam}]\n"


def swept(folder: Path, sweep: str, optimizers: str = TWO) -> Experiment:
    path = folder / "swept.yaml"
    path.write_text(f"{optimizers}sweep: {sweep}\n")
    return load(path)


def complaint(folder: Path, sweep: str) -> str:
    with pytest.raises(AdamcliError) as caught:
        swept(folder, sweep)
    assert caught.value.exit_code == 2
    return str(caught.value).splitlines()[0].replace(f"{folder}/", "")


def test_a_sweep_of_the_problem_multiplies_every_optimizer(tmp_path: Path) -> None:
    runs = swept(tmp_path, "{dataset.noise: [0.1, 1], model.hidden: [[8], [8, 8]]}").runs
    assert [run.cell for run in runs[::2]] == [
        "noise=0.1 hidden=[8]",
        "noise=0.1 hidden=[8, 8]",
        "noise=1.0 hidden=[8]",
        "noise=1.0 hidden=[8, 8]",
    ]
    assert [run.label for run in runs[:2]] == [
        "sgdm noise=0.1 hidden=[8]",
        "adam noise=0.1 hidden=[8]",
    ]
    assert [run.task.model.hidden for run in runs[:4]] == [(8,), (8,), (8, 8), (8, 8)]


def test_a_sweep_of_an_optimizer_multiplies_that_one_alone(tmp_path: Path) -> None:
    runs = swept(tmp_path, "{adam.lr: [1e-3, 1]}").runs
    assert [(run.label, run.cell) for run in runs] == [
        ("sgdm", ""),
        ("adam lr=0.001", ""),
        ("adam lr=1.0", ""),
    ]
    assert [run.rule.lr for run in runs[1:]] == [0.001, 1.0]


def test_labels_name_the_values_in_the_order_of_the_file(tmp_path: Path) -> None:
    experiment = swept(tmp_path, "{adam.lr: [1], dataset.noise: [0.1], adam.beta1: [0.5]}")
    assert [run.label for run in experiment.runs] == [
        "sgdm noise=0.1",
        "adam lr=1.0 noise=0.1 beta1=0.5",
    ]


def test_schedules_and_datasets_are_swept_like_any_value(tmp_path: Path) -> None:
    schedules = "[{name: cosine}, {name: linear, floor: 0.1}]"
    runs = swept(tmp_path, f"{{train.schedule: {schedules}, dataset.name: [moons]}}").runs
    assert [run.label for run in runs[::2]] == [
        "sgdm schedule=cosine name=moons",
        "sgdm schedule=linear(floor=0.1) name=moons",
    ]
    assert [run.schedule for run in runs[::2]] == [Cosine(), Linear(floor=0.1)]


def test_an_item_of_a_list_may_be_swept(tmp_path: Path) -> None:
    runs = swept(tmp_path, "{model.hidden.1: [8, 16]}").runs
    assert [run.cell for run in runs[::2]] == ["hidden.1=8", "hidden.1=16"]
    assert [run.task.model.hidden for run in runs[::2]] == [(32, 8), (32, 16)]


def test_a_swept_experiment_reads_back_the_same(tmp_path: Path) -> None:
    sweep = (
        "{train.schedule: [{name: step}], optimizers.0.lr: [1, 0x10], train.clip_norm: [null, 2]}"
    )
    experiment = swept(tmp_path, sweep)
    assert experiment.resolved["sweep"]["optimizers.0.lr"] == [1.0, 16.0]
    (tmp_path / "again.yaml").write_text(experiment.to_yaml())
    again = load(tmp_path / "again.yaml")
    assert again == experiment
    assert again.directory == experiment.directory


@pytest.mark.parametrize(
    ("sweep", "message"),
    [
        ("{adam.lr: []}", f"expected a non-empty list or a range, got an empty list, swept.yaml:2:18 (sweep.adam.lr). {LIST}"),
        ("{adam.lr: 5}", f"expected a non-empty list or a range, got 5, swept.yaml:2:18 (sweep.adam.lr). {LIST}"),
        ("[adam.lr]", "expected a mapping, got a list, swept.yaml:2:8 (sweep). "
         "Fix: write a path and its values, such as dataset.noise: [0.1, 0.2]"),
        ("{adam.lr: [1, -1]}", "expected a number with 0 < x, got -1, swept.yaml:2:22 (sweep.adam.lr[1]). "
         "Fix: give lr (learning rate) a number with 0 < x, such as 0.001"),
        ("{adam.lr: [1, 1.0]}", "1.0 twice in the list, swept.yaml:2:22 (sweep.adam.lr[1]). Fix: remove one"),
        ("{adam.lrr: [1, 2]}", "unknown key 'lrr' for adam, swept.yaml:2:9 (sweep.adam.lrr). "
         "Fix: did you mean 'lr'?"),
        ("{adm.lr: [1]}", "unknown path 'adm.lr', swept.yaml:2:9 (sweep.adm.lr). Fix: did you mean 'adam'?"),
        ("{adam.lr: [1], optimizers.1.lr: [2]}", "'optimizers.1.lr' sweeps the same setting as 'adam.lr', "
         "swept.yaml:2:23 (sweep.optimizers.1.lr). Fix: keep one of them"),
        ("{train.seeds: [1, 2]}", "'train.seeds' cannot be swept, swept.yaml:2:9 (sweep.train.seeds). "
         "Fix: sweep settings of dataset, model, train or an optimizer"),
        ("{name: [a]}", "'name' cannot be swept, swept.yaml:2:9 (sweep.name). "
         "Fix: sweep settings of dataset, model, train or an optimizer"),
        ("{adam: [{name: sgd}]}", "'adam' cannot be swept as a whole, swept.yaml:2:9 (sweep.adam). "
         "Fix: sweep one of its settings, such as adam.lr"),
        ("{train.batch_size: [64, 128], dataset.samples: [100, 500]}", "batch_size 128 is more than the 100 "
         "training points, swept.yaml:2:32 (sweep.train.batch_size[1]). Fix: use at most 100, or more samples"),
        ("{model.hidden: [[8], [0]]}", "expected an integer with 1 <= x <= 4096, got 0, swept.yaml:2:30 "
         "(sweep.model.hidden[1][0]). Fix: give hidden (width of each hidden layer) a non-empty list of "
         "integers with 1 <= x <= 4096, such as [32, 32]"),
        ("{adam.lr: [1.0e16, 1.0e-16]}", "labels 'adam lr=1e+16' and 'adam lr=1e-16' are too alike to name files, "
         "swept.yaml:2:1 (sweep). Fix: shorten the optimizer's label, or sweep fewer keys at once"),
    ],
)  # fmt: skip
def test_what_cannot_be_swept_is_told_once_at_its_item(
    tmp_path: Path, sweep: str, message: str
) -> None:
    assert complaint(tmp_path, sweep) == message


def test_an_override_of_a_swept_setting_is_refused(tmp_path: Path) -> None:
    swept(tmp_path, "{adam.lr: [1, 2]}")
    with pytest.raises(AdamcliError, match=r"'adam.lr' is swept by the file, --set #1"):
        load(tmp_path / "swept.yaml", ["adam.lr=3"])
    again = load(tmp_path / "swept.yaml", ["sweep.adam.lr=[3]"])
    assert [run.label for run in again.runs] == ["sgdm", "adam lr=3.0"]


def test_too_many_runs_are_counted_and_not_made(tmp_path: Path) -> None:
    numbers = [i / 7 for i in range(1, 1001)]
    keys = ("lr", "beta1", "eps", "weight_decay")
    sweep = ", ".join(f"adam.{key}: {[x / 1000 for x in numbers]}" for key in keys)
    assert complaint(tmp_path, f"{{{sweep}}}").startswith(
        "1000000000001 runs would take about 3.08e+03 years of one core and 7.03e+05 TiB; "
        "1000000 runs are allowed, swept.yaml:2:1 (sweep). Fix: "
    )
