"""Figures of what goes on inside: traces of any rule, layers, several optimizers at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from functools import cache

import numpy as np
import pytest
from matplotlib.colors import to_rgb
from stacks import SETTINGS
from test_figures import Result, drawn, legend, lines, names, panel, run, texts, trained, trio

from adamcli import figures
from adamcli.figures.comparison import shared
from adamcli.figures.layers import layer_pens
from adamcli.figures.steps import _course
from adamcli.figures.trace import printed
from adamcli.optimizers import RULES, Panel
from adamcli.palette import RULE_STYLES, run_styles

ARRAYS = ["W1", "b1", "W2", "b2", "W3", "b3"]


@cache
def layered(epochs: int = 3) -> Result:
    """Adam with layers."""
    one = dataclasses.replace(run("adam", epochs=epochs), layers=True)
    return trained(one)


@cache
def whole(labels: Sequence[str] = ("sgdm", "rmsprop", "adam"), epochs: int = 3) -> Result:
    """Some rules, each its own label."""
    return trained(*(run(name, name, epochs=epochs) for name in labels))


def pairs(result: Result) -> list[figures.Trained]:
    runs = zip(result.experiment.runs, result.histories, strict=True)
    return [figures.Trained(*pair) for pair in runs]


def compared(result: Result, log: bool = False) -> figures.Figure:
    styles = run_styles(result.experiment.runs)
    return figures.draw_comparison(pairs(result), "W1[0,0]", styles, log)


def titles(figure: figures.Figure) -> list[str]:
    """The titles of the rows."""
    return [title for axes in figure.axes if (title := axes.get_title(loc="left"))]


def odd(panels: Sequence[tuple[str, tuple[str, ...]]], series: dict, **changes) -> figures.Figure:
    """The trace of a rule with these panels that recorded these series."""
    one = trained(run("adam", epochs=1))
    rule = one.experiment.runs[0].rule
    made = type("Odd", (type(rule),), {"panels": tuple(Panel(*p) for p in panels)})()
    steps = len(next(iter(series.values())))
    everything = {"grad": np.zeros(steps), "update": np.zeros(steps), **series}
    named = {"label": changes.pop("label", "adam")}
    return figures.draw_trace(
        figures.Trained(
            dataclasses.replace(one.experiment.runs[0], rule=made, **named),
            dataclasses.replace(one.histories[0], traces={"W1[0,0]": everything}, **named),
        ),
        "W1[0,0]",
        RULE_STYLES["adam"],
        **changes,
    )


def overlaps(figure: figures.Figure) -> list[str]:
    """Which words of a figure lie over others, or outside the page."""
    figures.render(figure, "png")
    words = [*figure.texts]
    for part in (*figure.axes, figure):
        found = [part.get_legend()] if hasattr(part, "get_legend") else part.legends
        words += [text for legend in found if legend for text in legend.get_texts()]
    for axes in figure.axes:
        words += [axes.title, axes._left_title, axes._right_title, axes.xaxis.label]
    boxes = [(text.get_text(), text.get_window_extent()) for text in words if text.get_text()]
    renderer = figure.canvas.get_renderer()
    boxes += [("ticks", axes.yaxis.get_tightbbox(renderer)) for axes in figure.axes]
    boxes += [("panel", axes.bbox.padded(-1)) for axes in figure.axes]
    page = figure.bbox
    wrong = [name for name, box in boxes if box.x0 < 0 or box.y0 < 0 or box.x1 > page.x1]
    for k, (name, box) in enumerate(boxes):
        wrong += [f"{name} / {other}" for other, before in boxes[:k] if box.overlaps(before)]
    return wrong


# Layers


def test_layers_are_drawn_where_they_are_recorded():
    assert names(layered())[-2:] == ["trace-adam", "layers-adam"]
    assert "layers-adam" not in names(trio())


def test_layers_show_update_over_weight_gradient_and_weight_of_every_array():
    figure = drawn(layered(), "layers-adam")
    rows = ["update over weight, |Δθ| / |θ|, log scale", "gradient norm |g|, log scale"]
    assert titles(figure) == [*rows, "weight norm |θ|, log scale"]
    assert legend(figure) == ARRAYS
    history = layered().histories[0]
    pens = layer_pens(ARRAYS)
    for row, series in (("update", "ratio"), ("gradient", "grad"), ("weight", "weight")):
        for array, pen in pens.items():
            whole_line = [
                a for a in lines(panel(figure, row), pen["color"]) if len(a.get_xdata()) == 12
            ]
            shown = [line.get_ydata() for line in whole_line]
            values = history.layers[array][series].copy()
            values[~(np.isfinite(values) & (values > 0))] = np.nan
            assert any(np.array_equal(values, line, equal_nan=True) for line in shown), array


def test_layers_are_told_apart_without_colours():
    pens = layer_pens([f"{kind}{k}" for k in range(1, 6) for kind in "Wb"])
    greys = [np.dot(to_rgb(pen["color"]), (0.299, 0.587, 0.114)) for pen in pens.values()]
    assert greys == sorted(greys)
    assert np.diff(greys[::2]).min() > 0.1
    assert len({(pen["color"], pen["dashes"]) for pen in pens.values()}) == 10


def test_the_course_of_many_steps_is_medians_with_a_band():
    values = np.arange(1.0, 1001)  # 112 medians of 9, the last one of 1
    shape = _course(values)
    assert (len(shape.x), shape.x[0], shape.y[0]) == (112, 5, 5)
    assert (shape.low[0], shape.high[0]) == (2, 8)
    values[2:9] = np.nan
    assert (_course(values).low[0], _course(values).high[0]) == (1, 2)
    assert np.isnan(_course(np.full(300, np.nan)).y).all()
    figure = drawn(layered(80), "layers-adam")
    assert "Euclidean norms, seed 0; on the right medians of 3 steps, band: their middle 80 %" in (
        texts(figure)
    )
    assert len(figure.axes) == 6


def test_layers_of_a_deep_network_are_drawn():
    history = layered().histories[0]
    deep = {f"{kind}{k}": history.layers["W2"] for k in range(1, 24) for kind in "Wb"}
    result = Result(layered().experiment, (dataclasses.replace(history, layers=deep),))
    figure = drawn(result, "layers-adam")
    assert legend(figure) == [*deep]
    assert overlaps(figure) == []


# Traces of any rule


@pytest.mark.parametrize("name", RULES)
def test_every_rule_has_a_trace_with_everything_that_its_panels_name(name):
    result = trained(run(name, name, settings=SETTINGS[name]))
    figure = drawn(result, f"trace-{name}")
    history, rule = result.histories[0], result.experiment.runs[0].rule
    series = history.traces["W1[0,0]"]
    for title, offered in zip(titles(figure), rule.panels, strict=True):
        assert title.startswith(offered.title)
    assert {name for panel in rule.panels for name in panel.series} <= series.keys()
    assert "no finite values" not in texts(figure)
    assert overlaps(figure) == []


STEPS = 300
NOISE = np.random.default_rng(0).normal(size=STEPS)


def test_many_panels_and_series_with_long_names_do_not_overlap():
    names = ("grad", "m", "m_hat", "a_series_with_a_rather_long_name")
    series = {name: NOISE * (k + 1) for k, name in enumerate(names)}
    panels = [
        (f"a panel with a title of some length, the one numbered {k}", names) for k in "12345"
    ]
    lone = ("one whose names are none so that its title may use all of the width", ("grad",))
    figure = odd([*panels, lone], series, label="W" * 100)
    assert overlaps(figure) == []
    first, last = (figure.axes[0], figure.axes[1])
    assert [text.get_text() for text in last.get_legend().get_texts()][:3] == [
        "gradient",
        "m",
        "m̂, corrected",
    ]
    assert first.get_title(loc="left").endswith("…")
    assert titles(figure)[-1] == lone[0]
    looks = {(line.get_color(), line.is_dashed()) for line in last.get_lines()[:4]}
    assert len(looks) == 4


@pytest.mark.parametrize("count", [4, 5, 12])
def test_long_names_of_series_leave_room_for_the_title(count):
    names = tuple(f"series {k} with a name too long for any legend" for k in range(count))
    figure = odd([("title", names)], {name: NOISE + k for k, name in enumerate(names)})
    shown = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert all(name.endswith("…") for name in shown)
    if count < 6:
        assert figure.axes[0].get_title(loc="left") == "title"
        assert overlaps(figure) == []


@pytest.mark.parametrize("steps", [0, 1, 2])
@pytest.mark.parametrize("log", [False, True])
def test_runs_that_diverge_at_once_have_a_figure(steps, log):
    figure = odd(
        [("moments", ("m", "m_hat"))], {"m": NOISE[:steps], "m_hat": NOISE[:steps] * 2}, log=log
    )
    assert overlaps(figure) == []
    assert [axes.get_xlabel() for axes in figure.axes] == ["step"]
    dots = [line for line in figure.axes[0].get_lines() if line.get_marker() == "."]
    assert len(dots) == (2 if steps == 1 else 0)
    named = figure.axes[0].get_legend().get_texts()
    assert [text.get_text() for text in named] == ["m", "m̂, corrected"]
    note = f"no {'positive' if log else 'finite'} values"
    assert (note in texts(figure)) == (steps == 0)


def test_values_between_missing_ones_are_dots():
    values = np.abs(NOISE[:20])
    values[1::2] = np.nan
    values[10] = np.inf
    (axes,) = odd([("every other step", ("x",))], {"x": values}).axes
    (dots,) = [line for line in axes.get_lines() if line.get_marker() == "."]
    assert [*dots.get_xdata()] == [1, 3, 5, 7, 9, 13, 15, 17, 19]


@pytest.mark.parametrize("value", [0.0, 0.05, -3.0, 1.05e-29, 1e-200])
@pytest.mark.parametrize("log", [False, True])
def test_constant_series_can_be_drawn(value, log):
    figure = odd([("constant", ("x",))], {"x": np.full(STEPS, value)}, log=log)
    assert overlaps(figure) == []
    assert ("no positive values" in texts(figure)) == (log and abs(value) < 1e-100)


def test_a_few_huge_values_of_both_signs_are_drawn_by_their_magnitude():
    steady = odd([("x", ("x",))], {"x": NOISE})
    wild = odd([("x", ("x",))], {"x": NOISE * np.where(np.arange(STEPS) == 7, 1e6, 1)})
    assert titles(steady) == ["x"]
    assert titles(wild) == ["x, magnitude, log scale"]
    assert min(line.get_ydata().min() for line in wild.axes[0].get_lines()[:1]) > 0


def test_lines_of_very_different_size_share_a_log_axis():
    figure = odd([("x", ("x", "y"))], {"x": np.full(50, 0.1), "y": np.full(50, 10.0)})
    assert titles(figure) == ["x, log scale"]


def test_slots_that_a_setting_does_without_are_left_out():
    panels = [("gradient and velocity", ("grad", "b")), ("velocity", ("b",))]
    assert titles(odd(panels, {"grad": NOISE})) == ["gradient and velocity"]
    assert titles(odd([("velocity", ("b",))], {"grad": NOISE})) == ["gradient", "update"]
    assert titles(odd([], {"grad": NOISE})) == ["gradient", "update"]


def test_equal_series_are_one_line_even_where_values_are_missing():
    values = np.where(NOISE > 0, NOISE, np.nan)
    figure = odd([("x", ("v", "v_hat"))], {"v": values, "v_hat": values.copy()})
    assert "v = v̂" in texts(figure)


def test_series_have_readable_names():
    assert {name: printed(name) for name in ("grad", "effective_lr", "m", "m_hat", "v_max")} == {
        "grad": "gradient",
        "effective_lr": "effective learning rate",
        "m": "m",
        "m_hat": "m̂, corrected",
        "v_max": "largest v",
    }
    assert (printed("trust_ratio"), printed("velocity_hat")) == (
        "trust ratio",
        "velocity, corrected",
    )
    assert (printed("hat"), printed("_hat"), printed("max")) == ("hat", " hat", "max")


# Several optimizers


def test_a_comparison_has_what_two_rules_share_and_where_the_parameter_went():
    result = whole()
    assert shared(pairs(result), "W1[0,0]") == {
        "gradient": {"sgdm": "grad", "rmsprop": "grad"},
        "second moment": {"rmsprop": "v", "adam": "v_hat"},
        "effective learning rate": dict.fromkeys(("sgdm", "rmsprop", "adam"), "effective_lr"),
        "update": dict.fromkeys(("sgdm", "rmsprop", "adam"), "update"),
    }
    figure = compared(result)
    assert [title.split(", ")[0] for title in titles(figure)] == [
        *("gradient", "second moment", "effective learning rate", "update"),
        "way of the parameter from its start",
    ]
    assert legend(figure) == ["sgdm", "rmsprop", "adam"]
    assert "v of rmsprop; v̂ of adam" in texts(figure)
    assert overlaps(figure) == []


def test_a_gradient_beside_something_else_is_a_panel_of_its_own_in_a_comparison():
    panels = shared(pairs(whole(("sgdm", "nesterov"))), "W1[0,0]")
    assert [*panels] == ["gradient", "velocity", "effective learning rate", "update"]


def test_a_comparison_shows_the_recorded_numbers_in_the_style_of_each_rule():
    result = whole()
    figure = compared(result)
    for history in result.histories:
        colour = RULE_STYLES[history.label].colour
        series = history.traces["W1[0,0]"]
        (way,) = lines(panel(figure, "way"), colour)
        np.testing.assert_array_equal(way.get_ydata(), np.cumsum(series["update"]))
        (size,) = lines(panel(figure, "update, magnitude"), colour)
        np.testing.assert_array_equal(size.get_ydata(), np.abs(series["update"]))
        (rate,) = lines(panel(figure, "effective"), colour)
        np.testing.assert_array_equal(rate.get_ydata(), series["effective_lr"])


def test_cells_of_a_sweep_have_styles_of_their_own_in_a_comparison():
    cells = [run(f"adam noise={k}", cell=f"noise={k}", epochs=1) for k in (0.1, 0.2, 0.3)]
    result = trained(*cells)
    assert len({*run_styles(result.experiment.runs).values()}) == 1
    axes = panel(compared(result), "way")
    assert len({(line.get_color(), line.is_dashed()) for line in axes.get_lines()[:3]}) == 3


def test_a_long_comparison_shows_the_course_and_says_so():
    result = whole(epochs=60)
    figure = compared(result)
    assert overlaps(figure) == []
    assert any(
        "; on the right medians of 2 steps, band: their middle 80 %" in text
        for text in texts(figure)
    )
    drawn_lines = [lines(axes, RULE_STYLES["adam"].colour)[0] for axes in figure.axes[-4:]]
    points = [len(line.get_xdata()) for line in drawn_lines]
    assert points == [100, 120, 100, 240]  # the update, and the way, which is not noisy


def test_diverged_runs_of_different_length_are_compared():
    wild = run("wild", "sgd", settings={"lr": 1e40}, epochs=60)
    result = trained(wild, run("adam", epochs=60))
    assert result.histories[0].diverged_at is not None
    figure = compared(result)
    assert legend(figure) == [f"wild (diverged at step {result.histories[0].diverged_at})", "adam"]
    assert overlaps(figure) == []


def test_all_pairs_of_rules_can_be_compared():
    result = whole(tuple(RULES), epochs=1)
    everyone = pairs(result)
    for one in everyone[1:]:
        assert "update" in shared([one, everyone[0]], "W1[0,0]")
    styles = run_styles(result.experiment.runs)
    figure = figures.draw_comparison(everyone[-6:], "W1[0,0]", styles)
    assert overlaps(figure) == []
