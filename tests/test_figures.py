"""Figures: what they show, drawn from trained runs, for any label and any numbers."""

from __future__ import annotations

import dataclasses
import io
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from conftest import ROOT
from matplotlib.text import Text
from stacks import rule, task

from adamcli import figures
from adamcli.config import Run, Tuning
from adamcli.figures.boundary import accuracy, class_names
from adamcli.figures.curves import curve
from adamcli.figures.fields import extent_of, field, split_of
from adamcli.figures.glyphs import drawable
from adamcli.figures.png import encode
from adamcli.figures.scales import limits, log_ticks, plain, power, shown
from adamcli.figures.style import WIDTH
from adamcli.history import RunHistory
from adamcli.optimizers import Wrapping
from adamcli.palette import RULE_STYLES, run_styles, setting_of
from adamcli.problems import DATASETS, predict
from adamcli.problems.datasets import Blobs, Moons, Spiral
from adamcli.runner import train_runs
from adamcli.schedules import Constant
from adamcli.stats import Place

TRIO = ("sgdm", "rmsprop", "adam")

HOSTILE = (
    "$\\foo$",
    "Ba$$in",
    "$\\frac{$",
    "_x",
    "__",
    "优化器",
    "adam 😀👩‍🔬",
    "[red]x[/]",
    "<b>&--><script>",
    "%s {0} \\n",
    "é ñ ﬁ ∇ θ̂",
    "l" * 100,
    "\x1b[31m\u202e\ud800",
)


@dataclass(frozen=True)
class Named:
    """An experiment as figures see it."""

    name: str
    runs: tuple[Run, ...]
    tuning: Tuning | None = None
    rates: tuple[str, ...] = ()

    @property
    def places(self):
        return {run.label: Place(run.kind, setting_of(run.label, run.cell)) for run in self.runs}


@dataclass(frozen=True)
class Result:
    experiment: Named
    histories: tuple[RunHistory, ...]


def run(label: str, optimizer: str = "adam", *, cell: str = "", seed: int = 0, **changes) -> Run:
    """A run on the small spiral of `stacks`, traced for the first seed."""
    settings = changes.pop("settings", {})
    return Run(
        label=label,
        optimizer=optimizer,
        cell=cell,
        seed=seed,
        rule=rule(optimizer, **settings),
        schedule=Constant(),
        clip_norm=None,
        wrapping=Wrapping(),
        task=task(seed=seed, **changes),
        eval_every=1,
        traced=("W1[0,0]",) if seed == 0 else (),
    )


def trained(*runs: Run, name: str = "test") -> Result:
    """The result of training runs."""
    progress = [item for news in train_runs(runs, jobs=1) for item in news.finished]
    histories = {history.key: history for history in progress}
    return Result(Named(name, runs), tuple(histories[run.label, run.seed] for run in runs))


@cache
def trio(seeds: int = 1) -> Result:
    """Three rules at some seeds."""
    return trained(*(run(name, name, seed=seed) for name in TRIO for seed in range(seeds)))


def diverged(result: Result, places: Sequence[int], epochs: int) -> Result:
    """The result with some runs ended by divergence after so many epochs."""
    histories = list(result.histories)
    for place in places:
        whole = histories[place]
        steps = 4 * epochs
        histories[place] = dataclasses.replace(
            whole,
            diverged_at=steps + 1,
            epochs=whole.epochs[:epochs],
            steps=whole.steps[:epochs],
            metrics={name: values[:epochs] for name, values in whole.metrics.items()},
            traces={
                param: {name: values[:steps] for name, values in series.items()}
                for param, series in whole.traces.items()
            },
        )
    return Result(result.experiment, tuple(histories))


def relabelled(result: Result, labels: Sequence[str]) -> Result:
    """The result with other labels."""
    runs = [
        dataclasses.replace(r, label=label)
        for r, label in zip(result.experiment.runs, labels, strict=True)
    ]
    histories = [
        dataclasses.replace(h, label=label)
        for h, label in zip(result.histories, labels, strict=True)
    ]
    return Result(Named(result.experiment.name, tuple(runs)), tuple(histories))


def drawn(result: Result, name: str):
    """One figure of a result."""
    plans, _ = figures.plan(result)
    return next(plan for plan in plans if plan.name == name).draw()


def names(result: Result) -> list[str]:
    return [plan.name for plan in figures.plan(result)[0]]


