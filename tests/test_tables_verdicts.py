# ruff: noqa: RUF001  (ranges are written with an en dash)
"""Verdicts in words: their exact text, whichever label comes first, hostile labels, every width."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

import pytest
from histories import ended, history
from rich.cells import cell_len
from rich.console import Console
from test_tables import HOSTILE, shown

from adamcli import stats, tables
from adamcli.stats import LOG_RATIO, NOT_DISTINGUISHABLE, Verdict
from adamcli.text import safe

GOOD = dict(enumerate([0.10, 0.12, 0.09, 0.11, 0.10, 0.13, 0.12, 0.08]))
WORSE = {seed: loss * (1.4 + seed / 20) for seed, loss in GOOD.items()}
SAME = {seed: loss * (1.02 if seed % 2 else 0.99) for seed, loss in GOOD.items()}


def told(verdicts: Sequence[Verdict], width: int = 80, **options: str) -> str:
    """What is printed of verdicts."""
    text = tables.verdicts_in_words(verdicts, {})
    return "" if text is None else shown(text, width, **options)


def judged(*runs: Sequence[stats.Trained]) -> list[Verdict]:
    return stats.verdicts(list(itertools.chain(*runs)))


def verdict(metric: str = "test_loss", a: str = "a", b: str = "b", **changes) -> Verdict:
    """A verdict by hand: of a loss, not distinguishable."""
    names = ("iqm", "p", "p_together", "p_better_low", "p_better_high")
    told = dict.fromkeys(names, 0.5)
    told |= {"cell": "", "a": a, "b": b, "metric": metric, "unit": LOG_RATIO}
    told |= {"n": 20, "ties": 0, "infinite": 0, "difference": math.log(0.9)}
    told |= {"low": math.log(0.8), "high": math.log(1.1), "p_adjusted": 0.25, "p_better": 0.6}
    told |= {"detectable": math.log(1.3), "verdict": NOT_DISTINGUISHABLE, "reason": "why"}
    return Verdict(**{**told, **changes})


def better(metric: str = "test_loss", **changes) -> Verdict:
    """A verdict by hand in favour of a."""
    won = {"high": math.log(0.95), "p_adjusted": 0.002, "p_together": 0.01, "p_better": 0.9}
    return verdict(metric, **{**won, "verdict": stats.A_BETTER, **changes})


def test_winners_come_first_and_other_metrics_only_where_they_differ():
    steps = [f"steps to test_accuracy {value}" for value in (0.9, 0.95, 0.99)]
    lost = {"low": math.log(1.1), "high": math.log(1.6), "difference": math.log(1.25)}
    verdicts = [
        better(),
        verdict("test_loss", "a", "c"),
        *(better(name) for name in steps[:2]),
        verdict(steps[2]),
        better("test_loss", a="b", b="c", verdict=stats.B_BETTER, p_better=0.1, **lost),
        verdict("test_accuracy", "a", "c", unit=stats.DIFFERENCE),
        *(better(name, b="c", verdict=stats.B_BETTER, **lost) for name in steps),
        better("test_accuracy", b="c", unit=stats.DIFFERENCE, difference=0.0123),
    ]
    assert (
        told(verdicts)
        == """\
Verdicts over 20 paired seeds
a is better than b: 0.900 times the test loss (0.800 to 0.950), p 0.0020,
P(better) 90%
  not distinguishable in steps to test accuracy 0.99
a and c: not distinguishable; a has 0.900 times the test loss (0.800 to 1.10), p
0.25, P(better) 60%; 20 seeds would have shown a factor of 1.30
  c is better in steps to test accuracy 0.9, 0.95 and 0.99 (0.800, 0.800 and
  0.800 times)
  a is better in test accuracy (+1.23 points)
c is better than b: 0.800 times the test loss (0.625 to 0.909), p 0.0020,
P(better) 90%

