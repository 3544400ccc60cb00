"""Several problems together: scores, profiles and pairs, kind by kind."""

from __future__ import annotations

import math

import numpy as np
import pytest
from histories import history

from adamcli.stats import FACTORS, Place, aggregates

SEEDS = range(8)


def runs(losses: dict[str, dict[str, list[float]]], start: float = 1.0):
    """By cell and setting the final test loss at every seed; infinity stands for diverged."""
    for cell, settings in losses.items():
        for setting, values in settings.items():
            for seed, loss in enumerate(values):
                stopped = 7 if math.isinf(loss) else None
                yield history(
                    f"{setting} {cell}",
                    seed,
                    cell=cell,
                    diverged_at=stopped,
                    initial={"test_loss": start},
                    train_loss=[1.0, 1.0],
                    test_loss=[0.9, 0.9 if stopped else loss],
                )


def places(histories, kinds=None):
    kinds = kinds or {}
    return {
        h.label: Place(kinds.get(h.cell, "network"), h.label.removesuffix(f" {h.cell}"))
        for h in histories
    }


def aggregated(losses, kinds=None):
    histories = [*runs(losses)]
    return aggregates(histories, places(histories, kinds))


def near(loss: float) -> list[float]:
    return [loss * 1.01**seed for seed in SEEDS]


def test_scores_are_shares_of_the_way_in_log_loss_from_start_to_best():
    same = [1e-4] * 8
    (found,) = aggregated({c: {"a": same, "b": [1e-2] * 8, "c": [math.inf] * 8} for c in "xy"})
    assert (found.kind, found.problems, found.seeds) == ("network", ("x", "y"), 8)
    assert [s.iqm for s in found.standings] == pytest.approx([1.0, 0.5, 0.0])
    assert [s.n for s in found.standings] == [16] * 3


def test_kinds_are_never_mixed_and_one_problem_has_no_aggregate():
    both = {"a": near(1e-3), "b": near(1e-2)}
    kinds = {"w": "network", "x": "network", "y": "surface", "z": "stress"}
    (found,) = aggregated(dict.fromkeys("wxyz", both), kinds)
    assert (found.kind, found.problems) == ("network", ("w", "x"))
    assert aggregated({"x": both}) == []
    assert aggregated({c: {"a": near(1e-3)} for c in "xy"}) == []


def test_runs_without_a_start_are_left_out():
    histories = [history(f"{s} {c}", cell=c, test_loss=[0.1]) for c in "xy" for s in "ab"]
    assert aggregates(histories, places(histories)) == []


def test_an_interval_leaves_0_out_or_the_pair_is_not_distinguishable():
    rng = np.random.default_rng(0)

    def spread(loss):
        return (loss * np.exp(rng.normal(0, 1, 8))).tolist()

    losses = {c: {"a": spread(1e-4), "b": spread(1e-4), "c": spread(1e-1)} for c in "xyz"}
    (found,) = aggregated(losses)
    words = {(c.a, c.b): c.verdict for c in found.contrasts}
    assert words == {
        ("a", "b"): "not distinguishable",
        ("a", "c"): "a better",
        ("b", "c"): "a better",
    }
    for each in found.contrasts:
        assert each.low < each.difference < each.high
    (swapped,) = aggregated({c: dict([*each.items()][::-1]) for c, each in losses.items()})
    assert {c.verdict for c in swapped.contrasts} == {"not distinguishable", "b better"}


def test_few_seeds_have_intervals_but_no_verdict():
    (found,) = aggregated({c: {"a": near(1e-4)[:5], "b": near(1e-1)[:5]} for c in "xy"})
    assert [c.verdict for c in found.contrasts] == ["no verdict"]
    (single,) = aggregated({c: {"a": [1e-4], "b": [1e-1]} for c in "xy"})
    assert math.isnan(single.standings[0].low)


def test_pairs_share_seeds_so_that_what_is_hard_for_both_does_not_count():
    hard = np.exp(np.random.default_rng(1).normal(0, 2, 8))
    together = {"a": (1e-6 * hard).tolist(), "b": (1.5e-6 * hard).tolist()}
    apart = {"a": together["a"], "b": together["b"][::-1]}
    (paired,), (unpaired,) = (aggregated(dict.fromkeys("xy", each)) for each in (together, apart))
    assert paired.contrasts[0].verdict == "a better"
    assert unpaired.contrasts[0].verdict == "not distinguishable"


def test_profiles_count_targets_within_a_factor_of_the_fastest():
    fast, slow = [0.5, 1e-4, 1e-4, 1e-4], [0.9, 0.9, 0.9, 1e-4]
    histories = [
        history(f"{s} {c}", seed, cell=c, initial={"test_loss": 1.0}, test_loss=curve)
        for c in "xy"
        for s, curve in (("a", fast), ("b", slow))
        for seed in SEEDS
    ]
    (found,) = aggregates(histories, places(histories))
    a, b = (np.array(each.profile) for each in found.standings)
    factors = np.array(FACTORS)
    assert found.targets == 6
    np.testing.assert_array_equal(a, np.ones(len(factors)))
    np.testing.assert_array_equal(b, factors >= 2)  # 4 evaluations in place of 2


def test_what_nobody_improved_on_and_what_is_solved_exactly():
    worse = {"a": [1.0] * 8, "b": [3.0] * 8}
    solved = {"a": [0.0] * 8, "b": [1e-6] * 8}
    (found,) = aggregated({"x": worse, "y": solved})
    assert [s.iqm for s in found.standings] == pytest.approx([0.5, 0.25])
