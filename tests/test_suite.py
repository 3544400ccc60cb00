"""Suites: several problems in one file, each a cell of its own in everything that follows."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from conftest import ROOT
from test_problem_files import loaded, mistakes

from adamcli import config
from adamcli.cli.main import run
from adamcli.problems import PROBLEMS, NetworkTask, ObjectiveTask
from adamcli.problems.datasets import Moons

SUITE = """\
name: mixed
problems:
  - {label: two moons, dataset: {name: moons, samples: 80, test_samples: 40}, train: {epochs: 3}}
  - {label: wave, dataset: {name: wave, samples: 80, test_samples: 0}, model: {hidden: [5]}}
  - {label: valley, problem: {name: rosenbrock, steps: 10}}
  - {label: drift, problem: {name: drift, steps: 10}, train: {epochs: 4}}
train: {epochs: 2, batch_size: 40, seeds: 2}
optimizers: [{name: sgdm, lr: 1.0e-4}, {name: adam}]
"""


def test_every_problem_is_a_cell_with_its_own_training(tmp_path):
    experiment = loaded(tmp_path, SUITE)
    assert len(experiment.runs) == 4 * 2 * 2
    firsts = {run.problem: run for run in experiment.runs if run.seed == run.task.seed == 0}
    assert [*firsts] == ["two moons", "wave", "valley", "drift"]
    assert [run.cell for run in firsts.values()] == [*firsts]
    assert [run.task.epochs for run in firsts.values()] == [3, 2, 2, 4]
    assert [run.kind for run in firsts.values()] == ["network", "network", "surface", "stress"]
    assert firsts["drift"].label == "adam drift"
    moons, valley = firsts["two moons"].task, firsts["valley"].task
    assert isinstance(moons, NetworkTask)
    assert moons.dataset == Moons(samples=80, test_samples=40)
    assert (moons.batch_size, moons.model.hidden) == (40, (32, 32))
    assert isinstance(valley, ObjectiveTask)
    assert valley.objective == PROBLEMS["rosenbrock"](steps=10)
    assert {run.traced for run in experiment.runs} == {()}


def test_the_resolved_suite_says_nothing_twice_and_reads_back(tmp_path):
    experiment = loaded(tmp_path, SUITE)
    assert not {"dataset", "model", "problem"} & experiment.resolved.keys()
    entries = experiment.resolved["problems"]
    assert [[*entry] for entry in entries] == [
        ["label", "dataset", "model", "train"],
        ["label", "dataset", "model"],
        ["label", "problem"],
        ["label", "problem", "train"],
    ]
    assert entries[0]["train"] == {"epochs": 3}
    again = loaded(tmp_path, experiment.to_yaml())
    assert (again, again.directory) == (experiment, experiment.directory)
    assert "label: two moons" in experiment.annotated()
    assert loaded(tmp_path, experiment.annotated()) == experiment


def test_a_suite_is_overridden_and_swept_in_what_its_problems_share(tmp_path):
    experiment = loaded(
        tmp_path,
        SUITE + "sweep: {adam.lr: [0.1, 0.2], train.dtype: [float64, float32]}",
        "problems.2.problem.size=3",
        "problems[0].train.epochs=5",
    )
    assert len(experiment.runs) == 4 * 3 * 2 * 2
    labels = {run.label for run in experiment.runs if run.problem == "valley"}
    assert "adam valley lr=0.1 dtype=float32" in labels
    assert "sgdm valley dtype=float64" in labels
    sizes = {r.task.objective.size for r in experiment.runs if r.problem == "valley"}
    assert sizes == {3}
    assert {r.task.epochs for r in experiment.runs if r.problem == "two moons"} == {5}


def test_traced_parameters_are_recorded_where_they_exist(tmp_path):
    experiment = loaded(tmp_path, SUITE + "trace: {params: ['x[1]', 'W2[0,0]']}")
    traced = {run.problem: run.traced for run in experiment.runs if run.seed == 0}
    assert traced == {
        "two moons": ("W2[0,0]",),
        "wave": ("W2[0,0]",),
        "valley": ("x[1]",),
        "drift": ("x[1]",),
    }


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            ("label: wave", "label: valley"),
            "label 'valley' twice, mixed.yaml:5:13 (problems[2].label). "
            "Fix: give problems[2] a label of its own",
        ),
        (
            ("problem: {name: rosenbrock", "dataset: {name: xor}, problem: {name: rosenbrock"),
            "dataset beside problem, mixed.yaml:5:21 (problems[2].dataset). "
            "Fix: keep one of the two",
        ),
        (
            ("train: {epochs: 2,", "dataset: {name: xor}\ntrain: {epochs: 2,"),
            "dataset beside problems, mixed.yaml:7:1 (dataset). Fix: keep one of the two",
        ),
        (
            ("train: {epochs: 4}", "train: {seeds: 4}"),
            "unknown key 'seeds' for train of a problem, "
            "mixed.yaml:6:63 (problems[3].train.seeds). Fix: use one of epochs, batch_size",
        ),
        (
            ("name: wave, samples: 80", "name: wave, sampels: 80"),
            "unknown key 'sampels' for wave, mixed.yaml:4:41 (problems[1].dataset.sampels). "
            "Fix: did you mean 'samples'?",
        ),
        (
            ("name: wave, samples: 80", "name: wave, samples: 30"),
            "batch_size 40 is more than the 30 training points, mixed.yaml:7:32 "
            "(train.batch_size). Fix: use at most 30, or more samples",
        ),
        (
            ("optimizers:", "trace: {params: ['x[40]']}\noptimizers:"),
            "no parameter 'x[40]', mixed.yaml:8:18 (trace.params[0]). "
            "Fix: no array 'x'; there are W1, b1, W2, b2, W3, b3",
        ),
        (
            ("optimizers:", "sweep: {dataset.noise: [1, 2]}\noptimizers:"),
            "'dataset.noise' cannot be swept in a suite, mixed.yaml:8:9 (sweep.dataset.noise). "
            "Fix: list the problems that it makes",
        ),
        (
            ("optimizers:", "sweep: {train.epochs: [1, 2]}\noptimizers:"),
            "'train.epochs' cannot be swept: a problem of the suite has its own, "
            "mixed.yaml:8:9 (sweep.train.epochs). Fix: leave one of the two out",
        ),
        (
            ("label: wave, ", ""),
            "missing key 'label' for a problem, mixed.yaml:4:5 (problems[1].label). "
            "Fix: add label: its name in tables and figures",
        ),
    ],
    ids=["twice", "two", "beside", "own", "key", "batch", "trace", "sweep", "epochs", "unnamed"],
)
def test_mistakes_of_a_suite_are_told_at_their_place(tmp_path, change, message):
    text = SUITE.replace(*change)
    assert text != SUITE
    assert [each.replace("problem.yaml", "mixed.yaml") for each in mistakes(tmp_path, text)] == [
        message
    ]


def test_a_suite_is_run_shown_drawn_and_compared(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("mixed.yaml").write_text(SUITE)
    assert run(["run", "mixed.yaml"]) == 0
    shown = capsys.readouterr().out
    assert all(f"\n{label} " in shown for label in ("two moons", "wave", "valley", "drift"))
    (folder,) = Path("outputs").glob("mixed-*")
    figures = {path.name for path in (folder / "figures").iterdir()}
    assert {"boundary-two-moons.png", "curves-valley.png", "curves-wave.png"} <= figures
    finals = {s["cell"]: [*s["final"]] for s in json.loads((folder / "summary.json").read_text())}
    assert finals["wave"] == finals["valley"] == finals["drift"] == ["train_loss"]
    assert len(finals["two moons"]) == 4
    assert run(["show", "mixed"]) == 0
    assert capsys.readouterr().out == shown
    assert run(["plot-trace", "--optimizer", "adam", "--param", "x[1]"]) == 0
    assert "trace-adam-valley" in capsys.readouterr().out


def test_each_problem_of_a_suite_is_ranked_by_what_it_has(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("mixed.yaml").write_text(SUITE)
    command = ["compare", "--config", "mixed.yaml", "sgdm", "adam", "--no-figures"]
    assert run(command) == 0
    shown = capsys.readouterr().out
    meaning = "The lowest test loss, or train loss where there is no other, wins a seed."
    assert meaning in " ".join(shown.split())
    assert run([*command, "--json"]) == 0
    wins = json.loads(capsys.readouterr().out)["wins"]
    assert sum(won["alone"] + won["shared"] / 2 for won in wins) == 4 * 2


def test_the_shipped_suite_has_twelve_problems_or_more_of_every_kind():
    runs = config.load(ROOT / "configs/suite.yaml").runs
    assert len({run.problem for run in runs}) >= 12
    assert {run.kind for run in runs} == {"network", "surface", "stress"}


def test_problems_of_a_kind_are_put_together_in_words_json_and_a_figure(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mixed.yaml").write_text(SUITE)
    assert run(["run", "mixed.yaml", "--json", "--seeds", "6"]) == 0
    told = json.loads(capsys.readouterr().out)
    (networks,) = told["aggregates"]
    assert (networks["kind"], networks["problems"]) == ("network", ["two moons", "wave"])
    assert networks["seeds"] == 6
    assert [each["optimizer"] for each in networks["standings"]] == ["sgdm", "adam"]
    assert all(
        0 <= each["low"] <= each["iqm"] <= each["high"] <= 1 for each in networks["standings"]
    )
    assert len(networks["contrasts"]) == 1
    assert "profile.png" in [Path(path).name for path in told["figures"]]
    assert run(["show"]) == 0
    assert "Across 2 networks, 6 seeds each" in capsys.readouterr().out
