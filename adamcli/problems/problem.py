"""What training sees of a problem: parameters in, gradients and metrics out."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from adamcli.layout import Array, Layout


class Problem(Protocol):
    """R runs of something to minimise, as rows of (R, P) arrays.

    Attributes:
        layout: where each named array lies in the P columns.
        steps_per_epoch: how many batches make an epoch.
    """

    layout: Layout
    steps_per_epoch: int

    def start(self) -> Array:
        """The initial parameters, a new (R, P) array."""
        ...

    def gradient(self, params: Array, batch: int, out: Array) -> bool:
        """out <- gradient of the loss on one batch, (R, P); whether all losses are finite.

        Batches of an epoch come in order from 0.
        """
        ...

    def skip(self, epochs: int) -> None:
        """Be where the gradients of so many epochs would have led: their batches are drawn.

        Only before the first gradient, or after that of an epoch's last batch.
        """
        ...

    def finite(self) -> Array:
        """Whether each run's loss on the latest batch is finite, (R,)."""
        ...

    def evaluate(self, params: Array) -> dict[str, Array]:
        """Named metrics of every run at the given parameters, each (R,) float64."""
        ...


@runtime_checkable
class Curved(Protocol):
    """A problem that can tell how its loss curves along each parameter."""

    def curvature(self, params: Array, out: Array) -> None:
        """out <- diagonal of the Hessian of the loss, or an estimate, on the latest batch, (R, P).

        The latest batch is that of the last call of `gradient`.
        """
        ...
