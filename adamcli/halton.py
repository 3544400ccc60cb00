"""Halton's sequence: points that fill a cube more evenly than random ones, in any number.

Coordinate k of point i is the radical inverse of i in the k-th prime base: the digits of i,
mirrored at the radix point. The first points of large bases climb together, from one corner
of the cube to the other; scrambling permutes the digits and breaks that up.

Source:  J. H. Halton, Numerische Mathematik 2, 1960. Scrambling: A. B. Owen, A randomized
         Halton algorithm in R, 2017, arXiv:1706.02808: the digits at each place of each
         coordinate have a random permutation of their own.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import numpy as np

from adamcli.layout import Array

_BITS = 53  # of a float64


def halton(count: int, dimensions: int, rng: np.random.Generator | None = None) -> Array:
    """The first points of the sequence, (count, dimensions) float64 in [0, 1).

    More points or dimensions leave those that are there as they are, so a search can be made
    longer.

    Args:
        rng: draws the permutations; None for the plain sequence, which starts at the origin.
    """
    bases = itertools.islice(_primes(), dimensions)
    return np.stack([_radical_inverse(np.arange(count), base, rng) for base in bases], axis=1)


def _radical_inverse(index: Array, base: int, rng: np.random.Generator | None) -> Array:
    """The digits of each index, permuted and mirrored at the radix point, (n,)."""
    value = np.zeros(len(index))
    weight = 1.0
    for _ in range(math.ceil(_BITS / math.log2(base))):  # beyond, no digit changes the float
        digits = np.arange(base) if rng is None else rng.permutation(base)
        index, place = np.divmod(index, base)
        weight /= base
        value += digits[place] * weight
    return np.minimum(value, np.nextafter(1.0, 0.0))  # all digits the largest would round to 1


def _primes() -> Iterator[int]:
    """2, 3, 5, 7, ..."""
    found: list[int] = []
    for number in itertools.count(2):
        if all(number % prime for prime in found):
            found.append(number)
            yield number
