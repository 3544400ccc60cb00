"""A task: all that decides what one run minimises, and from where."""

from __future__ import annotations

from dataclasses import dataclass

from adamcli.problems.datasets import Dataset
from adamcli.settings import setting

ACTIVATIONS = ("relu", "tanh", "gelu")
INITS = ("article", "he", "glorot")


@dataclass(frozen=True, kw_only=True)
class MLP:
    """A fully connected network; the output layer has one logit, or K for K > 2 classes."""

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
class Task:
    """What one run minimises.

    Attributes:
        seed: which data, initial weights and batches.
        position: the optimizer's place in the experiment; decides the batches under
            `random: article` and is 0 otherwise.
        random: `paired` or `article`, see `adamcli.seeding`.
        dtype: `float64` or `float32`.
        epochs: passes over the training set.
    """

    dataset: Dataset
    model: MLP
    batch_size: int
    epochs: int
    dtype: str
    random: str
    seed: int
    position: int = 0

    @property
    def outputs(self) -> int:
        """Logits of the network: 1 for two classes, else one per class."""
        return 1 if self.dataset.classes == 2 else self.dataset.classes

    @property
    def steps_per_epoch(self) -> int:
        """Batches in an epoch; the last one is smaller where batch_size does not divide n."""
        return -(-self.dataset.train_size // self.batch_size)
