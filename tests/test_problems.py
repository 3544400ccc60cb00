"""The networks: gradients, losses, initial weights, data and batches."""

from __future__ import annotations

import numpy as np
import pytest
from stacks import numbers, rule, snapshots, task

from adamcli.layout import Layout
from adamcli.problems import DATASETS, MLP, NetworkStack, predict
from adamcli.problems.datasets import Blobs, Circles, Moons, Spiral, Wave, Xor
from adamcli.problems.losses import BinaryCrossEntropy, SoftmaxCrossEntropy
from adamcli.problems.network import ACTIVATIONS, INITS
from adamcli.seeding import ArticleStreams, PairedStreams

SYNTHETIC = [name for name in DATASETS if name not in ("file", "digits", "breast_cancer")]


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize(
    "dataset", [Spiral(samples=40), Blobs(samples=40, blobs=3), Wave(samples=40)], ids=str
)
@pytest.mark.parametrize("hidden", [(5,), (6, 4), (4, 3, 5)], ids=str)
def test_gradient_agrees_with_central_differences(activation, dataset, hidden):
    model = MLP(hidden=hidden, init="glorot", activation=activation)
    tasks = [task(dataset=dataset, model=model, seed=s, batch_size=40, epochs=1) for s in (0, 1)]
    stack = NetworkStack(tasks)
    params = stack.start() + 0.1
    grads = np.empty_like(params)
    stack.gradient(params, 0, grads)
    numeric = np.empty_like(params)
    step = 1e-6
    for place in range(stack.layout.size):
        shifted = params.copy()
        shifted[:, place] += step
        above = stack.evaluate(shifted)["train_loss"]
        shifted[:, place] -= 2 * step
        numeric[:, place] = (above - stack.evaluate(shifted)["train_loss"]) / (2 * step)
    np.testing.assert_allclose(grads, numeric, rtol=1e-6, atol=1e-8)
    assert np.abs(grads).max() > 1e-3


def test_layer_weights_are_views_of_the_flat_parameters():
    stack = NetworkStack([task(seed=s) for s in range(3)])
    params, grads = stack.start(), np.empty_like(stack.start())
    stack.gradient(params, 0, grads)
    layers, _ = stack._bind(params, grads)
    assert all(np.shares_memory(layer.forward, params) for layer in layers)
    assert all(np.shares_memory(layer.grad, grads) for layer in layers)
    assert np.shares_memory(stack.layout.view(params, "W2"), params)
    np.testing.assert_array_equal(layers[1].backward, stack.layout.view(params, "W2"))
    np.testing.assert_array_equal(layers[1].forward[:, :, -1], stack.layout.view(params, "b2"))


def test_layout_names_places_in_c_order():
    layout = Layout.of({"W1": (2, 3), "b1": (3,)})
    assert [layout.index(p) for p in ("W1[0,0]", "W1[ 1 , 0 ]", "b1[2]")] == [0, 3, 8]
    with pytest.raises(ValueError, match=r"W1 has the entries W1\[0,0\] to W1\[1,2\]"):
        layout.index("W1[2,0]")
    with pytest.raises(ValueError, match="no array 'W3'; there are W1, b1"):
        layout.index("W3[0]")
    with pytest.raises(ValueError, match="not of the form"):
        layout.index("W1[-1,0]")


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_loss_of_a_point_far_on_the_right_side_keeps_its_digits(dtype):
    size = np.array([1, 5, 10, 17.5, 30, 40, 80])
    logits, targets = np.array([size, -size])[None, :, None], np.array([1, 0])[None, :, None]
    for k in (0, 1):
        z, y = logits[:, k].astype(dtype), np.full((1, 1, 7), targets[0, k, 0], dtype)
        losses = BinaryCrossEntropy().per_sample(z, y)[0]
        np.testing.assert_allclose(losses, np.log1p(np.exp(-size)), rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    "loss", [BinaryCrossEntropy(), SoftmaxCrossEntropy()], ids=["two classes", "several"]
)
def test_loss_and_gradient_are_finite_and_exact_at_huge_logits(loss):
    logits = np.array([[[800.0, -800.0, 0.0]]])
    targets = np.array([[[1.0, 1.0, 1.0]]])
    if isinstance(loss, SoftmaxCrossEntropy):
        logits = np.concatenate([np.zeros_like(logits), logits], axis=1)
        targets = np.concatenate([np.zeros_like(targets), targets], axis=1)
    delta = np.empty_like(logits)
    with np.errstate(over="ignore"):
        loss.gradient(logits, targets, out=delta)
    np.testing.assert_allclose(loss.per_sample(logits, targets)[0], [0, 800, np.log(2)])
    np.testing.assert_allclose(delta[0, -1] * 3, [0, -1, -0.5], atol=1e-15)


