"""Figures of several seeds: every final value, paired differences, time to target."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from test_figures import (
    HOSTILE,
    TRIO,
    Named,
    Result,
    diverged,
    drawn,
    legend,
    lines,
    names,
    panel,
    run,
    texts,
    trained,
    trio,
)

from adamcli import figures, stats
from adamcli.figures.style import WIDTH
from adamcli.figures.targets import shares
from adamcli.palette import RULE_STYLES
from adamcli.problems.datasets import Moons, Spiral
from adamcli.stats import Target

SEEDS = 6
NEW = ("seeds", "targets")


def with_metric(result: Result, metric: str, values: dict[tuple[str, int], list[float]]) -> Result:
    """The result with one metric of every run replaced, by label and seed."""
    histories = [
        dataclasses.replace(h, metrics={**h.metrics, metric: np.array(values[h.key])})
        for h in result.histories
    ]
    return Result(result.experiment, tuple(histories))


def finals(result: Result, label: str) -> list[float]:
    """Final test losses in the order of the seeds."""
    return [stats.final(h, "test_loss") for h in result.histories if h.label == label]


def dots(axes, label: str):
    """The seeds of a label in a panel: a line without a dash, of several points."""
    found = lines(axes, RULE_STYLES[label].colour)
    return next(line for line in found if line.get_marker() == RULE_STYLES[label].marker)


def average(axes, label: str) -> float:
    (value,) = lines(axes, RULE_STYLES[label].colour)[-1].get_ydata()
    return float(value)


def intervals(axes) -> list[list[float]]:
    """The ends of all intervals in a panel, from left to right."""
    return [[*line.get_ydata()] for line in axes.get_lines() if line.get_marker() == "_"]


# What is planned


def test_several_labels_with_several_seeds_have_both_figures():
    assert names(trio(SEEDS))[:3] == ["curves", *NEW]
    assert not {*NEW} & {*names(trio())}
    alone = trained(*(run("adam", seed=seed) for seed in range(3)))
    assert not {*NEW} & {*names(alone)}


def test_labels_with_one_seed_are_left_out():
    result = trio(SEEDS)
    some = Result(result.experiment, result.histories[: SEEDS + 1])
    assert not {*NEW} & {*names(some)}
    some = Result(result.experiment, result.histories[: 2 * SEEDS + 1])
    assert legend(drawn(some, "seeds")) == legend(drawn(some, "targets")) == ["sgdm", "rmsprop"]


def test_cells_have_figures_of_their_own_up_to_four():
    runs = [
        run(f"{name} n={cell}", name, cell=f"n={cell}", seed=seed, dataset=Moons(), epochs=1)
        for cell in range(5)
        for name in ("sgdm", "adam")
        for seed in range(2)
    ]
    result = trained(*runs)
    found = names(result)
    for name in NEW:
        assert [x for x in found if x.startswith(name)] == [f"{name}-n={k}" for k in range(4)]
        left_out = f"{name}: the first 4 of 5 cells, the others are left out"
        assert left_out in figures.plan(result)[1]
        assert legend(drawn(result, f"{name}-n=2")) == ["sgdm", "adam"]
        assert "test, n=2" in texts(drawn(result, f"{name}-n=2"))


# Seeds


def test_every_seed_is_a_point_at_its_final_loss():
    result = trio(SEEDS)
    axes = panel(drawn(result, "seeds"), "final test loss")
    spreads = {each.label: each.final["test_loss"] for each in stats.summarize(result.histories)}
    assert axes.get_yscale() == "log"
    for place, label in enumerate(TRIO):
        points = dots(axes, label)
        np.testing.assert_array_equal(points.get_ydata(), finals(result, label))
        assert np.all(np.abs(points.get_xdata() - place) < 0.5)
        assert average(axes, label) == spreads[label].iqm
    bars = [line.get_ydata() for line in axes.get_lines() if len({*line.get_ydata()}) == 1]
    medians = [float(np.median(finals(result, label))) for label in TRIO]
    assert medians == [bar[0] for bar in bars if len(bar) == 2]
    assert intervals(axes) == [[spreads[label].low, spreads[label].high] for label in TRIO]


def test_differences_are_ratios_to_the_best_label_at_the_same_seed():
    result = trio(SEEDS)
    medians = {label: np.median(finals(result, label)) for label in TRIO}
    best = min(medians, key=lambda label: medians[label])
    axes = panel(drawn(result, "seeds"), f"test loss divided by that of {best}")
    others = [label for label in TRIO if label != best]
    assert not lines(axes, RULE_STYLES[best].colour)
    ends = []
    for label in others:
        ratios = np.divide(finals(result, label), finals(result, best))
        np.testing.assert_allclose(dots(axes, label).get_ydata(), ratios, rtol=1e-14)
        assert average(axes, label) == pytest.approx(math.exp(np.log(ratios).mean()), rel=1e-12)
        # With the best label last, the verdict is about the ratio that is drawn.
        both = [h for name in (label, best) for h in result.histories if h.label == name]
        verdict = stats.verdicts(both, ())[0]
        ends.append([math.exp(verdict.low), math.exp(verdict.high)])
    np.testing.assert_allclose(intervals(axes), ends, rtol=1e-12)


def test_the_line_of_no_difference_is_marked():
    (line, *_) = panel(drawn(trio(SEEDS), "seeds"), "test loss divided").get_lines()
    assert [*line.get_ydata()] == [1.0, 1.0]
    assert [*line.get_xdata()] == [0, 1]


def test_a_seed_has_the_same_place_in_every_column():
    figure = drawn(trio(SEEDS), "seeds")
    places = {
        tuple(np.round(dots(axes, label).get_xdata() % 1, 9))
        for axes in figure.axes
        for label in TRIO
        if lines(axes, RULE_STYLES[label].colour)
    }
    assert len(places) == 1
    assert len({*places.pop()}) == SEEDS


def test_a_diverged_seed_is_a_cross_at_the_edge_and_leaves_no_mean():
    result = diverged(trio(SEEDS), [1], epochs=1)  # of sgdm
    figure = drawn(result, "seeds")
    axes = panel(figure, "final")
    (cross,) = [line for line in axes.get_lines() if line.get_marker() == "x"]
    assert cross.get_color() == RULE_STYLES["sgdm"].colour
    assert [*cross.get_ydata()] == [axes.get_ylim()[1]]
    assert len(dots(axes, "sgdm").get_ydata()) == SEEDS - 1
    assert len(intervals(axes)) == 3
    assert len(intervals(figure.axes[1])) == 1


def test_losses_below_zero_are_drawn_as_differences():
    result = trio(SEEDS)
    values = {
        h.key: [0.0, 0.0, h.seed / 10 - 1 - ["adam", "sgdm", "rmsprop"].index(h.label)]
        for h in result.histories
    }
    figure = drawn(with_metric(result, "test_loss", values), "seeds")
    axes = panel(figure, "test loss minus that of rmsprop")
    assert axes.get_yscale() == "linear"
    assert [*axes.get_lines()[0].get_ydata()] == [0.0, 0.0]
    assert average(axes, "sgdm") == pytest.approx(1)
    assert average(axes, "adam") == pytest.approx(2)


# Targets


def test_shares_climb_at_every_hit_and_misses_stay_below_one():
    accuracies = {
        ("adam", 0): [0.1, 0.95, 0.2],
        ("adam", 1): [0.1, 0.2, 0.9],
        ("adam", 2): [0.1, 0.2, 0.899],
        ("adam", 3): [0.1, 0.91, 0.9],
    }
    runs = trained(*(run("adam", seed=seed) for seed in range(4)))
    histories = with_metric(runs, "test_accuracy", accuracies).histories
    epochs, reached = shares(histories, Target("test_accuracy", 0.9), 3)
    assert [*epochs] == [0, 2, 3, 3]
    assert [*reached] == [0, 0.5, 0.75, 0.75]
    epochs, reached = shares(histories, Target("test_accuracy", 0.99), 3)
    assert ([*epochs], [*reached]) == ([0, 3], [0, 0])


def test_each_target_has_a_panel_with_a_line_per_label():
    figure = drawn(trio(SEEDS), "targets")
    titles = [axes.get_title(loc="left") for axes in figure.axes]
    assert titles == [f"{x} % test accuracy" for x in (90, 95, 99)]
    for axes in figure.axes:
        for label in TRIO:
            (line,) = lines(axes, RULE_STYLES[label].colour)
            assert line.get_drawstyle() == "steps-post"
            assert line.get_marker() == RULE_STYLES[label].marker


def test_without_test_data_the_targets_are_of_training():
    data = Spiral(samples=100, test_samples=0)
    result = trained(*(run(n, n, seed=s, dataset=data) for n in ("sgdm", "adam") for s in (0, 1)))
    assert panel(drawn(result, "targets"), "90 % train accuracy")
    assert panel(drawn(result, "seeds"), "final train loss")


# Both


@pytest.mark.parametrize("name", NEW)
def test_all_runs_may_diverge(name):
    for epochs in (0, 1):
        result = diverged(trio(SEEDS), range(3 * SEEDS), epochs)
        if name in names(result):
            assert figures.render(drawn(result, name), "png")


@pytest.mark.parametrize("loss", [1e308, 5e-324, 0.0, 1e-30, -1e300])
def test_any_loss_can_be_drawn(loss):
    result = trio(SEEDS)
    values = {h.key: [1.0, 1.0, loss if h.label == "adam" else 0.5] for h in result.histories}
    assert figures.render(drawn(with_metric(result, "test_loss", values), "seeds"), "png")


@pytest.mark.parametrize("name", NEW)
@pytest.mark.parametrize("kind", figures.FORMATS)
def test_hostile_labels_can_be_drawn_and_the_legend_is_below(name, kind):
    one = trained(run("adam", epochs=1))
    runs, histories = one.experiment.runs[0], one.histories[0]
    keys = [(label, seed) for label in HOSTILE[:12] for seed in (0, 1)]
    many = Result(
        Named("_$x$", tuple(dataclasses.replace(runs, label=x, seed=s) for x, s in keys)),
        tuple(dataclasses.replace(histories, label=x, seed=s) for x, s in keys),
    )
    figure = drawn(many, name)
    assert figures.render(figure, kind)
    box = figure.legends[0].get_window_extent()
    lowest = min(axes.get_tightbbox().y0 for axes in figure.axes)
    assert box.x0 >= 0
    assert box.x1 <= WIDTH * figure.dpi
    assert 0 <= box.y0 < box.y1 <= lowest
