"""Logistic regression on sparse features, so that most entries of a gradient are zero."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple

import numpy as np

from adamcli.layout import Array, Layout
from adamcli.problems.datasets import HeldOut
from adamcli.problems.landscape import Seeds
from adamcli.problems.losses import BinaryCrossEntropy
from adamcli.problems.task import Kind
from adamcli.seeding import Rng, generator
from adamcli.settings import setting

# Deviation of the true weights: present features decide a class clearly, but not surely.
_STRENGTH = 2.0


class _Data(NamedTuple):
    """The points of one seed: features (n, P) and targets (n,), the training set first."""

    features: Array
    targets: Array


@dataclass(frozen=True, kw_only=True)
class SparseLogistic:
    """Logistic regression on rare features: what becomes of weights that seldom have a gradient?

    Each of `features` features is present, 1, with probability `density`, else 0. The logit is
    the sum of the weights of those present; the true weights are normal with deviation 2. A
    weight whose feature is in none of a batch's points has the gradient 0.
    Starts: 0.
    Source: the case for adaptive rates of Duchi, Hazan and Singer, JMLR 12, 2011, section 1.
    """

    kind: ClassVar[Kind] = "stress"

    features: int = setting(200, "number of features and so of weights", ge=1, le=5000)
    density: float = setting(0.02, "probability of a feature to be present", gt=0, le=1)
    samples: int = setting(2000, "training points", ge=2, le=100_000)
    test_samples: int = setting(2000, "held-out points, 0 for none", ge=0, le=100_000)
    batch: int = setting(20, "training points in a batch", ge=1, le=100_000)
    held_out: HeldOut = "test"

    @property
    def dimensions(self) -> int:
        """A weight for each feature."""
        return self.features

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch; the last one is smaller where batch does not divide samples."""
        return -(-self.samples // self.batch)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Loss and accuracy, on held-out points too where there are any."""
        splits = ("train", self.held_out) if self.test_samples else ("train",)
        return tuple(f"{split}_{what}" for split in splits for what in ("loss", "accuracy"))

    @property
    def numbers(self) -> int:
        """A run's data, and a batch of them."""
        return self.features * (self.samples + self.test_samples + self.batch)

    @property
    def step_numbers(self) -> int:
        """A batch, gathered, multiplied forward and back."""
        return 4 * self.features * self.batch

    def problem(self, seeds: Sequence[int], dtype: np.dtype) -> SparseStack:
        """A row for each seed."""
        return SparseStack(self, seeds, dtype)

    def validated(self) -> SparseLogistic:
        """The same, evaluated on as many points of the stream for validation."""
        return replace(self, held_out="validation")

    def draw(self, seed: int, dtype: np.dtype) -> _Data:
        """The training points and after them the held-out ones, of the same true weights."""
        data, held_out = generator(seed, "data"), generator(seed, self.held_out)
        weights = data.normal(0.0, _STRENGTH, self.features)
        parts = [self._points(rng, n, weights) for rng, n in self._parts(data, held_out)]
        features, targets = (np.concatenate(part) for part in zip(*parts, strict=True))
        return _Data(features.astype(dtype), targets.astype(dtype))

    def _parts(self, data: Rng, held_out: Rng) -> list[tuple[Rng, int]]:
        """From which stream how many points come."""
        return [(data, self.samples), (held_out, self.test_samples)]

    def _points(self, rng: Rng, n: int, weights: Array) -> tuple[Array, Array]:
        """Features (n, P) and targets (n,), drawn with the probability of the logistic model."""
        features = (rng.random((n, self.features)) < self.density).astype(np.float64)
        chance = 1 / (1 + np.exp(-(features @ weights)))
        return features, rng.random(n) < chance


class SparseStack:
    """R logistic regressions, trained on R streams of batches; a `Problem`."""

    def __init__(self, settings: SparseLogistic, seeds: Sequence[int], dtype: np.dtype) -> None:
        self.layout = Layout.of({"x": (settings.features,)})
        self.steps_per_epoch = settings.steps_per_epoch
        self._settings = settings
        self._dtype = dtype
        source = Seeds(seeds)
        self._rows = source.rows
        self._data = [settings.draw(seed, dtype) for seed in source.distinct]
        self._streams = [generator(seed, "batches") for seed in source.distinct]
        self._loss = BinaryCrossEntropy()
        self._room = np.empty((len(seeds), settings.batch, settings.features), dtype)

    def start(self) -> Array:
        """Zeros, a new (R, P) array."""
        return np.zeros((len(self._rows), self.layout.size), self._dtype)

    def gradient(self, params: Array, batch: int, out: Array) -> bool:
        """out <- gradient of the mean loss on a batch, (R, P); batch 0 draws permutations."""
        if batch == 0:
            self._draw_orders()
        at = slice(batch * self._settings.batch, (batch + 1) * self._settings.batch)
        targets = self._gather([order[at] for order in self._orders])
        self._logits = np.matmul(params[:, None], self._features.transpose(0, 2, 1))
        delta = np.empty_like(self._logits)
        self._loss.gradient(self._logits, targets, out=delta)
        np.matmul(delta, self._features, out=out[:, None])
        flat = self._logits.reshape(-1)
        return math.isfinite(flat.dot(flat)) or bool(self.finite().all())

    def skip(self, epochs: int) -> None:
        """Draw the permutations of so many epochs."""
        for _ in range(epochs):
            self._draw_orders()

    def _draw_orders(self) -> None:
        """The permutations of the next epoch, one for each seed."""
        self._orders = [s.permutation(self._settings.samples) for s in self._streams]

    def _gather(self, chosen: Sequence[Array]) -> Array:
        """Fill `_features` (R, B, P) with each seed's chosen points; their targets (R, 1, B)."""
        self._features = self._room[:, : len(chosen[0])]
        targets = np.empty((len(self._rows), 1, len(chosen[0])), self._dtype)
        for row, place in enumerate(self._rows):
            data, points = self._data[place], chosen[place]
            # mode="clip" lets take write straight into `out`; every index is in range.
            np.take(data.features, points, 0, out=self._features[row], mode="clip")
            targets[row, 0] = data.targets[points]
        return targets

    def finite(self) -> Array:
        """Whether each row's loss on the latest batch is finite, (R,): its logits all are."""
        return np.asarray(np.isfinite(self._logits).all(axis=(1, 2)))

    def curvature(self, params: Array, out: Array) -> None:
        """out <- diagonal of the Hessian on the latest batch, (R, P): mean of p (1 - p) x^2."""
        logits = np.matmul(params[:, None], self._features.transpose(0, 2, 1))
        chance = self._loss.probabilities(logits)
        weights = chance * (1 - chance) * (1 / logits.shape[-1])
        np.matmul(weights, self._features, out=out[:, None])  # a feature is its own square

    def evaluate(self, params: Array) -> dict[str, Array]:
        """Mean loss and accuracy on all training and all held-out points, each (R,) float64."""
        metrics = {name: np.empty(len(params)) for name in self._settings.metrics}
        for row, place in enumerate(self._rows):
            data = self._data[place]
            logits = np.matmul(params[row : row + 1, None], data.features.T)
            targets = data.targets[None, None]
            losses = self._loss.per_sample(logits, targets)[0].astype(np.float64, copy=False)
            correct = self._loss.correct(logits, targets)[0]
            train = self._settings.samples
            held_out = self._settings.held_out
            for split, part in (("train", slice(train)), (held_out, slice(train, None))):
                if f"{split}_loss" in metrics:
                    metrics[f"{split}_loss"][row] = losses[part].mean()
                    metrics[f"{split}_accuracy"][row] = correct[part].mean()
        return metrics
