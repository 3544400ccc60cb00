"""A stack of networks, each on its own data, as one problem with (R, P) parameters.

Everything is features-first: activations are (R, H + 1, B) with a last row of ones, and a
layer is one (R, inputs + 1, outputs) matrix whose last row is the bias. The flat parameters
of a run hold W1, b1, W2, b2, ... end to end in C order, which is exactly those matrices end
to end: they are views, and a bias costs neither an addition nor a sum of its own.

Bits: each row's products are matrix products of one shape that no other row touches, and
every reduction runs over a row's own last axis. So a run's numbers do not depend on which
runs it is stacked with.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from adamcli.layout import Array, Layout
from adamcli.problems.activations import ACTIVATION_CLASSES
from adamcli.problems.curvature import GaussNewton
from adamcli.problems.losses import classifier_for, loss_for
from adamcli.seeding import Rng, Streams, streams

if TYPE_CHECKING:
    from adamcli.problems.network import MLP, NetworkTask

# A product's last bits depend on the width of its operands, so data are always evaluated in
# pieces of this many columns. Not a power of two: rows whose addresses lie a multiple of
# 4096 bytes apart compete for the same places in the cache (a third slower, measured).
CHUNK = 800

# Shuffled batches are gathered ahead, up to so many bytes for a whole stack.
_WINDOW_BYTES = 64 * 2**20


def initial_params(task: NetworkTask, layout: Layout, rng: Rng) -> Array:
    """Normal weights and zero biases, (P,) float64, drawn array by array.

    Source:  `article` has the deviations 0.8, 0.5, 0.2 of the tutorial (0.5 for every layer
             between the first and the last); `he`: He et al. 2015, arXiv:1502.01852;
             `glorot`: Glorot and Bengio, AISTATS 2010, in its normal form.
    """
    flat = np.zeros(layout.size)
    weights = [tensor for tensor in layout.tensors if len(tensor.shape) == 2]
    for k, tensor in enumerate(weights):
        deviation = _deviation(task.model, tensor.shape, first=k == 0, last=tensor is weights[-1])
        flat[tensor.start : tensor.stop] = rng.normal(0.0, deviation, size=tensor.shape).ravel()
    return flat


def _deviation(model: MLP, shape: tuple[int, ...], *, first: bool, last: bool) -> float:
    """The standard deviation of the initial weights of one layer."""
    fan_in, fan_out = shape
    if model.init == "he":
        return float(np.sqrt(2 / fan_in))
    if model.init == "glorot":
        return float(np.sqrt(2 / (fan_in + fan_out)))
    return 0.2 if last else 0.8 if first else 0.5


class _Source:
    """The data and initial parameters of one (dataset, model, seed), shared by its runs."""

    def __init__(self, task: NetworkTask, layout: Layout) -> None:
        self.streams: Streams = streams(task.random, task.seed)
        split = task.dataset.split(self.streams, task.held_out)
        dtype = np.dtype(task.dtype)
        x = np.concatenate([split.train_x, split.held_out_x])
        y = np.concatenate([split.train_y, split.held_out_y])
        self.samples = _samples(x, y, task.outputs, dtype)  # the training set first
        self.params = initial_params(task, layout, self.streams.init).astype(dtype)


def _samples(x: Array, y: Array, outputs: int, dtype: np.dtype) -> Array:
    """A row per sample: its inputs, a one, its targets; (n, F + 1 + K)."""
    targets = y[:, None] if outputs == 1 else y[:, None] == np.arange(outputs)
    return np.concatenate([x, np.ones((len(y), 1)), targets], axis=1).astype(dtype)


class _Workspace:
    """Preallocated arrays of one forward and backward pass over B columns, and views of them."""

    def __init__(self, task: NetworkTask, runs: int, columns: int) -> None:
        dtype = np.dtype(task.dtype)
        activation = ACTIVATION_CLASSES[task.model.activation]
        shapes = [(runs, width, columns) for width in task.model.hidden]
        self.signals = [np.ones((runs, width + 1, columns), dtype) for _, width, _ in shapes]
        self.hidden = [signal[:, :-1] for signal in self.signals]
        self.activations = [activation(signal) for signal in self.signals]
        self.logits = np.empty((runs, task.outputs, columns), dtype)
        self.flat_logits = self.logits.reshape(-1)
        # NumPy has no fast product over a single column, so one logit is given a second one
        # whose weights and gradient are zero.
        width = max(task.outputs, 2)
        self.wide_delta = np.zeros((runs, width, columns), dtype)
        self.wide_weights = np.zeros((runs, task.model.hidden[-1], width), dtype)
        # The gradient with respect to each layer's output, (R, H, B), and transposed.
        self.deltas = [np.empty(shape, dtype) for shape in shapes]
        self.deltas.append(self.wide_delta[:, : task.outputs])
        self.turned = [delta.transpose(0, 2, 1) for delta in self.deltas]
        self.gauss_newton = GaussNewton(self.signals, self.activations, self.logits)


class _Layer(NamedTuple):
    """Views of one layer in the parameters and gradients of a stack."""

    forward: Array  # (R, outputs, inputs + 1), weights and biases transposed
    backward: Array  # (R, inputs, outputs), weights alone
    grad: Array  # (R, inputs + 1, outputs)


class NetworkStack:
    """R networks of one shape, trained on R streams of batches; a `Problem`.

    Args:
        tasks: one per run, all with the same `stack_key`.
    """

    def __init__(self, tasks: Sequence[NetworkTask]) -> None:
        task = tasks[0]
        self.layout = task.layout
        self.steps_per_epoch = task.steps_per_epoch
        self._task = task
        self._runs = len(tasks)
        self._inputs = task.dataset.features + 1
        self._samples = task.dataset.train_size
        self._loss = loss_for(task.dataset.classes)
        self._bound: tuple[Array, Array, tuple[list[_Layer], list[Array]]] | None = None
        self._workspaces: dict[tuple[int, int], _Workspace] = {}
        self._read_sources(tasks)
        self._make_window()

    def _read_sources(self, tasks: Sequence[NetworkTask]) -> None:
        """Draw data and initial parameters once per seed; start one batch stream per order."""
        sources: dict[Hashable, _Source] = {}
        orders: dict[Hashable, Rng] = {}
        order_keys: list[Hashable] = []
        for task in tasks:
            key = _source_key(task)
            if key not in sources:
                sources[key] = _Source(task, self.layout)
            order_keys.append((key, task.position))
            if order_keys[-1] not in orders:
                batches = sources[key].streams.batches
                orders[order_keys[-1]] = batches(task.position, task.epochs, self._samples)
        places = {key: place for place, key in enumerate(sources)}
        order_places = {key: place for place, key in enumerate(orders)}
        self._sources = np.array([places[_source_key(task)] for task in tasks])
        self._order_of = [order_places[key] for key in order_keys]
        self._order_streams = list(orders.values())
        self._data = np.stack([source.samples for source in sources.values()])
        self._start = np.stack([source.params for source in sources.values()])[self._sources]

    def _make_window(self) -> None:
        """Room for the next batches of every run, and features-first views of each batch."""
        batch, width = self._task.batch_size, self._data.shape[2]
        step_bytes = self._runs * batch * width * self._data.itemsize
        self._window_steps = int(np.clip(_WINDOW_BYTES // step_bytes, 1, self.steps_per_epoch))
        samples = min(self._window_steps * batch, self._samples)
        self._window = np.empty((self._runs, samples, width), self._data.dtype)
        self._batches = [
            self._parts(self._window[:, at : at + batch]) for at in range(0, samples, batch)
        ]

    def _parts(self, samples: Array) -> tuple[Array, Array]:
        """Inputs (R, F + 1, B) and targets (R, K, B) as views of samples (R, B, F + 1 + K)."""
        columns = samples.transpose(0, 2, 1)
        return columns[:, : self._inputs], columns[:, self._inputs :]

    def start(self) -> Array:
        """The initial parameters, a new (R, P) array."""
        return self._start.copy()

    def gradient(self, params: Array, batch: int, out: Array) -> bool:
        """out <- gradient of the loss on one batch, (R, P); whether all losses are finite.

        Args:
            params: (R, P). Views of `params` and `out` are kept for as long as the same two
                arrays come again.
            batch: its number in the epoch, from 0, in order; 0 draws new permutations.
        """
        inputs, targets = self._batch(batch)
        self._latest, self._targets = inputs, targets
        layers, weights = self._bind(params, out)
        work = self._work = self._workspace(self._runs, inputs.shape[-1])
        _forward(weights, inputs, work)
        self._loss.gradient(work.logits, targets, out=work.deltas[-1])
        _backward(layers, inputs, work)
        # A sum of squares is the cheapest way to see whether all of many numbers are finite.
        squares = work.flat_logits.dot(work.flat_logits)
        return math.isfinite(squares) or bool(self.finite().all())

    def skip(self, epochs: int) -> None:
        """Draw the permutations of so many epochs."""
        for _ in range(epochs):
            self._draw_orders()

    def finite(self) -> Array:
        """Whether each run's loss on the latest batch is finite, (R,)."""
        losses = self._loss.per_sample(self._work.logits, self._targets)
        return np.asarray(np.isfinite(losses).all(axis=1))

    def curvature(self, params: Array, out: Array) -> None:
        """out <- diagonal of the Gauss-Newton matrix of the loss on the latest batch, (R, P)."""
        layers = _layers(params, out, self.layout)
        work = self._workspace(self._runs, self._latest.shape[-1])
        _forward([layer.forward for layer in layers], self._latest, work)
        weights, diagonals = [each.backward for each in layers], [each.grad for each in layers]
        roots = self._loss.curvature_roots(work.logits)
        work.gauss_newton.fill(weights, self._latest, roots, out=diagonals)

    def evaluate(self, params: Array) -> dict[str, Array]:
        """Mean loss and accuracy on all training and all held-out points, each (R,) float64."""
        splits = {"train": slice(0, self._samples)}
        if self._data.shape[1] > self._samples:
            splits[self._task.held_out] = slice(self._samples, self._data.shape[1])
        metrics = {name: np.empty(self._runs) for name in self._task.metrics}
        # Run by run: the products are large enough here, and stacking them would only push
        # the activations out of the cache.
        layers = _layers(params, params, self.layout)
        for run, source in enumerate(self._sources):
            weights = [layer.forward[run : run + 1] for layer in layers]
            scores = self._scores(weights, self._data[source : source + 1])
            for split, part in splits.items():
                for score, values in scores.items():
                    mean = values[part].sum() / (part.stop - part.start)
                    metrics[f"{split}_{score}"][run] = mean
        return metrics

    def _scores(self, weights: list[Array], samples: Array) -> dict[str, Array]:
        """What is averaged over samples (1, n, F + 1 + K), (n,) float64 each."""
        inputs, targets = self._parts(samples)
        logits = np.empty(targets.shape, targets.dtype)
        for at in range(0, logits.shape[-1], CHUNK):
            piece = inputs[:, :, at : at + CHUNK]
            work = self._workspace(1, piece.shape[-1])
            _forward(weights, piece, work)
            logits[:, :, at : at + CHUNK] = work.logits
        scores = self._loss.scores(logits, targets)
        return {name: values[0].astype(np.float64, copy=False) for name, values in scores.items()}

    def _batch(self, batch: int) -> tuple[Array, Array]:
        """Inputs (R, F + 1, B) and targets (R, K, B) of a batch; the last may be narrower."""
        place = batch % self._window_steps
        if place == 0:
            self._fill_window(batch)
        inputs, targets = self._batches[place]
        left = self._samples - batch * self._task.batch_size
        if left >= inputs.shape[-1]:
            return inputs, targets
        return inputs[:, :, :left], targets[:, :, :left]

    def _draw_orders(self) -> None:
        """The permutations of the next epoch."""
        self._orders = [stream.permutation(self._samples) for stream in self._order_streams]

    def _fill_window(self, batch: int) -> None:
        """Gather the samples of the next batches of every run in shuffled order."""
        if batch == 0:
            self._draw_orders()
        first = batch * self._task.batch_size
        count = min(self._window.shape[1], self._samples - first)
        for run, source in enumerate(self._sources):
            order = self._orders[self._order_of[run]][first : first + count]
            # mode="clip" lets take write straight into `out`; every index is in range.
            np.take(self._data[source], order, 0, out=self._window[run, :count], mode="clip")

    def _workspace(self, runs: int, columns: int) -> _Workspace:
        """The arrays for passes over so many runs and columns, made at the first need."""
        if (runs, columns) not in self._workspaces:
            self._workspaces[runs, columns] = _Workspace(self._task, runs, columns)
        return self._workspaces[runs, columns]

    def _bind(self, params: Array, grads: Array) -> tuple[list[_Layer], list[Array]]:
        """The layers of both stacks and their forward weights, made anew for new arrays only."""
        if self._bound is None or self._bound[0] is not params or self._bound[1] is not grads:
            layers = _layers(params, grads, self.layout)
            self._bound = (params, grads, (layers, [layer.forward for layer in layers]))
        return self._bound[2]


