# ruff: noqa: RUF001  (ranges are written with an en dash)
"""The tables of results and the lists: their exact text, hostile strings, every width."""

from __future__ import annotations

import io
import math
import re
from collections.abc import Sequence
from dataclasses import MISSING, dataclass, make_dataclass, replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console, RenderableType

from adamcli import tables
from adamcli.history import METRICS, Failure, RunHistory
from adamcli.optimizers import RULES
from adamcli.problems import DATASETS, PROBLEMS
from adamcli.settings import setting, settings_of
from adamcli.tables import words
from adamcli.tables.prose import Prose
from adamcli.tables.spark import sparklines
from adamcli.text import safe

HOSTILE = [
    "[red]x[/]",
    "adam[/x]",
    "[/]",
    "[link=file:///etc/passwd]x[/link]",
    ":fire:",
    "\x1b[31mred",
    "\x9b31m",
    "\x1b]0;title\x07",
    "bi\u202edi",
    "\x00nul\rcr",
    "\ud800",
    "$\\foo$",
    "漢字 漢字",
    "🔥",
    "x" * 100,
]


def shown(renderable: RenderableType, width: int = 80, encoding: str = "utf-8") -> str:
    """What a console without colours prints."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    Console(file=file, width=width, color_system=None, legacy_windows=False).print(renderable)
    file.flush()
    text: str = file.buffer.getvalue().decode(encoding)
    return "\n".join(line.rstrip() for line in text.split("\n"))


@dataclass(frozen=True)
class Run:
    label: str
    optimizer: str
    cell: str
    seed: int
    task: SimpleNamespace


def history(
    label: str, seed: int, losses: Sequence[float], *, cell: str = "", test: bool = True
) -> RunHistory:
    """A run whose accuracy is 1 - loss; a last loss that is infinite means divergence."""
    diverged = math.isinf(losses[-1])
    train = np.array([loss for loss in losses if math.isfinite(loss)], dtype=float)
    metrics = {"train_loss": train, "train_accuracy": 1 - train}
    metrics |= {"test_loss": train * 1.5, "test_accuracy": 1 - train * 1.5} if test else {}
    count = np.arange(1, len(train) + 1)
    return RunHistory(
        label, label.split(" ")[0], cell, seed, 37 if diverged else None, count, count, metrics
    )


def result(*histories: RunHistory, missing: Sequence[Run] = (), name: str = "spiral"):
    runs = [Run(h.label, h.optimizer, h.cell, h.seed, _task(3)) for h in histories]
    experiment = SimpleNamespace(name=name, runs=(*runs, *missing), tuning=None)
    return SimpleNamespace(path=Path("outputs/x"), experiment=experiment, histories=histories)


def _task(epochs: int) -> SimpleNamespace:
    return SimpleNamespace(epochs=epochs, metrics=METRICS)


ONE_SEED = result(
    history("sgdm", 0, [0.5, 0.3, 0.04213]),
    history("rmsprop", 0, [0.5, math.inf]),
    history("adam without correction", 0, [0.5, 0.3, 3.124e-5]),
)
SEEDS = result(
    *(history("sgdm", seed, [0.5, 0.4, loss]) for seed, loss in enumerate([0.1, 0.2, 0.3])),
    *(history("adam", seed, [0.5, 0.4, loss]) for seed, loss in enumerate([0.1, math.inf, 0.2])),
)
SWEEP = result(
    *(
        history(f"{label} noise={noise}", 0, [0.5, 0.3, loss * noise], cell=f"noise={noise}")
        for noise in (1, 2)
        for label, loss in (("sgdm", 0.1), ("adam", 0.2))
    )
)


def test_one_seed_is_a_row_of_final_values_per_label():
    assert (
        shown(tables.summary_table(ONE_SEED))
        == """\
spiral

                                              train     train     test      test
optimizer              status       epochs     loss  accuracy     loss  accuracy
────────────────────────────────────────────────────────────────────────────────
sgdm                   finished          3  0.04213    95.79%  0.06320    93.68%
rmsprop                diverged at       1
                       step 37
adam without           finished          3  3.12e-5   100.00%  4.69e-5   100.00%
correction

Final values after 3 epochs, seed 0.
"""
    )


def test_several_seeds_are_the_median_and_the_range():
    assert (
        shown(tables.summary_table(SEEDS))
        == """\
spiral

                                  train         train         test          test
optimizer  status                  loss      accuracy         loss      accuracy
────────────────────────────────────────────────────────────────────────────────
sgdm       finished              0.2000        80.00%       0.3000        70.00%
                            0.100–0.300  70.00–90.00%  0.150–0.450  55.00–85.00%
