"""Experiments without a network: their files, and what is made of their results."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from adamcli import config
from adamcli.cli.main import run
from adamcli.config import Experiment
from adamcli.errors import ConfigError, ConfigErrors
from adamcli.problems import PROBLEMS, ObjectiveTask

ROSENBROCK = """\
name: valley
problem: {name: rosenbrock, steps: 10, noise: 0.1}
train: {epochs: 3, seeds: 2}
optimizers: [{name: sgdm, lr: 1.0e-4}, {name: adam, lr: 0.01}]
"""


def loaded(folder: Path, text: str, *overrides: str) -> Experiment:
    path = folder / "problem.yaml"
    path.write_text(text)
    return config.load(path, overrides)


def mistakes(folder: Path, text: str, *overrides: str) -> list[str]:
    """The first lines of what is wrong, without the folder."""
    with pytest.raises((ConfigError, ConfigErrors)) as caught:
        loaded(folder, text, *overrides)
    found = getattr(caught.value, "mistakes", [caught.value])
    return [str(each).splitlines()[0].replace(f"{folder}/", "") for each in found]


def test_a_problem_stands_in_place_of_dataset_and_model(tmp_path):
    experiment = loaded(tmp_path, ROSENBROCK)
    first = experiment.runs[0]
    expected = PROBLEMS["rosenbrock"](steps=10, noise=0.1)
    assert first.task == ObjectiveTask(objective=expected, epochs=3, dtype="float64", seed=0)
    assert first.kind == "surface"
    assert first.traced == ("x[0]", "x[1]")
    assert not {"dataset", "model"} & experiment.resolved.keys()
    again = loaded(tmp_path, experiment.to_yaml())
    assert (again, again.directory) == (experiment, experiment.directory)


def test_an_experiment_with_a_dataset_has_no_problem(tmp_path):
    assert "problem" not in loaded(tmp_path, "optimizers: [{name: adam}]").resolved


def test_settings_of_a_problem_are_set_and_swept(tmp_path):
    experiment = loaded(
        tmp_path, f"{ROSENBROCK}sweep: {{problem.noise: [0, 0.5]}}", "problem.size=4"
    )
    noises = [run.task.objective.noise for run in experiment.runs]
    assert noises == [0.0] * 4 + [0.5] * 4
    assert {run.task.objective.size for run in experiment.runs} == {4}
    assert {run.cell for run in experiment.runs} == {"noise=0.0", "noise=0.5"}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            ROSENBROCK + "dataset: {name: moons}",
            "dataset beside problem, problem.yaml:5:1 (dataset). Fix: keep one of the two",
        ),
        (
            ROSENBROCK.replace("rosenbrock", "rosenbrok"),
            "unknown problem 'rosenbrok', problem.yaml:2:17 (problem.name). "
            "Fix: did you mean 'rosenbrock'?",
        ),
        (
            ROSENBROCK.replace("noise", "nois"),
            "unknown key 'nois' for rosenbrock, problem.yaml:2:40 (problem.nois). "
            "Fix: did you mean 'noise'?",
        ),
        (
            ROSENBROCK.replace("seeds: 2", "seeds: 2, random: article"),
            "the article's stream is of a dataset, and this is a problem, "
            "problem.yaml:3:38 (train.random). Fix: use paired",
        ),
        (
            ROSENBROCK + "sweep: {dataset.noise: [1, 2]}",
            "'dataset.noise' cannot be swept: the experiment has no dataset, "
            "problem.yaml:5:9 (sweep.dataset.noise). Fix: sweep settings of problem",
        ),
        (
            ROSENBROCK + "trace: {params: ['x[2]']}",
            "no parameter 'x[2]', problem.yaml:5:18 (trace.params[0]). "
            "Fix: x has the entries x[0] to x[1]",
        ),
        (
            "problem: {}\noptimizers: [{name: adam}]",
            "missing key 'name', problem.yaml:1:10 (problem). "
            "Fix: add name: one of " + ", ".join(PROBLEMS),
        ),
    ],
    ids=["two", "name", "key", "stream", "sweep", "trace", "nothing"],
)
def test_mistakes_are_told_at_their_place(tmp_path, text, message):
    assert mistakes(tmp_path, text) == [message]


def test_a_surface_is_run_saved_shown_and_drawn_without_accuracies(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("valley.yaml").write_text(ROSENBROCK)
    assert run(["run", "valley.yaml", "--set", "sgdm.lr=1e300"]) == 0
    shown = capsys.readouterr().out
    assert "accuracy" not in shown
    assert "2 of 2 diverged" in shown
    assert run(["show", "valley"]) == 0
    assert capsys.readouterr().out == shown
    (folder,) = Path("outputs").glob("valley-*")
    rows = list(csv.DictReader((folder / "metrics.csv").read_text().splitlines()))
    assert {row["train_accuracy"] for row in rows} == {""}
    assert {row["label"] for row in rows} == {"adam"}
    (sgdm, adam) = json.loads((folder / "summary.json").read_text())
    assert [*adam["final"]] == [*sgdm["final"]] == ["train_loss"]
    assert np.isfinite(adam["final"]["train_loss"]["median"])
    assert (folder / "figures" / "curves.png").is_file()
    assert not (folder / "figures" / "boundary.png").exists()


def test_a_comparison_on_a_surface_ranks_by_its_height(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("valley.yaml").write_text(ROSENBROCK)
    command = ["compare", "--config", "valley.yaml", "sgdm", "adam", "--no-figures"]
    assert run(command) == 0
    assert "The lowest train loss wins a seed." in capsys.readouterr().out
    assert run([*command, "--json"]) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["results"][0]["test_accuracy"] is None
    assert sum(won["alone"] for won in document["wins"]) == 2


def test_a_coordinate_of_a_surface_is_traced(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("valley.yaml").write_text(ROSENBROCK)
    assert run(["run", "valley.yaml", "--no-figures"]) == 0
    assert "--param 'x[1]'" in capsys.readouterr().err
    assert run(["plot-trace", "--optimizer", "adam", "--param", "x[1]", "--seed", "1"]) == 0


def test_a_regression_is_run_shown_and_drawn_without_accuracies(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("wave.yaml").write_text(
        "dataset: {name: wave, samples: 80, test_samples: 30}\ntrain: {epochs: 2}\n"
        "optimizers: [{name: sgdm}, {name: adam}]"
    )
    assert run(["run", "wave.yaml"]) == 0
    captured = capsys.readouterr()
    assert "accuracy" not in captured.out
    assert "boundary" not in captured.err
    assert run(["compare", "--config", "wave.yaml", "sgdm", "adam", "--no-figures"]) == 0
    captured = capsys.readouterr()
    assert "The lowest test loss wins a seed." in captured.out
    assert "accuracy" not in captured.out
