"""Where each named parameter array lies in the flat vector of all parameters."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

Array = np.ndarray

_PARAM = re.compile(r"\s*([A-Za-z_]\w*)\s*\[\s*(\d+(?:\s*,\s*\d+)*)\s*\]\s*")


@dataclass(frozen=True)
class Tensor:
    """One parameter array: its name, its shape and its first place in the flat vector."""

    name: str
    shape: tuple[int, ...]
    start: int

    @property
    def size(self) -> int:
        """The number of its entries."""
        return math.prod(self.shape)

    @property
    def stop(self) -> int:
        """One past its last place."""
        return self.start + self.size


@dataclass(frozen=True)
class Layout:
    """The parameter arrays of a problem, one after another in C order.

    `Layout.of({"W1": (2, 32), "b1": (32,)})` has size 96; a stack of R runs is then an
    array of shape (R, 96), and `view(stack, "W1")` the (R, 2, 32) view into it.
    """

    tensors: tuple[Tensor, ...]

    @classmethod
    def of(cls, shapes: Mapping[str, tuple[int, ...]]) -> Layout:
        """Lay arrays of the given names and shapes end to end."""
        tensors: list[Tensor] = []
        for name, shape in shapes.items():
            tensors.append(Tensor(name, shape, tensors[-1].stop if tensors else 0))
        return cls(tuple(tensors))

    @cached_property
    def size(self) -> int:
        """P, the number of parameters."""
        return self.tensors[-1].stop

    @cached_property
    def starts(self) -> Array:
        """The first place of each of the T arrays, (T,)."""
        return np.array([tensor.start for tensor in self.tensors])

    @cached_property
    def sizes(self) -> Array:
        """The number of entries of each of the T arrays, (T,)."""
        return np.array([tensor.size for tensor in self.tensors])

    @cached_property
    def owners(self) -> Array:
        """The number of the array that each of the P places belongs to, (P,)."""
        return np.repeat(np.arange(len(self.tensors)), self.sizes)

    def view(self, stack: Array, name: str) -> Array:
        """The (R, *shape) view of one named array in a (R, P) stack."""
        tensor = next(t for t in self.tensors if t.name == name)
        return stack[:, tensor.start : tensor.stop].reshape(len(stack), *tensor.shape)

    def tensor_at(self, place: int) -> int:
        """Which named array, by its number, a place in the flat vector belongs to."""
        return next(k for k, tensor in enumerate(self.tensors) if place < tensor.stop)

    def __contains__(self, param: str) -> bool:
        """Whether there is such a parameter."""
        try:
            self.index(param)
        except ValueError:
            return False
        return True

    def index(self, param: str) -> int:
        """The place of one parameter, such as `W1[0,0]`, in the flat vector.

        Raises:
            ValueError: no such array or no such entry; the message says what there is.
        """
        match = _PARAM.fullmatch(param)
        if match is None:
            raise ValueError(f"{param!r} is not of the form W1[0,0]")
        name, places = match[1], tuple(int(i) for i in match[2].split(","))
        tensor = next((t for t in self.tensors if t.name == name), None)
        if tensor is None:
            raise ValueError(
                f"no array {name!r}; there are {', '.join(t.name for t in self.tensors)}"
            )
        if len(places) != len(tensor.shape) or any(
            i >= n for i, n in zip(places, tensor.shape, strict=False)
        ):
            last = ",".join(str(n - 1) for n in tensor.shape)
            zero = ",".join("0" for _ in tensor.shape)
            raise ValueError(f"{name} has the entries {name}[{zero}] to {name}[{last}]")
        return tensor.start + int(np.ravel_multi_index(places, tensor.shape))