adam       1 of 3 diverged       0.2000        80.00%       0.3000        70.00%
                              0.100–inf   0.00–90.00%    0.150–inf   0.00–85.00%
too narrow for epochs

Final values after 3 epochs: median and range over 3 seeds; a diverged run
counts as infinite loss and accuracy 0.
"""
    )


def test_failed_runs_are_counted_and_each_reason_is_told_once():
    histories = [history(label, seed, [0.2]) for label in ("a", "b") for seed in range(3)]
    for place, why in ((1, "bad [x]"), (2, "worse"), (4, "bad [x]")):
        histories[place] = replace(histories[place], failure=Failure(5, why))
    histories[5] = history("b", 2, [0.2, math.inf])
    text = shown(tables.summary_table(result(*histories)), 120)
    assert re.search(r"a +2 of 3 failed +1 +inf", text)
    assert re.search(r"b +1 of 3 diverged, 1 of 3 failed +1 +inf", text)
    assert "a diverged or failed run counts as infinite" in text
    assert text.endswith("\n\na and b failed: bad [x]\n\na failed: worse\n")
    lone = replace(history("a", 0, [0.2]), failure=Failure(5, "why"))
    assert re.search(r"a +failed at step 5", shown(tables.summary_table(result(lone)), 60))
    many = [replace(lone, seed=seed, failure=Failure(5, f"reason {seed}")) for seed in range(30)]
    text = shown(tables.summary_table(result(*many)))
    assert text.count("a failed: reason") == 10
    assert text.endswith("\n20 more reasons in error.log\n")


def test_each_cell_of_a_sweep_has_its_own_part():
    assert (
        shown(tables.summary_table(SWEEP), 70)
        == """\
spiral

                              train     train    test      test
optimizer  status    epochs    loss  accuracy    loss  accuracy
───────────────────────────────────────────────────────────────
noise=1
sgdm       finished       3  0.1000    90.00%  0.1500    85.00%
adam       finished       3  0.2000    80.00%  0.3000    70.00%

noise=2
sgdm       finished       3  0.2000    80.00%  0.3000    70.00%
adam       finished       3  0.4000    60.00%  0.6000    40.00%

Final values after 3 epochs, seed 0.
"""
    )


def test_comparison_counts_seeds_won_and_tied():
    assert (
        shown(tables.comparison_table(SEEDS))
        == """\
spiral

                                   test          test   seeds
optimizer  status                  loss      accuracy     won
─────────────────────────────────────────────────────────────
sgdm       finished              0.3000        70.00%  1 of 3
                            0.150–0.450  55.00–85.00%  1 tied
adam       1 of 3 diverged       0.3000        70.00%  1 of 3
                              0.150–inf   0.00–85.00%  1 tied