def texts(figure) -> list[str]:
    """All text artists of a figure that are not empty."""
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def legend(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def panel(figure, title: str):
    """The axes with a title that starts so."""
    return next(a for a in figure.axes if a.get_title(loc="left").startswith(title))


def lines(axes, colour: str) -> list:
    return [line for line in axes.get_lines() if line.get_color() == colour]


# What is planned


def test_a_run_has_curves_a_boundary_and_a_trace_per_label():
    assert names(trio()) == ["curves", "boundary", "trace-sgdm", "trace-rmsprop", "trace-adam"]
    assert figures.plan(trio())[1] == []


def test_a_sweep_has_curves_per_cell_and_one_boundary():
    runs = [
        run(f"{name} noise={noise}", name, cell=f"noise={noise}", dataset=Moons(noise=noise))
        for noise in (0.1, 0.2)
        for name in ("sgdm", "adam")
    ]
    result = trained(*runs)
    assert names(result)[:4] == ["curves-noise=0.1", "curves-noise=0.2", "profile", "boundary"]
    figure = drawn(result, "curves-noise=0.2")
    assert legend(figure) == ["sgdm", "adam"]
    assert "test, noise=0.2" in texts(figure)
    assert len(panel(figure, "training loss").get_lines()) == 2 + 1  # and the ticks
    boundary = [axes for axes in drawn(result, "boundary").axes if axes.images]
    assert len(boundary) == 4 + 1  # and the scale of colours


def test_runs_without_a_history_are_left_out():
    result = trio()
    some = Result(result.experiment, result.histories[1:])
    assert names(some) == ["curves", "boundary", "trace-rmsprop", "trace-adam"]
    assert figures.plan(Result(result.experiment, ())) == ([], [])


def test_more_than_twelve_of_anything_is_said_and_left_out():
    labels = [f"adam {k}" for k in range(14)]
    one = trained(run("adam", epochs=1))
    result = Result(
        Named("many", tuple(dataclasses.replace(one.experiment.runs[0], label=x) for x in labels)),
        tuple(dataclasses.replace(one.histories[0], label=x) for x in labels),
    )
    plans, notes = figures.plan(result)
    assert len(plans) == 1 + 1 + 12
    assert notes == [
        "boundary: the first 12 of 14 maps, the others are left out",
        "trace: the first 12 of 14 labels, the others are left out",
    ]
    assert legend(drawn(result, "curves")) == labels


def test_inputs_of_other_dimensions_have_no_map_and_a_note(tmp_path):
    path = tmp_path / "three.csv"
    rows = [f"{k % 7},{k % 5},{k % 3},{k % 2}" for k in range(40)]
    path.write_text("a,b,c,target\n" + "\n".join(rows))
    result = trained(run("adam", dataset=DATASETS["file"](path=str(path)), batch_size=8))
    assert names(result) == ["curves", "trace-adam"]
    assert figures.plan(result)[1] == ["boundary: left out, the inputs are not two-dimensional"]


# Curves


def test_curves_have_log_axes_but_for_the_accuracy():
    figure = drawn(trio(), "curves")
    scales = {axes.get_title(loc="left"): axes.get_yscale() for axes in figure.axes}
    assert scales == {
        "training loss": "log",
        "accuracy (solid: training, dashed: test)": "linear",
        "gradient norm, last batch of the epoch": "log",
        "mean update |Δθ|, last step of the epoch": "log",
    }


def test_a_line_shows_the_recorded_numbers_in_the_style_of_its_rule():
    result = trio()
    style = RULE_STYLES["rmsprop"]
    (line,) = lines(panel(drawn(result, "curves"), "training loss"), style.colour)
    np.testing.assert_array_equal(line.get_ydata(), result.histories[1].metrics["train_loss"])
    np.testing.assert_array_equal(line.get_xdata(), [1, 2, 3])
    assert line.get_marker() == style.marker


def test_test_accuracy_is_dashed_and_left_out_where_there_is_none():
    both = lines(panel(drawn(trio(), "curves"), "accuracy"), RULE_STYLES["adam"].colour)
    assert [line.is_dashed() for line in both] == [False, True]
    alone = trained(run("adam", dataset=Spiral(samples=100, test_samples=0)))
    axes = panel(drawn(alone, "curves"), "training accuracy")
    assert len(lines(axes, RULE_STYLES["adam"].colour)) == 1


def test_several_seeds_are_a_median_with_a_band_and_faint_lines():
    result = trio(5)
    figure = drawn(result, "curves")
    axes = panel(figure, "training loss")
    (line,) = lines(axes, RULE_STYLES["sgdm"].colour)
    losses = [h.metrics["train_loss"] for h in result.histories if h.label == "sgdm"]
    np.testing.assert_allclose(line.get_ydata(), np.median(losses, axis=0), rtol=1e-15)
    assert len(axes.collections) == 2 * len(TRIO)
    assert "median of 5 seeds; band: their middle half; faint: single seeds" in texts(figure)


def test_a_diverged_run_ends_in_a_cross_and_the_legend_says_so():
    figure = drawn(diverged(trio(), [0], epochs=2), "curves")
    assert legend(figure) == ["sgdm (diverged at step 9)", "rmsprop", "adam"]
    line, cross = lines(panel(figure, "training loss"), RULE_STYLES["sgdm"].colour)
    assert cross.get_marker() == "x"
    assert [*cross.get_xdata()] == [2]
    assert [*line.get_xdata()] == [1, 2]


def test_the_legend_counts_diverged_seeds():
    result = diverged(trio(5), [0, 2, 3], epochs=1)
    figure = drawn(result, "curves")
    assert legend(figure) == ["sgdm (3 of 5 diverged)", "rmsprop", "adam"]
    line, _ = lines(panel(figure, "training loss"), RULE_STYLES["sgdm"].colour)
    assert np.isfinite(line.get_ydata()).tolist() == [True, False, False]


@pytest.mark.parametrize("epochs", [0, 1])
def test_all_runs_may_diverge(epochs):
    result = diverged(trio(), [0, 1, 2], epochs)
    for plan in figures.plan(result)[0]:
        assert figures.render(plan.draw(), "png").startswith(b"\x89PNG")


def test_a_diverged_seed_is_the_worst_one_and_has_no_gradient():
    histories = diverged(trio(5), [0, 1], epochs=1).histories[:5]
    loss, accuracy_, norm = (
        curve(histories, name) for name in ("train_loss", "train_accuracy", "grad_norm")
    )
    left = np.array([history.metrics["train_loss"][-1] for history in histories[2:]])
    assert loss.median[-1] == left.max()
    assert loss.high[-1] > 1e30
    assert accuracy_.low[-1] < -1e30
    assert norm.median[-1] == np.median([h.metrics["grad_norm"][-1] for h in histories[2:]])


@pytest.mark.parametrize(
    "values",
    [
        [1e308, -1e308, 0.5],
        [np.nan, np.nan, np.nan],
        [np.inf, -np.inf, 0.0],
        [5e-324, 1e-310, 0.0],
        [0.0, 0.0, 0.0],
        [1e29, 1e-29, 1.0],
    ],
)
def test_any_numbers_can_be_drawn(values):
    result = trained(run("adam"))
    whole = result.histories[0]
    odd = np.array(values)
    history = dataclasses.replace(
        whole,
        metrics=dict.fromkeys(whole.metrics, odd),
        traces={"W1[0,0]": {name: np.tile(odd, 100) for name in whole.traces["W1[0,0]"]}},
    )
    for plan in figures.plan(Result(result.experiment, (history,)))[0]:
        assert figures.render(plan.draw(), "png")


# Labels


@cache
def hostile() -> Result:
    one = trained(run("adam", epochs=1))
    many = Result(
        Named("_$x$ 优", one.experiment.runs * len(HOSTILE)), one.histories * len(HOSTILE)
    )
    return relabelled(many, HOSTILE)


@pytest.mark.parametrize("kind", figures.FORMATS)
def test_hostile_labels_can_be_drawn(kind):
    for plan in figures.plan(hostile())[0][:3]:
        assert figures.render(plan.draw(), kind)


def test_the_legend_lists_every_label_literally():
    entries = legend(drawn(hostile(), "curves"))
    assert len(entries) == len(HOSTILE)
    for entry, label in zip(entries, HOSTILE, strict=True):
        assert entry == label or not label.isascii() or not label.isprintable()
    assert entries[-1] == "\\x1b[31m\\u202e\\ud800"


def test_characters_without_a_glyph_are_drawn_as_escapes():
    nowhere = "\U0010fffd"  # private use, so in no font but those that have a box for all
    assert drawable(f"a{nowhere}b")[0] == "a\\U0010fffdb"
    assert drawable("θ ∇ é m̂")[0] == "θ ∇ é m̂"


def test_characters_of_another_installed_font_are_drawn_in_it():
    only_stix = "\u29b5"  # a circle with a bar; STIX comes with Matplotlib, as DejaVu does
    words, families = drawable(f"a{only_stix}b")
    assert words == f"a{only_stix}b"
    assert families[0] == "DejaVu Sans"
    assert len(families) == 2


def test_texts_are_cut_by_their_drawn_width():
    assert drawable("a" * 30, limit=10)[0] == "a" * 9 + "…"
    assert len(drawable("\U0010fffd" * 30, limit=25)[0]) <= 25


@pytest.mark.parametrize("count", [1, 4, 14])
def test_the_legend_lies_below_the_panels_and_within_the_page(count):
    labels = [f"adam with a rather long label {k}" for k in range(count)]
    one = trained(run("adam", epochs=1))
    many = Result(Named("x", one.experiment.runs * count), one.histories * count)
    figure = drawn(relabelled(many, labels), "curves")
    figures.render(figure, "png")
    box = figure.legends[0].get_window_extent()
    lowest = min(axes.get_tightbbox().y0 for axes in figure.axes)
    assert box.x0 >= 0
    assert box.x1 <= WIDTH * figure.dpi
    assert 0 <= box.y0 < box.y1 <= lowest


# Maps


def test_a_field_is_what_the_network_predicts():
    result = trained(run("adam"))
    one, history = result.experiment.runs[0], result.histories[0]
    extent = extent_of([split_of(one.task)])
    predictions = field(one.task, history, extent)
    first, second = predictions.coordinates
    points = np.stack([first, np.full_like(first, second[7])], axis=1)
    flat = np.concatenate([values.ravel() for values in history.params.values()])
    expected = predict(one.task, flat, points)
    np.testing.assert_allclose(predictions.chances[7], expected, rtol=1e-12, atol=1e-14)


def test_the_extent_holds_all_points():
    split = split_of(task())
    extent = extent_of([split])
    assert extent.left < split.train_x[:, 0].min() < split.train_x[:, 0].max() < extent.right
    assert extent.bottom < split.train_x[:, 1].min() < split.train_x[:, 1].max() < extent.top


def test_margins_are_zero_on_the_boundary_between_classes():
    from adamcli.figures.fields import Extent, Field

    chances = np.array([[[0.5, 0.5, 0.0], [0.7, 0.2, 0.1]], [[0.1, 0.6, 0.3], [0.2, 0.2, 0.6]]])
    margins = Field(Extent(0, 1, 0, 1), chances).margins()
    np.testing.assert_allclose(margins[0], [[0.0, 0.5], [-0.5, -0.4]])
    np.testing.assert_allclose(margins[1], [[0.0, -0.5], [0.3, -0.4]])


def test_a_large_network_is_asked_at_fewer_points():
    from adamcli.problems import MLP

    result = trained(run("adam", epochs=1, model=MLP(hidden=(300, 300))))
    one, history = result.experiment.runs[0], result.histories[0]
    side = len(field(one.task, history, extent_of([split_of(one.task)])).chances)
    assert 40 <= side < 200


def test_maps_share_their_extent_and_their_titles_tell_the_accuracy():
    result = trio()
    figure = drawn(result, "boundary")
    maps = [axes for axes in figure.axes if axes.images][:3]
    assert len({(*axes.get_xlim(), *axes.get_ylim()) for axes in maps}) == 1
    for history in result.histories:
        share = history.metrics["test_accuracy"][-1]
        assert f"test accuracy {100 * share:.2f}%" in texts(figure)
    assert "probability of class 1" in texts(figure)


def test_the_accuracy_is_that_of_the_map_and_the_median_over_seeds():
    histories = trio(5).histories[:5]
    finals = [history.metrics["test_accuracy"][-1] for history in histories]
    own, median = 100 * finals[0], 100 * np.median(finals)
    assert accuracy(histories) == f"{own:.2f}%, median {median:.2f}%"
    assert accuracy(diverged(trio(5), [0], 1).histories[:5]) == "diverged at step 5"


def test_a_diverged_run_has_points_but_no_field():
    figure = drawn(diverged(trio(), [0], epochs=1), "boundary")
    assert len([axes for axes in figure.axes if axes.images]) == 2 + 1
    assert "diverged at step 5" in texts(figure)


@pytest.mark.parametrize("logit", [0.0, 50.0])
def test_a_network_that_knows_one_class_has_a_map_without_a_boundary(logit):
    result = trained(run("adam", epochs=1))
    params = {name: np.zeros_like(array) for name, array in result.histories[0].params.items()}
    params["b3"] = np.full(1, logit)
    history = dataclasses.replace(result.histories[0], params=params)
    figure = drawn(Result(result.experiment, (history,)), "boundary")
    assert not [c for axes in figure.axes for c in axes.collections]


def test_more_than_two_classes_have_a_key_and_no_scale():
    result = trained(run("adam", dataset=Blobs(samples=100, test_samples=50, blobs=5)))
    shown_texts = texts(drawn(result, "boundary"))
    assert [f"class {k}" in shown_texts for k in range(6)] == [True] * 5 + [False]
    assert "probability of class 1" not in shown_texts


def own_data(path, classes: Sequence[str]):
    """A dataset in a file with two inputs."""
    rows = [f"{k % 7},{k % 5},{classes[k % len(classes)]}" for k in range(3 * len(classes))]
    path.write_text("a,b,target\n" + "\n".join(rows))
    return DATASETS["file"](path=str(path))


def test_classes_have_the_names_of_the_users_file(tmp_path):
    beans = own_data(tmp_path / "beans.csv", ["_kidney", "$black$"])
    shown_texts = texts(drawn(trained(run("adam", dataset=beans, batch_size=2)), "boundary"))
    assert {"_kidney", "$black$", "probability of _kidney"} <= {*shown_texts}
    numbers = own_data(tmp_path / "numbers.csv", ["-1", "1"])
    assert class_names(numbers) == ["class -1", "class 1"]


@pytest.mark.parametrize("classes", [2, 5, 20, 100])
def test_the_key_lies_below_the_maps_and_within_the_page(tmp_path, classes):
    data = own_data(tmp_path / "data.csv", [f"a rather long name {k}" for k in range(classes)])
    figure = drawn(trained(run("adam", dataset=data, batch_size=4)), "boundary")
    figures.render(figure, "png")
    (legend_,) = [axes.get_legend() for axes in figure.axes if axes.get_legend()]
    box, maps = legend_.get_window_extent(), figure.axes[0].get_tightbbox()
    assert 0 <= box.y0 < box.y1 <= maps.y0
    assert 0 <= box.x0 < box.x1 <= WIDTH * figure.dpi
    if classes == 2:
        scale = figure.axes[-1].get_tightbbox()
        assert box.x1 < scale.x0 < scale.x1 <= WIDTH * figure.dpi
    assert ("and 81 more" in texts(figure)) == (classes == 100)


# Traces


def test_the_trace_of_adam_shows_both_moments_raw_and_corrected():
    result = trio()
    figure = drawn(result, "trace-adam")
    series = result.histories[2].traces["W1[0,0]"]
    drawn_lines = {line.get_label(): line for axes in figure.axes for line in axes.get_lines()}
    for name, label in (("m", "m"), ("m_hat", "m̂, corrected"), ("v_hat", "v̂, corrected")):
        np.testing.assert_array_equal(drawn_lines[label].get_ydata(), series[name])
    assert "parameter W1[0,0], seed 0" in texts(figure)


def test_without_correction_the_two_moments_are_one_line():
    result = trained(run("adam", settings={"bias_correction": False}))
    shown_texts = texts(drawn(result, "trace-adam"))
    assert "m = m̂" in shown_texts
    assert "v = v̂" in shown_texts


def test_the_first_hundred_steps_of_a_long_training_have_their_own_column():
    result = trained(run("adam", epochs=60))
    figure = drawn(result, "trace-adam")
    assert len(figure.axes) == 6
    assert {"step, the first 100", "step, all 240"} <= {*texts(figure)}
    assert len(drawn(trio(), "trace-adam").axes) == 3


def test_log_traces_show_magnitudes():
    result = trio()
    trained_ = figures.Trained(result.experiment.runs[2], result.histories[2])
    style = run_styles(result.experiment.runs)["adam"]
    figure = figures.draw_trace(trained_, "W1[0,0]", style, log=True)
    assert {axes.get_yscale() for axes in figure.axes} == {"log"}
    assert "first moment, magnitude, log scale" in texts(figure)


# Files


@pytest.mark.parametrize("kind", figures.FORMATS)
def test_equal_figures_are_equal_files(kind):
    for plan in figures.plan(trio())[0][:3]:
        figure = plan.draw()
        once = figures.render(figure, kind)
        assert figures.render(figure, kind) == once
        assert figures.render(plan.draw(), kind) == once


def test_a_png_holds_the_pixels():
    from PIL import Image

    pixels = np.random.default_rng(0).integers(0, 256, size=(5, 7, 3), dtype=np.uint8)
    image = Image.open(io.BytesIO(encode(pixels)))
    image.verify()
    np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(encode(pixels)))), pixels)