Paired by seed, with 95 % intervals; p is adjusted by Holm over all pairs;
P(better) is the share of seeds, ties half.
"""
    )


def test_a_verdict_reads_the_same_whichever_label_comes_first():
    runs = ended("good", GOOD), ended("bad", WORSE)
    text = told(judged(*runs))
    assert "good is better than bad: 0.6" in text
    assert text == told(judged(*reversed(runs)))


def test_a_metric_on_which_the_other_one_wins_is_told():
    later = better("steps to test_accuracy 0.9", verdict=stats.B_BETTER, p_better=0.1)
    assert "\n  b is better in steps to test accuracy 0.9 (1.11 times)\n" in told([better(), later])


def test_the_numbers_are_those_of_the_verdict():
    (first, *_) = judged(ended("good", GOOD), ended("bad", WORSE))
    low, middle, high = (math.exp(x) for x in (first.low, first.difference, first.high))
    text = " ".join(told([first]).split())
    assert f"{middle:.3f} times the test loss ({low:.3f} to {high:.3f})" in text
    assert f"p {first.p_adjusted:.4f}, P(better) 100%" in text


def test_labels_that_cannot_be_told_apart_say_what_would_have_been_seen():
    (first, *_) = judged(ended("a", GOOD), ended("b", SAME))
    shown_factor = f"8 seeds would have shown a factor of {math.exp(first.detectable):.2f}"
    text = " ".join(told([first]).split())
    assert "a and b: not distinguishable; a has" in text
    assert shown_factor in text
    equal = told(judged(ended("a", GOOD), ended("b", GOOD)))
    assert "a and b: not distinguishable, equal at every seed\n" in equal
    crowd = told([verdict(n=6, detectable=math.inf)])
    assert "6 seeds are too few for so many pairs" in " ".join(crowd.split())


def test_a_doubt_over_all_metrics_is_told():
    doubt = {"high": math.log(0.95), "p_adjusted": 0.03, "p_together": 0.08}
    assert "p 0.030, over all metrics p 0.080, P(better)" in told([verdict(**doubt)], 200)


def test_diverged_runs_make_the_size_a_bound():
    text = told(judged(ended("a", GOOD), ended("b", {**WORSE, 2: math.inf, 5: math.inf})), 200)
    assert "P(better) 100%, a bound as 2 of 8 seeds are infinite for one of them\n" in text


def test_losses_below_zero_are_told_as_differences():
    low = {seed: loss - 1 for seed, loss in GOOD.items()}
    text = told(judged(ended("low", low), ended("high", GOOD)), 200)
    assert "low is better than high: a test loss different by -1.00 (-1.00 to -1.00), p " in text


def test_below_six_seeds_one_line_says_that_there_is_no_verdict():
    few = {seed: GOOD[seed] for seed in range(5)}
    runs = ended("a", few), ended("b", few), ended("c", few)
    assert told(judged(*runs)) == "no verdict: 5 seeds, at least 6 are needed\n"
    one = {0: 0.1}
    assert told(judged(ended("a", one), ended("b", one))) == ""
    assert told(judged(ended("a", GOOD))) == told([]) == ""


def test_pairs_with_too_few_seeds_say_so_among_others():
    few, other = {seed: GOOD[seed] for seed in range(3)}, {9: 0.1}
    text = told(judged(ended("a", GOOD), ended("b", WORSE), ended("c", few), ended("d", other)))
    assert text.startswith("Verdicts over 0–8 paired seeds\n")
    assert "a and c: no verdict: 3 seeds, at least 6 are needed\n" in text
    assert "a and d: no verdict, no seed in common\n" in text


def test_each_cell_has_its_name_and_short_labels():
    runs = (
        ended(f"{name} noise={noise}", losses, cell=f"noise={noise}")
        for noise in (1, 2)
        for name, losses in (("adam", GOOD), ("sgd", WORSE))
    )
    lines = told(judged(*runs), 200).splitlines()
    assert [lines[1], lines[3]] == ["noise=1", "noise=2"]
    assert lines[2] == lines[4]
    assert lines[2].startswith("adam is better than sgd: ")


def test_of_many_pairs_those_of_the_leader_are_told():
    factors = {"d": 1.3, "a": 1.1, "best": 1.0, "c": 1.2, "e": 1.4, "f": 1.5}
    runs = [ended(name, {s: f * x for s, x in GOOD.items()}) for name, f in factors.items()]
    text = told(judged(*runs), 200)
    heads = [line for line in text.splitlines() if ": " in line]
    assert len(heads) == 5
    assert all("best" in line for line in heads)
    assert "\n... 10 more pairs in --json\n" in text


@pytest.mark.parametrize("payload", HOSTILE)
def test_labels_are_shown_literally(payload: str):
    text = told(judged(ended(payload, GOOD), ended("b", WORSE)), 300)
    assert f"{safe(payload)} is better than b: " in text


@pytest.mark.parametrize("width", [1, 2, 5, 10, 19, 20, 40, 80, 200])
def test_no_line_is_wider_than_the_terminal(width: int):
    text = told(judged(ended("a", GOOD), ended("漢字" * 9, WORSE), ended("c", SAME)), width)
    assert max(map(cell_len, text.split("\n"))) <= max(width, 2)


def test_terminals_without_unicode_get_ascii():
    few = {seed: GOOD[seed] for seed in range(3)}
    text = told(judged(ended("a", GOOD), ended("é", WORSE), ended("c", few)), encoding="ascii")
    assert text.startswith("Verdicts over 3-8 paired seeds\n")
    assert "a is better than \\xe9: " in text


def test_labels_have_the_colour_of_their_figures():
    text = tables.verdicts_in_words(judged(ended("a", GOOD), ended("b", WORSE)), {"a": "#123456"})
    console = Console(color_system="truecolor", force_terminal=True, width=200, no_color=False)
    with console.capture() as capture:
        console.print(text)
    assert "\x1b[38;2;18;52;86ma\x1b[0m is better than b" in capture.get()


def test_huge_ratios_do_not_overflow():
    tiny = {seed: loss * 1e-320 for seed, loss in GOOD.items()}
    huge = {seed: loss * 1e306 for seed, loss in GOOD.items()}
    runs = [history("a", s, train_loss=[1.0], test_loss=[x]) for s, x in huge.items()]
    text = told(judged(runs, ended("b", tiny)), 200)
    assert "b is better than a: 0 times the test loss" in text
