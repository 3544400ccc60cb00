"""Figures of problems that are no classification: ways over surfaces, fits of a regression."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_problem_files import loaded

from adamcli import figures
from adamcli.figures import fit, surface
from adamcli.figures.subject import Subject
from adamcli.problems import PROBLEMS, predict
from adamcli.runner import train_runs

SURFACES = """\
name: ways
problems:
  - {label: bent valley, problem: {name: rosenbrock, steps: 10}}
  - {label: saddle, problem: {name: saddle, steps: 10, noise: 0.1}}
  - {label: three, problem: {name: rosenbrock, size: 3, steps: 10}}
  - {label: bowl, problem: {name: quadratic, size: 2, steps: 10}}
  - {label: wave, dataset: {name: wave, samples: 70}, train: {batch_size: 70}}
train: {epochs: 3, seeds: 2}
optimizers: [{name: sgdm, lr: 0.001}, {name: adam, lr: 0.05}]
trace: {params: ["x[0]", "x[1]"]}
"""


class Trained:
    """An experiment with its histories, as figures take it."""

    def __init__(self, folder: Path, text: str, *overrides: str) -> None:
        self.experiment = loaded(folder, text, *overrides)
        done = {h.key: h for p in train_runs(self.experiment.runs, 1) for h in p.finished}
        self.histories = [done[run.label, run.seed] for run in self.experiment.runs]


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    return Trained(tmp_path_factory.mktemp("ways"), SURFACES)


def test_every_surface_of_two_parameters_and_every_fit_is_drawn(result):
    plans, notes = figures.plan(result)
    names = {plan.name for plan in plans}
    assert {name for name in names if name.startswith(("surface", "fit"))} == {
        "surface-bent-valley",
        "surface-saddle",
        "fit-wave",
    }
    assert all(note.startswith("seeds: the first 4 of 5 cells") for note in notes)
    for each in plans:
        if each.name.startswith(("surface", "fit", "curves")):
            assert figures.render(each.draw(), "png").startswith(b"\x89PNG")


def test_a_path_begins_at_the_start_and_ends_where_the_run_does(result):
    for one in Subject.of(result).cells()["saddle"][::2]:
        path = surface._path(one)
        assert path.points.shape == (31, 2)
        np.testing.assert_allclose(path.points[-1], one.history.params["x"], rtol=1e-12)
        low, high = np.array(PROBLEMS["saddle"]().box).T
        assert ((low <= path.points[0]) & (path.points[0] <= high)).all()


def test_a_surface_is_not_drawn_without_both_coordinates(tmp_path):
    traced = Trained(tmp_path, SURFACES, "trace.params=['x[0]']")
    assert surface.plans(Subject.of(traced)) == ([], [])


def test_what_is_shown_of_a_surface_has_the_starts_and_bounds_the_paths():
    rosenbrock = PROBLEMS["rosenbrock"]()
    near, far = np.array([[0.0, 0.0], [3.0, 0.0]]), np.array([[np.nan, 1.0], [1e9, -1e9]])
    (left, right), (bottom, top) = surface.limits_of(rosenbrock, [near])
    assert (left < -2, right > 3, bottom < -2, top > 2) == (True,) * 4
    (left, right), (bottom, top) = surface.limits_of(rosenbrock, [near, far])
    assert (right < 5, bottom > -5) == (True, True)


@pytest.mark.parametrize("lr", ["1e3", "1e300"])
def test_a_path_that_leaves_the_surface_can_be_drawn(tmp_path, lr):
    wild = Trained(tmp_path, SURFACES, f"sgdm.lr={lr}")
    plans, _ = figures.plan(wild)
    for each in plans:
        if each.name.startswith(("surface", "fit", "curves")):
            assert figures.render(each.draw(), "png")


def test_the_curve_of_a_fit_is_what_the_network_predicts(result):
    (plan,), _ = fit.plans(Subject.of(result))
    lines = {line.get_color(): line for line in plan.draw().axes[0].lines}
    one = next(x for x in Subject.of(result).trained if x.run.label == "adam wave")
    line = lines[Subject.of(result).styles["adam wave"].colour]
    params = np.concatenate(
        [one.history.params[t.name].ravel() for t in one.run.task.layout.tensors]
    )
    expected = predict(one.run.task, params, line.get_xdata()[:, None])[:, 0]
    np.testing.assert_allclose(line.get_ydata(), expected)
