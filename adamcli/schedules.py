"""Learning-rate schedules: the factor on lr at each step, after a linear warm-up."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

from adamcli.settings import setting

_WARMUP_DOC = "steps over which the factor rises linearly to 1"
_FLOOR_DOC = "the factor that the schedule falls towards"


class Schedule(Protocol):
    """A factor on the learning rate that depends on the step alone."""

    @property
    def warmup(self) -> int:
        """Steps over which the factor rises linearly to 1."""
        ...

    def factor(self, t: int, total: int) -> float:
        """The factor of step `t`, from 1, in a training of `total` steps."""
        ...


@dataclass(frozen=True, kw_only=True)
class Constant:
    """The same learning rate at every step after the warm-up."""

    warmup: int = setting(0, _WARMUP_DOC, ge=0)

    def factor(self, t: int, total: int) -> float:
        """1, after the warm-up."""
        return _rise(t, self.warmup)


@dataclass(frozen=True, kw_only=True)
class Cosine:
    """Half a cosine from 1 down to `floor` over the steps after the warm-up.

    Source:  Loshchilov and Hutter, SGDR, 2016, arXiv:1608.03983, equation 5, without
             restarts. The first step after the warm-up has the whole learning rate.
    """

    warmup: int = setting(0, _WARMUP_DOC, ge=0)
    floor: float = setting(0.0, _FLOOR_DOC, ge=0, le=1)

    def factor(self, t: int, total: int) -> float:
        """floor + (1 - floor) (1 + cos(pi progress)) / 2, after the warm-up."""
        if t <= self.warmup:
            return _rise(t, self.warmup)
        fall = (1 + math.cos(math.pi * _progress(t, self.warmup, total))) / 2
        return self.floor + (1 - self.floor) * fall


@dataclass(frozen=True, kw_only=True)
class Linear:
    """A straight line from 1 down to `floor` over the steps after the warm-up."""

    warmup: int = setting(0, _WARMUP_DOC, ge=0)
    floor: float = setting(0.0, _FLOOR_DOC, ge=0, le=1)

    def factor(self, t: int, total: int) -> float:
        """1 - (1 - floor) progress, after the warm-up."""
        if t <= self.warmup:
            return _rise(t, self.warmup)
        return 1 - (1 - self.floor) * _progress(t, self.warmup, total)


@dataclass(frozen=True, kw_only=True)
class StepDecay:
    """The learning rate times `gamma` every `every` steps after the warm-up."""

    warmup: int = setting(0, _WARMUP_DOC, ge=0)
    every: int = setting(1000, "steps between two drops", ge=1)
    gamma: float = setting(0.1, "the factor of each drop", gt=0, le=1)

    def factor(self, t: int, total: int) -> float:
        """gamma to the power of the drops so far, after the warm-up."""
        if t <= self.warmup:
            return _rise(t, self.warmup)
        return float(self.gamma ** ((t - 1 - self.warmup) // self.every))


SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant,
    "cosine": Cosine,
    "step": StepDecay,
    "linear": Linear,
}


def _rise(t: int, warmup: int) -> float:
    """t / warmup up to 1."""
    return min(1.0, t / warmup) if warmup else 1.0


def _progress(t: int, warmup: int, total: int) -> float:
    """How much of the steps after the warm-up lies behind step t: 0 at the first of them."""
    return (t - 1 - warmup) / max(1, total - warmup)
