"""Small histories by hand for the tests of the statistics, and the mark of their oracle."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest

from adamcli.history import RunHistory

needs_scipy = pytest.mark.skipif(
    importlib.util.find_spec("scipy") is None, reason="SciPy, the oracle, is not installed"
)

ACCURACY = {"train_accuracy": [0.5], "test_accuracy": [0.5]}


def history(
    label: str = "adam",
    seed: int = 0,
    *,
    diverged_at: int | None = None,
    cell: str = "",
    initial: Mapping[str, float] | None = None,
    **metrics: Sequence[float],
) -> RunHistory:
    length = max((len(values) for values in metrics.values()), default=0)
    return RunHistory(
        label=label,
        optimizer="adam",
        cell=cell,
        seed=seed,
        diverged_at=diverged_at,
        epochs=np.arange(1, length + 1),
        steps=np.arange(1, length + 1) * 32,
        metrics={name: np.array(values, dtype=float) for name, values in metrics.items()},
        initial=initial or {},
    )


def ended(label: str, losses: Mapping[int, float], **kwargs: str) -> list[RunHistory]:
    """One run per seed with the given final test loss; infinity stands for diverged."""
    return [
        history(label, seed, diverged_at=7, train_loss=[1.0], test_loss=[1.0], **kwargs)
        if math.isinf(loss)
        else history(label, seed, train_loss=[1.0], test_loss=[loss], **kwargs)
        for seed, loss in losses.items()
    ]