DRAW = """
import hashlib, logging, pickle, sys
sys.path.insert(0, {tests!r})
from adamcli import figures
from test_figures import trio
for plan in figures.plan(trio())[0]:
    print(plan.name, hashlib.sha256(figures.render(plan.draw(), "png")).hexdigest())
"""


def hashes(cwd: Path, monkeypatch: pytest.MonkeyPatch, **environment: str) -> tuple[str, str]:
    """What a process in a directory draws, as hashes, and what it says on stderr."""
    for name, value in {"PYTHONPATH": str(ROOT), **environment}.items():
        monkeypatch.setenv(name, value)
    code = DRAW.format(tests=str(ROOT / "tests"))
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=cwd, check=True, capture_output=True, text=True
    )
    return done.stdout, done.stderr


def test_the_users_matplotlib_settings_change_nothing(tmp_path, monkeypatch):
    (tmp_path / "plain").mkdir()
    expected, _ = hashes(tmp_path / "plain", monkeypatch)
    own = b"text.usetex: True\nbackend: nonsense\nlines.linewidth: 9\nnot a setting\n\xff\xfe: 1\n"
    (tmp_path / "matplotlibrc").write_bytes(own)
    settings = {"MPLBACKEND": "nonsense", "MPLCONFIGDIR": "/proc/none", "MATPLOTLIBRC": "."}
    assert hashes(tmp_path, monkeypatch, **settings) == (expected, "")


