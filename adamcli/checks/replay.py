"""Recorded trajectories of reference libraries, replayed step by step.

The format is that of `reference/trajectories`: `index.json` lists the cases, `.npz` files
hold parameters W and w before the first step and after every step, and the gradients.
"""

from __future__ import annotations

import json
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from adamcli.checks.words import NotOfferedError, rule_of
from adamcli.errors import DataError
from adamcli.layout import Array, Layout
from adamcli.optimizers import Averaging, Rule, State, Step

Json = Mapping[str, Any]
Arrays = Mapping[str, Array]


@dataclass(frozen=True)
class Outcome:
    """What became of one recorded case.

    Attributes:
        id: the case's name.
        optimizer: as the case names it.
        status: `pass`, `fail` or `not offered`.
        error: the largest |a - b| / max(1, |b|) over all steps and entries; NaN if not offered.
        tolerance: what it may be.
        step: at which step it was largest.
        reason: why the case is not offered, or how it failed.
    """

    id: str
    optimizer: str
    status: str
    error: float = float("nan")
    tolerance: float = float("nan")
    step: int = 0
    reason: str = ""


def replay_all(folder: Path, optimizer: str | None = None) -> Iterator[Outcome]:
    """Replay the recorded cases of one optimizer, or all.

    Raises:
        DataError: the folder does not hold recorded trajectories.
    """
    for case in read_index(folder)["cases"]:
        if optimizer in (None, case["optimizer"]):
            yield replay(case, folder)


def read_index(folder: Path) -> dict[str, Any]:
    """The index of a folder of recorded trajectories.

    Raises:
        DataError: it is missing or not an index.
    """
    path = folder / "index.json"
    try:
        index: dict[str, Any] = json.loads(path.read_bytes())
        if not all({"id", "optimizer", "hyper", "keys"} <= case.keys() for case in index["cases"]):
            raise KeyError("cases")
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        fix = "give a folder with an index.json of recorded trajectories"
        raise DataError("no recorded trajectories", where=str(path), fix=fix) from error
    return index


def replay(case: Json, folder: Path) -> Outcome:
    """Follow one recorded case: the gradients it saw, then, where it has a problem, its own."""
    name, optimizer = case["id"], case["optimizer"]
    try:
        rule = rule_of(optimizer, {k: v for k, v in case["hyper"].items() if k != "lr_scale"})
        follower = _Follower(case, folder, rule)
    except NotOfferedError as error:
        return Outcome(name, optimizer, "not offered", reason=str(error))
    runs = [(follower.recorded, case["tol_replay"])]
    if case.get("tol_closed") is not None:
        runs.append((follower.own, case["tol_closed"]))
    outcomes = [follower.follow(gradient, tolerance) for gradient, tolerance in runs]
    return max(outcomes, key=lambda o: (o.status == "fail", o.error / o.tolerance))


