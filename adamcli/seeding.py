"""Random streams: which numbers a seed stands for.

Paired streams are independent PCG64 generators, one per purpose, derived from the seed by
fixed spawn keys (Melissa O'Neill's PCG, 2014; NumPy's SeedSequence). Whatever one purpose
draws moves no other, so every optimizer at a seed sees the same data, the same initial
weights and the same batches.

The article's stream is the one legacy stream that its program draws everything from, in
order: training data, initial weights, then the batches of the first optimizer, of the
second, and so on. Its optimizers therefore do not see the same batches.
"""

from __future__ import annotations

import copy
from typing import Protocol

import numpy as np

RANDOM_KINDS = ("paired", "article")

# Spawn keys are part of what a saved number means: never renumber, only append.
_PURPOSES = {
    "data": 0,
    "test": 1,
    "init": 2,
    "batches": 3,
    "bootstrap": 4,
    "sign flips": 5,
    "halton": 6,
    "reproduction": 7,
    "validation": 8,
}

Rng = np.random.Generator | np.random.RandomState


def generator(seed: int, purpose: str) -> np.random.Generator:
    """The independent PCG64 generator of a seed for one named purpose."""
    sequence = np.random.SeedSequence(seed, spawn_key=(_PURPOSES[purpose],))
    return np.random.Generator(np.random.PCG64(sequence))


class Streams(Protocol):
    """The random numbers of one seed, by purpose. Draw in the order data, test, init, batches."""

    @property
    def data(self) -> Rng:
        """For the training data."""
        ...

    @property
    def test(self) -> Rng:
        """For the held-out data of the report."""
        ...

    @property
    def validation(self) -> Rng:
        """For the held-out data of tuning."""
        ...

    @property
    def init(self) -> Rng:
        """For the initial parameters."""
        ...

    def batches(self, position: int, epochs: int, samples: int) -> Rng:
        """The stream of one permutation of `samples` per epoch, for one optimizer.

        Args:
            position: the optimizer's place in the experiment, from 0.
            epochs: how many permutations each optimizer draws.
            samples: the length of a permutation.
        """
        ...


class PairedStreams:
    """Independent streams per purpose; batches do not depend on the optimizer's position."""

    def __init__(self, seed: int) -> None:
        self.data = generator(seed, "data")
        self.test = generator(seed, "test")
        self.validation = generator(seed, "validation")
        self.init = generator(seed, "init")
        self._seed = seed

    def batches(self, position: int, epochs: int, samples: int) -> Rng:
        """A fresh stream, the same for every position."""
        return generator(self._seed, "batches")


class ArticleStreams:
    """The article's one legacy stream; held-out data, which it lacks, have streams of their own."""

    def __init__(self, seed: int) -> None:
        self._stream = np.random.RandomState(seed)
        self.data = self._stream
        self.init = self._stream
        self.test = generator(seed, "test")
        self.validation = generator(seed, "validation")

    def batches(self, position: int, epochs: int, samples: int) -> Rng:
        """The stream as it stands after the permutations of all earlier optimizers."""
        stream = copy.deepcopy(self._stream)
        for _ in range(position * epochs):
            stream.permutation(samples)
        return stream


def streams(kind: str, seed: int) -> Streams:
    """The streams of a seed: `paired` or `article`."""
    return ArticleStreams(seed) if kind == "article" else PairedStreams(seed)