@pytest.mark.parametrize("init", INITS)
def test_initial_weights_have_the_stated_deviations_and_zero_biases(init):
    model = MLP(hidden=(200, 300, 100), init=init)
    stack = NetworkStack([task(model=model)])
    fans = {"W1": (2, 200), "W2": (200, 300), "W3": (300, 100), "W4": (100, 1)}
    article = {"W1": 0.8, "W2": 0.5, "W3": 0.5, "W4": 0.2}
    for name, (fan_in, fan_out) in fans.items():
        he, glorot = (2 / fan_in) ** 0.5, (2 / (fan_in + fan_out)) ** 0.5
        expected = {"article": article[name], "he": he, "glorot": glorot}[init]
        weights = stack.layout.view(stack.start(), name)
        assert weights.std() == pytest.approx(expected, rel=0.25)
        assert not stack.layout.view(stack.start(), name.replace("W", "b")).any()


def test_every_epoch_visits_every_sample_once():
    stack = NetworkStack([task()])
    params = stack.start()
    seen = [
        np.concatenate([stack._batch(batch)[0][0, :2].T.copy() for batch in range(4)])
        for _ in range(2)
    ]
    train = stack._data[0, :100, :2]
    assert not np.array_equal(seen[0], seen[1])
    for epoch in seen:
        np.testing.assert_array_equal(np.sort(epoch, axis=0), np.sort(train, axis=0))
    assert params.shape == (1, task().layout.size)


def test_batches_do_not_depend_on_how_far_ahead_they_are_gathered(monkeypatch):
    whole = NetworkStack([task(seed=s) for s in (0, 1)])
    monkeypatch.setattr("adamcli.problems.mlp._WINDOW_BYTES", 2 * 2 * 4 * 32 * 8)
    ahead = NetworkStack([task(seed=s) for s in (0, 1)])
    assert (ahead._window_steps, whole._window_steps) == (2, 4)
    for _ in range(2):
        for batch in range(4):
            for mine, other in zip(ahead._batch(batch), whole._batch(batch), strict=True):
                np.testing.assert_array_equal(mine, other)


@pytest.mark.parametrize("name", SYNTHETIC)
def test_dataset_draws_the_numbers_asked_for_and_every_class(name):
    dataset = DATASETS[name](samples=301, test_samples=50)
    split = dataset.split(PairedStreams(3))
    assert split.train_x.shape == (dataset.train_size, dataset.features)
    assert len(split.held_out_y) == 50
    classes = set(split.train_y.tolist()) if dataset.classes else set()
    assert classes == set(range(dataset.classes))
    assert np.isfinite(split.train_x).all()


@pytest.mark.parametrize("name", SYNTHETIC)
def test_dataset_is_the_same_for_a_seed_and_new_for_another(name):
    dataset = DATASETS[name](samples=100, test_samples=20)
    first, again, other = (dataset.split(PairedStreams(seed)) for seed in (5, 5, 6))
    np.testing.assert_array_equal(first.train_x, again.train_x)
    np.testing.assert_array_equal(first.held_out_x, again.held_out_x)
    assert not np.array_equal(first.train_x, other.train_x)


def test_the_test_set_does_not_move_the_training_set():
    small, large = (
        Moons(samples=50, test_samples=n).split(PairedStreams(1)).train_x for n in (0, 500)
    )
    np.testing.assert_array_equal(small, large)


def test_points_for_tuning_are_others_than_those_for_the_report():
    dataset = Moons(samples=50, test_samples=40)
    report, tuning = (dataset.split(PairedStreams(1), part) for part in ("test", "validation"))
    np.testing.assert_array_equal(report.train_x, tuning.train_x)
    assert len(tuning.held_out_x) == dataset.validation_samples == 40
    assert not set(map(tuple, report.held_out_x)) & set(map(tuple, tuning.held_out_x))