def predict(task: NetworkTask, params: Array, x: Array) -> Array:
    """The probabilities that one trained network gives to points, or the numbers it predicts.

    Args:
        params: (P,), as saved.
        x: (n, F) inputs, standardised if the task's dataset is.

    Returns:
        (n, K) float64; K is 2 for a single logit, and 1 in a regression.
    """
    samples = _samples(x, np.zeros(len(x)), task.outputs, np.dtype(task.dtype))[None]
    inputs = samples.transpose(0, 2, 1)[:, : x.shape[1] + 1]
    layers = _layers(params[None], params[None], task.layout)
    work = _Workspace(task, 1, len(x))
    _forward([layer.forward for layer in layers], inputs, work)
    if not task.dataset.classes:
        return work.logits[0].T.astype(np.float64)
    loss = classifier_for(task.dataset.classes)
    chances = loss.probabilities(work.logits)[0].T.astype(np.float64)
    return np.concatenate([1 - chances, chances], axis=1) if task.outputs == 1 else chances


def _source_key(task: NetworkTask) -> Hashable:
    """What decides a run's data and initial parameters."""
    return (task.dataset, task.model.init, task.random, task.seed)


def _layers(params: Array, grads: Array, layout: Layout) -> list[_Layer]:
    """Every layer's views into (R, P) parameters and gradients."""
    layers = []
    for weight, bias in zip(layout.tensors[::2], layout.tensors[1::2], strict=True):
        inputs, outputs = weight.shape
        shape = (len(params), inputs + 1, outputs)
        matrix = params[:, weight.start : bias.stop].reshape(shape)
        grad = grads[:, weight.start : bias.stop].reshape(shape)
        layers.append(_Layer(matrix.transpose(0, 2, 1), matrix[:, :-1], grad))
    return layers


def _forward(weights: list[Array], inputs: Array, work: _Workspace) -> None:
    """Fill the signals and logits of `work` from inputs (R, F + 1, B) with a last row of ones."""
    signal = inputs
    for k, hidden in enumerate(work.hidden):
        np.matmul(weights[k], signal, out=hidden)
        work.activations[k].apply()
        signal = work.signals[k]
    np.matmul(weights[-1], signal, out=work.logits)


def _backward(layers: list[_Layer], inputs: Array, work: _Workspace) -> None:
    """Fill every layer's gradient from the last of `work.deltas`."""
    last = len(layers) - 1
    np.copyto(work.wide_weights[:, :, : work.logits.shape[1]], layers[last].backward)
    for k in range(last, 0, -1):
        below = work.deltas[k - 1]
        np.matmul(work.signals[k - 1], work.turned[k], out=layers[k].grad)
        if k == last:
            np.matmul(work.wide_weights, work.wide_delta, out=below)
        else:
            np.matmul(layers[k].backward, work.deltas[k], out=below)
        work.activations[k - 1].pull_back(below)
    np.matmul(inputs, work.turned[0], out=layers[0].grad)
