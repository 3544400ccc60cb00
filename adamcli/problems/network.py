"""A network on a dataset, as a task."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from adamcli.layout import Layout
from adamcli.problems.datasets import Dataset, HeldOut
from adamcli.problems.mlp import CHUNK, NetworkStack
from adamcli.problems.task import Kind
from adamcli.settings import setting

ACTIVATIONS = ("relu", "tanh", "gelu")
INITS = ("article", "he", "glorot")

# What a unit's activation takes beside the products, an evaluated sample, and the calls of a
# step for one row, in operations of matrix products.
_OPERATIONS_PER_UNIT = {"relu": 48, "tanh": 100, "gelu": 250}
_OPERATIONS_PER_SAMPLE = 2200
_OPERATIONS_PER_STEP = 52_000


@dataclass(frozen=True, kw_only=True)
class MLP:
    """A fully connected network; its output has one logit or number, K for K > 2 classes."""

    hidden: tuple[int, ...] = setting(
        (32, 32), "width of each hidden layer", kind=int, many=True, ge=1, le=4096
    )
    init: str = setting(
        "article",
        "initial weights: article (0.8 first, 0.5 between, 0.2 last), he or glorot",
        choices=INITS,
    )
    activation: str = setting("relu", "nonlinearity of the hidden layers", choices=ACTIVATIONS)


@dataclass(frozen=True, kw_only=True)
class NetworkTask:
    """A network on a dataset; a `Task`.

    Attributes:
        seed: which data, initial weights and batches.
        position: the optimizer's place in the experiment; decides the batches under
            `random: article` and is 0 otherwise.
        random: `paired` or `article`, see `adamcli.seeding`.
        dtype: `float64` or `float32`.
        epochs: passes over the training set.
        held_out: on which points, beside those of training, it is evaluated.
    """

    dataset: Dataset
    model: MLP
    batch_size: int
    epochs: int
    dtype: str
    random: str
    seed: int
    position: int = 0
    held_out: HeldOut = "test"

    @property
    def held_out_samples(self) -> int:
        """How many points it is evaluated on beside those of training."""
        test = self.held_out == "test"
        return self.dataset.test_samples if test else self.dataset.validation_samples

    @property
    def kind(self) -> Kind:
        """Always a network."""
        return "network"

    @property
    def outputs(self) -> int:
        """Logits of the network, one per class; 1 for two classes and for a regression."""
        return self.dataset.classes if self.dataset.classes > 2 else 1

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch; the last one is smaller where batch_size does not divide n."""
        return -(-self.dataset.train_size // self.batch_size)

    @property
    def metrics(self) -> tuple[str, ...]:
        """Loss and, of classes, accuracy; on held-out points too where there are any."""
        splits = ("train", self.held_out) if self.held_out_samples else ("train",)
        scores = ("loss", "accuracy") if self.dataset.classes else ("loss",)
        return tuple(f"{split}_{score}" for split in splits for score in scores)

    @property
    def layout(self) -> Layout:
        """The parameter arrays: W1 (F, H1), b1 (H1,), W2 (H1, H2), ..."""
        return _layout((self.dataset.features, *self.model.hidden, self.outputs))

    @property
    def stack_key(self) -> Hashable:
        """The shapes of data and network, and what all runs do in step."""
        dataset, model = self.dataset, self.model
        points = (dataset.train_size, self.held_out, self.held_out_samples)
        network = (dataset.features, dataset.classes, model.hidden, model.activation, self.dtype)
        return (*points, *network, self.batch_size, self.epochs)

    @property
    def row_bytes(self) -> int:
        """Parameters with their state, activations, data."""
        rows = self.dataset.features + 1 + self.outputs
        activations = 4 * self.batch_size * (sum(self.model.hidden) + rows)
        data = 2 * rows * (self.dataset.train_size + self.held_out_samples)
        return np.dtype(self.dtype).itemsize * (8 * self.layout.size + activations + data)

    @property
    def evaluation_bytes(self) -> int:
        """The activations of a piece of the data."""
        units = sum(self.model.hidden) + self.outputs
        return 3 * CHUNK * units * np.dtype(self.dtype).itemsize

    def operations(self, eval_every: int) -> float:
        """A step goes forward once and back twice, an evaluation forward."""
        trained = self.epochs * self.dataset.train_size
        evaluations = -(-self.epochs // eval_every)
        tested = evaluations * (self.dataset.train_size + self.held_out_samples)
        products = 2 * self.layout.size * (3 * trained + tested)
        units = sum(self.model.hidden) * (2 * trained + tested)
        units *= _OPERATIONS_PER_UNIT[self.model.activation]
        share = np.dtype(self.dtype).itemsize / 8
        calls = _OPERATIONS_PER_STEP * self.epochs * self.steps_per_epoch
        return share * (products + units) + _OPERATIONS_PER_SAMPLE * tested + calls

    def stacked(self, tasks: Sequence[NetworkTask]) -> NetworkStack:
        """The networks as one stack."""
        return NetworkStack(tasks)


@lru_cache(maxsize=256)
def _layout(widths: tuple[int, ...]) -> Layout:
    """The parameter arrays between layers of these widths, one for all runs."""
    shapes: dict[str, tuple[int, ...]] = {}
    for k in range(1, len(widths)):
        shapes[f"W{k}"] = (widths[k - 1], widths[k])
        shapes[f"b{k}"] = (widths[k],)
    return Layout.of(shapes)