Final values after 3 epochs: median and range over 3 seeds; a diverged run
counts as infinite loss and accuracy 0. The lowest test loss wins a seed; tied:
it is shared with others.
"""
    )


def test_without_test_data_the_train_scores_stand_alone():
    only_train = result(history("a", 0, [0.5], test=False), history("b", 0, [0.4], test=False))
    assert "test" not in shown(tables.summary_table(only_train))
    text = shown(tables.comparison_table(only_train))
    assert "The lowest train loss wins a seed." in text
    assert "test" not in text


def test_runs_that_are_missing_are_named():
    missing = [Run("adam", "adam", "", seed, _task(3)) for seed in range(2)]
    some = result(
        history("sgdm", 0, [0.5]), missing=[Run("sgdm", "sgdm", "", 1, _task(3)), *missing]
    )
    text = shown(tables.summary_table(some))
    assert "1 of 2 trained" in text
    assert re.search(r"adam +not trained", text)
    assert "median and range over those of 2 seeds that are trained." in " ".join(text.split())


def test_a_result_without_any_run_is_still_a_table():
    nothing = result(missing=[Run("adam", "adam", "", 0, _task(3))])
    assert "not trained" in shown(tables.summary_table(nothing))
    assert "not trained" in shown(tables.comparison_table(nothing))


def test_everything_diverged_is_still_a_table():
    bad = result(*(history(label, seed, [math.inf]) for label in "ab" for seed in range(3)))
    assert shown(tables.summary_table(bad)).count("3 of 3 diverged") == 2
    assert shown(tables.comparison_table(bad)).count("0 of 3") == 2


@pytest.mark.parametrize("payload", HOSTILE)
@pytest.mark.parametrize("table", [tables.summary_table, tables.comparison_table])
def test_labels_and_names_are_shown_literally(payload: str, table):
    text = shown(table(result(history(payload, 0, [0.5]), name=payload)), width=200)
    assert text.count(safe(payload)) == 2
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)


@pytest.mark.parametrize("payload", HOSTILE)
def test_lists_show_foreign_text_literally(payload: str):
    entry = SimpleNamespace(
        path=Path("outputs") / payload.replace("/", "_").replace("\0", "_"),
        created=payload,
        status=payload,
        labels=(payload,),
        runs=1,
        latest=True,
    )
    plugin = make_dataclass("Plugin", [])
    plugin.__doc__ = f"{payload}\n\nRule:    {payload}"
    for table in (
        tables.runs_table([entry]),
        tables.facts_table({payload: {payload: [payload]}}),
        tables.parted_table({"": {payload: plugin}}),
        tables.page(payload, plugin),
    ):
        text = shown(table, width=1000)
        assert safe(payload) in text
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", text)


@pytest.mark.parametrize("width", [1, 2, 5, 10, 20, 40, 60, 80, 200, 10_000])
@pytest.mark.parametrize("outcome", [ONE_SEED, SEEDS, SWEEP])
def test_no_line_is_wider_than_the_terminal(width: int, outcome):
    for table in (tables.summary_table, tables.comparison_table):
        lines = shown(table(outcome), width).split("\n")
        assert max(map(cell_len, lines)) <= width


def test_columns_go_in_the_order_of_their_worth():
    gone = [
        re.search(
            "too narrow for (.*)", " ".join(shown(tables.summary_table(SWEEP), width).split())
        )
        for width in (62, 54, 44, 34, 24)
    ]
    assert [match[1].split(" Final")[0] for match in gone if match] == [
        "epochs",
        "status and epochs",
        "status, epochs and train accuracy",
        "status, epochs, train loss and train accuracy",
        "status, epochs, train loss, train accuracy and test accuracy",
    ]


def test_labels_stay_in_twenty_columns():
    text = shown(tables.summary_table(SWEEP), 20)
    assert re.search(r"^sgdm +0.1500$", text, re.MULTILINE)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_terminals_without_unicode_get_ascii(encoding: str):
    odd = result(*(history("漢…", seed, [0.1 + seed / 10]) for seed in range(3)))
    text = shown(tables.summary_table(odd), 100, encoding)
    assert text.isascii()
    assert "\\u6f22\\u2026" in text
    assert "0.100-0.300" in text


def test_labels_have_the_colour_of_their_figures():
    file = io.StringIO()
    console = Console(
        file=file, width=80, force_terminal=True, color_system="truecolor", no_color=False
    )
    console.print(tables.summary_table(ONE_SEED))
    assert "\x1b[38;2;213;94;0msgdm" in file.getvalue()  # vermillion, #D55E00


def test_optimizers_are_listed_with_their_first_line():
    text = shown(tables.parted_table({"": RULES}), 100)
    assert re.search(
        r"^sgd +Stochastic gradient descent: a step against the gradient\.$", text, re.M
    )
    assert all(name in text for name in RULES)


@pytest.mark.parametrize("registry", [RULES, DATASETS, PROBLEMS])
@pytest.mark.parametrize("width", [1, 20, 60, 80])
def test_every_page_fits(registry, width: int):
    for name, entry in registry.items():
        lines = shown(tables.page(name, entry), width).split("\n")
        assert max(map(cell_len, lines)) <= width


@pytest.mark.parametrize("registry", [RULES, DATASETS, PROBLEMS])
def test_no_setting_is_broken_in_a_narrow_terminal(registry):
    for name, entry in registry.items():
        lines = shown(tables.page(name, entry), 40).split("\n")
        firsts = {line.split(" ")[0] for line in lines}
        assert {"setting", *(each.name for each in settings_of(entry))} <= firsts


@dataclass(frozen=True, kw_only=True)
class Thing:
    """Thing: does things.

    Rule:    g_t = grad
    Source:  Somebody, 2014. Something that is said at such length that a terminal of sixty
             columns has to fill it anew.
    """

    path: str = setting(MISSING, "where", kind=str)
    flag: bool = setting(True, "whether")
    widths: tuple[int, ...] = setting((32, 8), "how wide", kind=int, many=True, ge=1)
    limit: float | None = setting(None, "at most", kind=float, optional=True, gt=0)
    eps: float = setting(1e-8, "a little", ge=0, lt=1)
    kind: str = setting("a", "which", choices=("a", "b"))


def test_a_page_explains_an_entry_and_its_settings():
    assert (
        shown(tables.page("thing", Thing), 60)
        == """\
thing

Thing: does things.