class _Follower:
    """A rule on the way of a recorded case; R = 1 row of P = W.size + w.size parameters."""

    def __init__(self, case: Json, folder: Path, rule: Rule) -> None:
        self._case, self._rule = case, rule
        kept = _load(folder / case["file"])
        arrays = {name: kept[key] for name, key in case["keys"].items()}
        self._problem = _load(folder / f"problem_{case['problem']}.npz")
        self._layout = Layout.of({name: arrays[name].shape[1:] for name in ("W", "w")})
        self._path = _flat(arrays, "W", "w")
        self._points = _flat(arrays, "evalW", "evalw") if "evalW" in arrays else None
        self._gradients = _gradients(arrays, self._problem)

    def recorded(self, t: int, params: Array) -> Array:
        """The gradient that the reference saw at step t, (1, P)."""
        return self._gradients[[t - 1]]

    def own(self, t: int, params: Array) -> Array:
        """The gradient of the case's problem at the given parameters, (1, P)."""
        if "H" in self._problem:
            return (params - self._problem["xstar"]) @ self._problem["H"]
        return _rosenbrock_gradient(params[0])[None]

    def follow(self, gradient: Callable[[int, Array], Array], tolerance: float) -> Outcome:
        """Take every recorded step and compare."""
        errors = []
        params = self._path[[0]].copy()
        state = self._rule.init(params, self._layout)
        with np.errstate(all="ignore"):
            for t in range(1, len(self._path)):
                grads = gradient(t, params)
                self._take(t, params, grads, state)
                errors.append(self._error(t, params, state))
        worst = int(np.argmax(np.where(np.isnan(errors), np.inf, errors)))
        return self._outcome(errors[worst], worst + 1, tolerance)

    def _take(self, t: int, params: Array, grads: Array, state: State) -> None:
        """params <- the parameters after step t."""
        scale = self._case["hyper"].get("lr_scale")
        lr = self._rule.lr * (scale[t - 1] if scale else 1.0)
        out, spare, extra = (np.empty_like(params) for _ in range(3))
        curvature = partial(self._curvature, t, params)
        at = Step(t, lr, params, self._layout, out, spare, extra, curvature)
        params += self._rule.update(grads, state, at)

    def _error(self, t: int, params: Array, state: State) -> float:
        """How far the parameters, and where they differ the evaluated ones, are off."""
        error = _distance(params[0], self._path[t])
        if self._points is not None and isinstance(self._rule, Averaging):
            error = max(error, _distance(self._rule.evaluated(params, state)[0], self._points[t]))
        return error

    def _outcome(self, error: float, step: int, tolerance: float) -> Outcome:
        """The verdict on the largest error."""
        good = error <= tolerance
        reason = "" if good else f"off by {error:.3g} at step {step}, allowed {tolerance:.3g}"
        name, optimizer = self._case["id"], self._case["optimizer"]
        return Outcome(name, optimizer, "pass" if good else "fail", error, tolerance, step, reason)

    def _curvature(self, t: int, params: Array) -> Array:
        """The diagonal of the Hessian before step t, (1, P)."""
        if "H" in self._problem:
            return np.diag(self._problem["H"])[None]
        if "h_W" in self._problem:
            return _flat(self._problem, "h_W", "h_w")[[t - 1]]
        return _rosenbrock_curvature(params[0])[None]


@lru_cache(maxsize=64)
def _load(path: Path) -> dict[str, Array]:
    """All arrays of a file.

    Raises:
        DataError: it cannot be read.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        fix = "give a whole folder of recorded trajectories"
        raise DataError("not recorded trajectories", where=str(path), fix=fix) from error


def _flat(arrays: Arrays, *names: str) -> Array:
    """Two recordings side by side as rows of flat parameters, (T, P)."""
    return np.concatenate([arrays[n].reshape(len(arrays[n]), -1) for n in names], axis=1)


def _gradients(arrays: Arrays, problem: Arrays) -> Array:
    """The gradients that the reference saw, (T, P)."""
    return _flat(arrays, "gW", "gw") if "gW" in arrays else _flat(problem, "G_W", "G_w")


def _distance(ours: Array, theirs: Array) -> float:
    """max |a - b| / max(1, |b|)."""
    return float((np.abs(ours - theirs) / np.maximum(1, np.abs(theirs))).max())


def _rosenbrock_gradient(x: Array) -> Array:
    """The gradient of sum 100 (x_(i+1) - x_i^2)^2 + (1 - x_i)^2, (P,)."""
    grad = np.zeros_like(x)
    rest = x[1:] - x[:-1] ** 2
    grad[:-1] += -400 * x[:-1] * rest - 2 * (1 - x[:-1])
    grad[1:] += 200 * rest
    return grad


def _rosenbrock_curvature(x: Array) -> Array:
    """The diagonal of its Hessian, (P,)."""
    diagonal = np.zeros_like(x)
    diagonal[:-1] += 1200 * x[:-1] ** 2 - 400 * x[1:] + 2
    diagonal[1:] += 200
    return diagonal