def test_settings_of_the_process_change_nothing_and_are_left_alone():
    plan = figures.plan(trio())[0][0]
    expected = figures.render(plan.draw(), "png")
    odd = {"lines.linewidth": 9, "axes.facecolor": "red", "figure.autolayout": True}
    with matplotlib.rc_context(odd):
        assert figures.render(plan.draw(), "png") == expected
        assert {name: matplotlib.rcParams[name] for name in odd} == odd


# Scales


def test_values_that_cannot_be_drawn_are_left_out():
    odd = np.array([1.0, np.nan, np.inf, 1e31, -1e31, 0.0, -1.0])
    assert np.isfinite(shown(odd)).tolist() == [True, False, False, False, False, True, True]
    assert np.isfinite(shown(odd, log=True)).tolist() == [True] + [False] * 6


def test_limits_leave_air_around_the_values():
    assert limits([np.array([np.nan])]) is None
    low, high = limits([np.array([2.0, np.inf]), np.array([4.0])])
    assert low < 2 < 4 < high
    low, high = limits([np.array([3.0])], log=True)
    assert low < 3 < high


@pytest.mark.parametrize(
    ("bounds", "ticks"),
    [
        ((0.9e-3, 1.1), [1e-3, 1e-2, 1e-1, 1.0]),
        ((0.15, 2.5), [0.2, 0.5, 1.0, 2.0]),
        ((0.41, 0.44), [0.414, 0.425, 0.435]),
        ((0.9e-9, 1.1e3), [1e-9, 1e-6, 1e-3, 1.0, 1e3]),
    ],
)
def test_log_ticks_are_round_where_there_is_room(bounds, ticks):
    labelled, between = log_ticks(*bounds)
    np.testing.assert_allclose(labelled, ticks, rtol=1e-9)
    assert all(bounds[0] <= tick <= bounds[1] for tick in (*labelled, *between))


def test_numbers_have_true_minus_signs_and_raised_powers():
    assert plain(-0.25) == "\N{MINUS SIGN}0.25"
    assert plain(-2.5e-6) == "\N{MINUS SIGN}2.5\N{MULTIPLICATION SIGN}10⁻⁶"
    assert (plain(1e-5), plain(-1e30)) == ("10⁻⁵", "\N{MINUS SIGN}10³⁰")
    assert power(1e-12) == "10⁻¹²"