Rule:    g_t = grad
Source:  Somebody, 2014. Something that is said at such
         length that a terminal of sixty columns has to fill
         it anew.

setting  default   allowed         meaning
───────────────────────────────────────────
path     required  str             where
flag     true      true, false     whether
widths   [32, 8]   list of 1 <= x  how wide
limit    null      0 < x or null   at most
eps      1e-8      0 <= x < 1      a little
kind     a         a, b            which
"""
    )


def test_formulas_keep_their_lines_when_prose_is_filled():
    text = shown(
        Prose("Rule:    a = b + c\n         d = e\nSource:  one two three\n         four"), 24
    )
    assert text == ("Rule:    a = b + c\n         d = e\nSource:  one two three\n         four\n")
    text = shown(
        Prose("Rule:    a = b + c\n         d = e\nSource:  one two three four\n  five"), 20
    )
    assert text == (
        "Rule:    a = b + c\n         d = e\nSource:  one two\n         three four\n         five\n"
    )


def test_saved_runs_are_listed():
    entry = SimpleNamespace(
        path=Path("outputs/spiral-7f3a91c2"),
        created="2026-11-22T11:40:03+00:00",
        status="finished",
        labels=("sgdm", "adam", "a", "b", "c", "d"),
        runs=6,
        latest=True,
    )
    assert (
        shown(tables.runs_table([entry]), 100)
        == """\
run                      status    runs  written           optimizers
───────────────────────────────────────────────────────────────────────────────────
spiral-7f3a91c2  latest  finished     6  2026-11-22 11:40  sgdm, adam, a, b, 2 more
"""
    )


def test_facts_are_listed_one_under_another():
    facts = {"adamcli": "0.1.0", "blas": [{"library": "openblas", "threads": 1}], "terminal": False}
    facts |= {"packages": {"numpy": "2.4.6", "rich": None}}
    assert (
        shown(tables.facts_table(facts))
        == """\
fact      here
─────────────────────────────────────
adamcli   0.1.0
blas      library openblas, threads 1
terminal  no
packages  numpy: 2.4.6
          rich: none
"""
    )


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0"),
        (1.0, "1.000"),
        (-0.5, "-0.5000"),
        (0.042134, "0.04213"),
        (9999.4, "9999"),
        (9999.7, "1.00e4"),
        (0.00099999, "1.00e-3"),
        (3.124e-5, "3.12e-5"),
        (5e-324, "4.94e-324"),
        (1.7e308, "1.70e308"),
        (math.inf, "inf"),
        (-math.inf, "-inf"),
        (math.nan, "none"),
    ],
)
def test_numbers_have_four_significant_digits_at_most(value: float, text: str):
    assert words.number(value) == text


def test_accuracies_are_percent_everywhere():
    assert words.score("test_accuracy", 0.9985) == "99.85%"
    assert words.span("test_accuracy", 0.5, 1.0) == "50.00–100.00%"


def test_a_range_has_the_digits_it_needs():
    assert words.span("test_loss", 0.73, 0.74) == "0.730–0.740"
    assert words.span("test_loss", 0.7301, 0.7304) == "0.7301–0.7304"
    assert words.span("test_loss", 0.5, 0.5) == ""
    assert words.span("test_accuracy", 0.5, 0.5000001) == ""
    assert words.span("test_loss", 0.5, math.inf) == "0.500–inf"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.04, "0.0 s"),
        (9.94, "9.9 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (59.6, "1 min 00 s"),
        (3599.4, "59 min 59 s"),
        (3599.6, "1 h 00 min"),
        (100_000.0, "27 h 46 min"),
        (200_000.0, "2.31 days"),
        (1e11, "3.17e+03 years"),
    ],
)
def test_durations_round_to_what_matters(seconds: float, text: str):
    assert words.duration(seconds) == text


def test_a_sparkline_falls_with_the_loss():
    (line,) = sparklines(np.array([[1.0, 0.1, 0.01, 0.001, np.nan]]))
    assert line == "█▆▃▁ "


def test_a_run_that_blows_up_does_not_flatten_the_others():
    lines = sparklines(np.array([[1.0, 0.1], [1e30, np.inf], [1.0, 0.01]]), ascii_only=True)
    assert lines == ["#=", "##", "#_"]


def test_sparklines_survive_anything():
    assert sparklines(np.full((2, 3), np.nan)) == ["   ", "   "]
    assert sparklines(np.array([[0.0, np.inf, -1.0]]))[0]
    assert sparklines(np.ones((1, 3))) == ["▁▁▁"]
    assert sparklines(np.empty((0, 4))) == []