def test_noiseless_datasets_lie_where_they_should():
    circles = Circles(samples=100, noise=0.0, factor=0.3).split(PairedStreams(0))
    radius = np.linalg.norm(circles.train_x, axis=1)
    np.testing.assert_allclose(radius, np.where(circles.train_y == 1, 0.3, 1.0))
    xor = Xor(samples=100, noise=0.0).split(PairedStreams(0))
    np.testing.assert_array_equal(xor.train_y == 1, xor.train_x.prod(axis=1) < 0)


def test_standardising_uses_the_training_set_for_both():
    plain = Blobs(samples=90, test_samples=30).split(PairedStreams(0))
    scaled = Blobs(samples=90, test_samples=30, standardize=True).split(PairedStreams(0))
    np.testing.assert_allclose(scaled.train_x.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.train_x.std(axis=0), 1)
    mean, deviation = plain.train_x.mean(axis=0), plain.train_x.std(axis=0)
    np.testing.assert_allclose(scaled.held_out_x, (plain.held_out_x - mean) / deviation)


def test_article_stream_gives_each_optimizer_the_next_permutations():
    first, second = ArticleStreams(7), ArticleStreams(7)
    expected = np.random.RandomState(7)
    batches = [[expected.permutation(10) for _ in range(4)] for _ in range(3)]
    at_two = first.batches(2, 4, 10)
    at_zero = second.batches(0, 4, 10)
    np.testing.assert_array_equal([at_two.permutation(10) for _ in range(4)], batches[2])
    np.testing.assert_array_equal([at_zero.permutation(10) for _ in range(4)], batches[0])


def test_paired_streams_of_different_purposes_are_independent():
    streams = PairedStreams(4)
    draws = [rng.random(3) for rng in (streams.data, streams.test, streams.init)]
    draws.append(streams.batches(0, 1, 1).random(3))
    assert len({tuple(draw) for draw in draws}) == 4


def test_predict_gives_the_probabilities_behind_the_recorded_accuracy():
    for dataset in (Spiral(samples=80, test_samples=0), Blobs(samples=80, test_samples=0)):
        one = task(dataset=dataset)
        stack = NetworkStack([one])
        params = stack.start()
        split = dataset.split(PairedStreams(0))
        chances = predict(one, params[0], split.train_x)
        np.testing.assert_allclose(chances.sum(axis=1), 1)
        accuracy = np.mean(chances.argmax(axis=1) == split.train_y)
        assert stack.evaluate(params)["train_accuracy"][0] == accuracy


def test_a_regression_has_a_loss_alone_and_it_is_the_mean_squared_error():
    one = task(dataset=Wave(samples=80, test_samples=40))
    assert one.metrics == ("train_loss", "test_loss")
    stack = NetworkStack([one])
    params, split = stack.start(), one.dataset.split(PairedStreams(0))
    metrics = stack.evaluate(params)
    assert tuple(metrics) == one.metrics
    for part, x, y in (("train", *split[:2]), ("test", *split[2:4])):
        error = predict(one, params[0], x)[:, 0] - y
        assert metrics[f"{part}_loss"][0] == pytest.approx(np.mean(error**2), rel=1e-12)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_regressions_have_the_same_bits_alone_and_stacked(dtype):
    tasks = [
        task(seed=seed, dataset=Wave(samples=100, noise=0.1 * (seed + 1)), dtype=dtype)
        for seed in range(5)
    ]
    together = snapshots(tasks, [rule("adam")] * 5)
    for row in (0, 3):
        alone = numbers(snapshots([tasks[row]], [rule("adam")]), 0)
        for name, value in numbers(together, row).items():
            np.testing.assert_array_equal(value, alone[name])


def test_a_network_learns_the_wave_down_to_its_noise():
    wave = Wave(samples=500, noise=0.1)
    one = task(dataset=wave, model=MLP(hidden=(32, 32), activation="tanh"), epochs=100)
    last = snapshots([one], [rule("adam", lr=0.01)], eval_every=100)[-1]
    assert 0.007 < last.metrics["train_loss"][0] < last.metrics["test_loss"][0] < 0.02
