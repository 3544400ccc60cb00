"""Losses on logits, in their stable forms, and on the output of a regression.

Logits and targets are features-first, (R, K, B): for two classes K is 1 and the target 0
or 1, for more the target is one-hot. In a regression K is 1 and both are numbers.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

from adamcli.layout import Array


class Loss(Protocol):
    """A loss per sample, its gradient and its curvature."""

    def gradient(self, logits: Array, targets: Array, out: Array) -> None:
        """out <- gradient of the mean loss over the B samples with respect to the logits."""
        ...

    def curvature_roots(self, logits: Array) -> Iterator[Array]:
        """Arrays s (R, K, B) whose s s', summed, are the second derivatives of the mean loss.

        For each run and sample s s' is the outer product (K, K) of its logits' values.
        """
        ...

    def per_sample(self, logits: Array, targets: Array) -> Array:
        """The loss of each sample, (R, B)."""
        ...

    def scores(self, logits: Array, targets: Array) -> dict[str, Array]:
        """What is averaged over samples, (R, B) each: `loss`, of classes also `accuracy`."""
        ...


class Classifier(Loss, Protocol):
    """A loss on logits that stand for probabilities."""

    def correct(self, logits: Array, targets: Array) -> Array:
        """Whether each sample is classed right, (R, B)."""
        ...

    def probabilities(self, logits: Array) -> Array:
        """(R, 1, B) probability of class 1, or (R, K, B) of every class."""
        ...


class BinaryCrossEntropy:
    """-log p of the right class, p the logistic function of one logit.

    With logit z and target y the loss is max(z, 0) - z y + log(1 + exp(-|z|)), finite for
    every finite z.
    """

    def gradient(self, logits: Array, targets: Array, out: Array) -> None:
        """(sigmoid(z) - y) / B; exp(-z) may overflow to infinity, which gives 0 as it should."""
        chance = np.negative(logits)  # contiguous where `out` may not be, hence faster
        np.exp(chance, out=chance)
        np.add(chance, 1, out=chance)
        np.divide(1, chance, out=chance)
        np.subtract(chance, targets, out=chance)
        np.multiply(chance, 1 / logits.shape[-1], out=out)

    def curvature_roots(self, logits: Array) -> Iterator[Array]:
        """One: the root of p (1 - p) / B."""
        chance = self.probabilities(logits)
        yield np.sqrt(chance * (1 - chance) * (1 / logits.shape[-1]))

    def per_sample(self, logits: Array, targets: Array) -> Array:
        """max(z, 0) - z y + log1p(exp(-|z|)), (R, B); max(z, 0) as (z + |z|) / 2."""
        z, y = logits[:, 0], targets[:, 0]
        size = np.abs(z)
        tail = np.log1p(np.exp(-size))
        # First the two that cancel exactly for a point classed right: the tail is all its loss.
        losses = np.multiply(size, 0.5, out=size)
        losses += (0.5 - y) * z
        losses += tail
        return losses

    def correct(self, logits: Array, targets: Array) -> Array:
        """Whether the logit is on the target's side of 0, (R, B)."""
        return (logits[:, 0] > 0) == (targets[:, 0] > 0)

    def scores(self, logits: Array, targets: Array) -> dict[str, Array]:
        """Loss and accuracy, (R, B) each."""
        losses, correct = self.per_sample(logits, targets), self.correct(logits, targets)
        return {"loss": losses, "accuracy": correct}

    def probabilities(self, logits: Array) -> Array:
        """The logistic function, (R, 1, B)."""
        return 1 / (1 + np.exp(-logits))


class SoftmaxCrossEntropy:
    """-log p of the right class, p the softmax of K logits, by log-sum-exp."""

    def gradient(self, logits: Array, targets: Array, out: Array) -> None:
        """(softmax(z) - y) / B."""
        np.subtract(logits, logits.max(axis=1, keepdims=True), out=out)
        np.exp(out, out=out)
        np.divide(out, out.sum(axis=1, keepdims=True), out=out)
        np.subtract(out, targets, out=out)
        np.multiply(out, 1 / logits.shape[-1], out=out)

    def curvature_roots(self, logits: Array) -> Iterator[Array]:
        """One per class k: sqrt(p_k / B) (e_k - p), since diag(p) - p p' is a covariance."""
        chances = self.probabilities(logits)
        weights = np.sqrt(chances * (1 / logits.shape[-1]))
        for k in range(logits.shape[1]):
            root = -chances
            root[:, k] += 1
            yield root * weights[:, k : k + 1]

    def per_sample(self, logits: Array, targets: Array) -> Array:
        """log sum exp(z) - z of the target, both relative to the largest logit, (R, B)."""
        shifted = logits - logits.max(axis=1, keepdims=True)
        return np.log(np.exp(shifted).sum(axis=1)) - (shifted * targets).sum(axis=1)

    def correct(self, logits: Array, targets: Array) -> Array:
        """Whether the largest logit is the target's, (R, B)."""
        return logits.argmax(axis=1) == targets.argmax(axis=1)

    def scores(self, logits: Array, targets: Array) -> dict[str, Array]:
        """Loss and accuracy, (R, B) each."""
        losses, correct = self.per_sample(logits, targets), self.correct(logits, targets)
        return {"loss": losses, "accuracy": correct}

    def probabilities(self, logits: Array) -> Array:
        """The softmax, (R, K, B)."""
        weights = np.exp(logits - logits.max(axis=1, keepdims=True))
        return weights / weights.sum(axis=1, keepdims=True)


class SquaredError:
    """(z - y)^2, z the output of the network."""

    def gradient(self, logits: Array, targets: Array, out: Array) -> None:
        """2 (z - y) / B."""
        np.subtract(logits, targets, out=out)
        np.multiply(out, 2 / logits.shape[-1], out=out)

    def curvature_roots(self, logits: Array) -> Iterator[Array]:
        """One: the root of 2 / B, the same everywhere."""
        yield np.full_like(logits, (2 / logits.shape[-1]) ** 0.5)

    def per_sample(self, logits: Array, targets: Array) -> Array:
        """(z - y)^2, (R, B)."""
        error = logits[:, 0] - targets[:, 0]
        return error * error

    def scores(self, logits: Array, targets: Array) -> dict[str, Array]:
        """The loss, (R, B)."""
        return {"loss": self.per_sample(logits, targets)}


def classifier_for(classes: int) -> Classifier:
    """The loss of a network that tells so many classes apart."""
    return BinaryCrossEntropy() if classes == 2 else SoftmaxCrossEntropy()


def loss_for(classes: int) -> Loss:
    """The loss of a network on a dataset with so many classes, 0 for a regression."""
    return classifier_for(classes) if classes else SquaredError()
