"""The stacked loop: bits, divergence, clipping, schedules, traces."""

from __future__ import annotations

import math

import numpy as np
import pytest
from stacks import SETTINGS, numbers, rule, snapshots, task

from adamcli.optimizers import RULES
from adamcli.problems import MLP, NetworkStack
from adamcli.problems.datasets import Blobs, Spiral
from adamcli.recorder import Records
from adamcli.schedules import SCHEDULES, Constant, Cosine, Linear, StepDecay
from adamcli.training import Trainee, train
from adamcli.training.measures import clip


def rows(count: int, dtype: str, **changes):
    """Tasks and trainees that differ in seed, data, rule, learning rate, schedule and clipping."""
    tasks, trainees = [], []
    for i in range(count):
        name = list(RULES)[i * len(RULES) // count]
        dataset = Spiral(samples=100, test_samples=60, noise=0.1 + 0.1 * (i % 2))
        tasks.append(task(seed=i % 5, dataset=dataset, dtype=dtype, **changes))
        slower = rule(name, lr=SETTINGS[name]["lr"] * (1 - i / 200))
        schedule = Cosine(warmup=3) if i % 3 else Constant()
        trainees.append(Trainee(slower, schedule, [None, 0.5][i % 2], Records((0, 17))))
    return tasks, trainees


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("others", [1, 2, 7, 63])
def test_stacked_runs_equal_separate_runs_bit_for_bit(others, dtype):
    tasks, trainees = rows(others + 1, dtype)
    together = snapshots(tasks, trainees)
    for row in {0, others // 2, others}:
        alone = snapshots([tasks[row]], [trainees[row]])
        expected, got = numbers(alone, 0), numbers(together, row)
        assert expected.keys() == got.keys()
        for name in expected:
            np.testing.assert_array_equal(got[name], expected[name], err_msg=name)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("name", RULES)
def test_every_rule_trains_in_a_stack_with_the_bits_of_a_training_alone(name, dtype):
    tasks = [task(seed=seed, epochs=15, dtype=dtype) for seed in range(4)]
    rules = [rule(name, lr=SETTINGS[name]["lr"] * (1 - k / 9)) for k in range(3)] + [rule("sgd")]
    schedules = [Constant(), Cosine(warmup=3), Constant(), Constant()]
    trainees = [
        Trainee(one, schedule, None, Records((0, 17)))
        for one, schedule in zip(rules, schedules, strict=True)
    ]
    together = snapshots(tasks, trainees)
    for row in range(3):
        alone, got = numbers(snapshots([tasks[row]], [trainees[row]]), 0), numbers(together, row)
        assert all(np.isfinite(values).all() for values in got.values())
        assert got["train_loss"][-1] < got["train_loss"][0]
        for series, values in alone.items():
            np.testing.assert_array_equal(got[series], values, err_msg=series)


@pytest.mark.parametrize("activation", ["relu", "tanh", "gelu"])
@pytest.mark.parametrize("hidden", [(8,), (6, 5, 4, 3)], ids=len)
@pytest.mark.parametrize("dataset", [Spiral(samples=90), Blobs(samples=90)], ids=str)
def test_order_of_the_stack_does_not_change_bits(activation, dataset, hidden):
    model = MLP(hidden=hidden, init="he", activation=activation)
    tasks = [task(seed=s, model=model, dataset=dataset) for s in range(5)]
    trainees = [Trainee(rule(name), Constant()) for name in list(RULES)[:5]]
    forward = snapshots(tasks, trainees)
    backward = snapshots(tasks[::-1], trainees[::-1])
    for row in range(5):
        alone = snapshots([tasks[row]], [trainees[row]])
        for name, values in numbers(forward, row).items():
            np.testing.assert_array_equal(numbers(backward, 4 - row)[name], values, err_msg=name)
            np.testing.assert_array_equal(numbers(alone, 0)[name], values, err_msg=name)


def test_a_diverging_run_freezes_where_it_is_and_leaves_the_others_their_bits():
    tasks = [task(seed=s, epochs=6) for s in range(3)]
    wild = rule("sgd", lr=1e200)
    calm = [rule("sgd"), rule("adam")]
    mixed = snapshots(tasks, [calm[0], wild, calm[1]])
    step = int(mixed[-1].diverged_at[1])
    assert 1 < step < 24
    assert mixed[-1].diverged_at.tolist() == [0, step, 0]
    for row in (0, 2):
        alone = numbers(snapshots([tasks[row]], [calm[row // 2]]), 0)
        for name, values in numbers(mixed, row).items():
            np.testing.assert_array_equal(values, alone[name], err_msg=name)
    after = [s for s in mixed if s.step >= step]
    assert all(np.isnan(v[1]) for s in after for v in s.metrics.values())
    assert all(np.array_equal(s.params[1], after[0].params[1], equal_nan=True) for s in after)


def test_divergence_is_noted_at_the_first_step_whose_loss_is_not_finite():
    one = task(epochs=6)
    step = int(snapshots([one], [rule("sgd", lr=1e200)])[-1].diverged_at[0])
    stack = NetworkStack([one])
    params = stack.start()
    grads = np.empty_like(params)
    with np.errstate(all="ignore"):
        for t in range(1, step + 1):
            finite = stack.gradient(params, (t - 1) % 4, grads)
            assert finite == (t < step)
            params -= 1e200 * grads


@pytest.mark.parametrize("eval_every", [1, 2, 3, 5])
def test_step_of_divergence_does_not_depend_on_the_cadence_of_evaluation(eval_every):
    one = task(epochs=10)
    wild = rule("adamw", lr=1e10)
    found = [snapshots([one], [wild], eval_every=n)[-1].diverged_at[0] for n in (1, eval_every)]
    assert found[0] == found[1] > 0


def test_a_stack_that_dies_before_its_first_evaluation_has_the_metrics_of_any_other():
    kept = snapshots([task(epochs=9)], [rule("sgdm", lr=1e200)], eval_every=9)
    assert kept[-1].metrics.keys() == snapshots([task()], [rule("sgd")])[-1].metrics.keys()
    assert all(np.isnan(values).all() for values in kept[-1].metrics.values())


def test_training_leaves_the_settings_of_numpy_as_they_were():
    with np.errstate(over="raise"):
        np.setbufsize(4096)
        before = np.geterr(), np.getbufsize()
        for _ in train(NetworkStack([task()]), [Trainee(rule("sgd"), Constant())], epochs=2):
            assert (np.geterr(), np.getbufsize()) == before


def test_training_ends_when_all_have_diverged():
    tasks = [task(seed=s, epochs=50) for s in range(2)]
    kept = snapshots(tasks, [rule("sgd", lr=1e200), rule("sgdm", lr=1e200)])
    assert kept[-1].epoch < 10
    assert (kept[-1].diverged_at > 0).all()


def test_evaluations_come_every_so_many_epochs_and_at_the_end():
    kept = snapshots([task(epochs=7)], [rule("sgd")], eval_every=3)
    assert [s.epoch for s in kept] == [3, 6, 7]
    assert [s.step for s in kept] == [12, 24, 28]


def test_cadence_of_evaluation_does_not_change_what_is_evaluated():
    often = snapshots([task(epochs=6)], [Trainee(rule("adam"), Constant(), None, Records((3,)))])
    seldom = snapshots(
        [task(epochs=6)], [Trainee(rule("adam"), Constant(), None, Records((3,)))], eval_every=3
    )
    for name, values in numbers(seldom, 0).items():
        expected = numbers(often, 0)[name]
        whole = values.shape == expected.shape
        np.testing.assert_array_equal(values, expected if whole else expected[2::3])


def test_gradient_norm_and_update_size_are_those_of_the_last_step():
    one = task(epochs=1)
    kept = snapshots([one], [rule("sgd", lr=0.1)])[-1]
    stack = NetworkStack([one])
    params, grads = stack.start(), np.empty_like(stack.start())
    for batch in range(4):
        stack.gradient(params, batch, grads)
        params -= 0.1 * grads
    norm = math.sqrt(sum(g * g for g in grads[0]))
    sizes = [abs(0.1 * stack.layout.view(grads, t.name)).mean() for t in stack.layout.tensors]
    assert kept.metrics["grad_norm"][0] == pytest.approx(norm, rel=1e-12)
    assert kept.metrics["update_size"][0] == pytest.approx(sum(sizes) / 6, rel=1e-12)


def test_clipping_limits_the_step_and_reports_the_whole_gradient():
    one = task(epochs=1, batch_size=100)
    free = snapshots([one], [rule("sgd", lr=1.0)])[-1]
    norm = free.metrics["grad_norm"][0]
    clipped = snapshots([one], [Trainee(rule("sgd", lr=1.0), Constant(), norm / 2)])[-1]
    loose = snapshots([one], [Trainee(rule("sgd", lr=1.0), Constant(), norm * 2)])[-1]
    start = NetworkStack([one]).start()
    moved = np.linalg.norm(clipped.params - start)
    assert moved == pytest.approx(norm / 2, rel=1e-12)
    assert clipped.metrics["grad_norm"][0] == norm
    np.testing.assert_array_equal(loose.params, free.params)


@pytest.mark.parametrize(("dtype", "size"), [("float64", 1e200), ("float32", 1e30)])
def test_a_gradient_whose_squares_overflow_is_clipped_and_not_lost(dtype, size):
    grads = np.array([[3, -4], [3, -4]], dtype) * np.array([[size], [1]], dtype)
    with np.errstate(over="ignore"):  # as in the loop
        clip(grads, np.array([[5.0], [np.inf]], dtype))
    np.testing.assert_allclose(grads, [[3, -4], [3, -4]], rtol=1e-6)


def test_schedules_start_at_one_and_end_where_they_say():
    assert Constant().factor(1, 10) == Constant().factor(10, 10) == 1
    assert [Linear(floor=0.5).factor(t, 4) for t in (1, 3)] == [1, 0.75]
    assert Cosine().factor(1, 100) == 1
    assert Cosine().factor(51, 100) == pytest.approx(0.5)
    assert Cosine(floor=0.2).factor(51, 100) == pytest.approx(0.6)
    drops = [StepDecay(every=2, gamma=0.1).factor(t, 10) for t in (1, 2, 3, 5)]
    assert drops == pytest.approx([1, 1, 0.1, 0.01])


@pytest.mark.parametrize("name", SCHEDULES)
def test_warm_up_rises_linearly_and_hands_over_at_one(name):
    schedule = SCHEDULES[name](warmup=4)
    assert [schedule.factor(t, 100) for t in range(1, 6)] == [0.25, 0.5, 0.75, 1, 1]
    assert all(0 <= schedule.factor(t, 100) <= 1 for t in range(1, 101))


def test_schedule_reaches_the_rule():
    one = task(epochs=1)
    trace = Trainee(rule("sgd", lr=0.1), Linear(warmup=2), None, Records((0,)))
    series = snapshots([one], [trace])[-1].traces[0]
    np.testing.assert_allclose(series["lr"][:, 0], [0.05, 0.1, 0.1, 0.05])
    np.testing.assert_allclose(series["update"], -series["lr"] * series["grad"])


def test_traces_hold_gradient_update_and_slots_after_each_step():
    kept = snapshots([task(epochs=2)], [Trainee(rule("adam"), Constant(), None, Records((0, 5)))])
    for snapshot in kept:
        assert snapshot.traces[0].keys() == {"lr", "grad", "update", "m", "v"}
        assert all(len(values) == 4 for values in snapshot.traces[0].values())
    first = kept[0].traces[0]
    np.testing.assert_allclose(first["m"][0], 0.1 * first["grad"][0])
    np.testing.assert_allclose(first["v"][0], 0.001 * first["grad"][0] ** 2)


def test_float32_stays_close_to_float64():
    exact = snapshots([task(epochs=1)], [rule("adam")])[-1]
    short = snapshots([task(epochs=1, dtype="float32")], [rule("adam")])[-1]
    assert short.params.dtype == np.float32
    np.testing.assert_allclose(short.params, exact.params, atol=1e-5)
    assert short.metrics["train_loss"] == pytest.approx(exact.metrics["train_loss"], rel=1e-5)


def test_the_loop_does_not_know_what_it_minimises():
    class Bowl:
        """|theta|^2 / 2 in P dimensions from (1, ..., 1)."""

        layout = NetworkStack([task()]).layout
        steps_per_epoch = 5

        def start(self):
            return np.ones((2, self.layout.size))

        def gradient(self, params, batch, out):
            np.copyto(out, params)
            return True

        def finite(self):
            return np.ones(2, bool)

        def evaluate(self, params):
            return {"train_loss": (params**2).sum(axis=1) / 2}

    *_, last = train(Bowl(), [Trainee(rule("sgd", lr=0.5), Constant())] * 2, epochs=2)
    np.testing.assert_allclose(last.params, 0.5**10)
