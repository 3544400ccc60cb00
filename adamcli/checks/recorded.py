"""A folder of recorded trajectories, read and checked before anything is compared.

The format is that of `reference/trajectories`: `index.json` lists the cases, `.npz` files
hold parameters W and w before the first step and after every step, and the gradients.
Whatever is not as the index says is an error of the whole folder, never a case that passes.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from adamcli.errors import DataError
from adamcli.layout import Array, Layout
from adamcli.text import quoted, safe

Arrays = Mapping[str, Array]
AtStep = Callable[[int, Array], Array]
"""What depends on the step t and on the parameters before it, (P,): another (P,)."""

MAX_BYTES = 256 * 2**20
"""The most that the arrays of one file may fill in memory; the recorded ones fill 1 MiB."""


@dataclass(frozen=True)
class Case:
    """One recorded case, as the index describes it.

    Attributes:
        id: its name.
        optimizer: in the index's words.
        problem: which gradients it saw.
        hyper: the library's hyperparameters.
        lr_scale: the factor on the learning rate at every step; None where it is constant.
        file: where its arrays are.
        keys: the array that holds `W`, `w` and so on.
        tol_replay: the error allowed with the recorded gradients.
        tol_closed: with the problem's own; None where the problem only has recorded ones.
    """

    id: str
    optimizer: str
    problem: str
    hyper: Mapping[str, Any]
    lr_scale: tuple[float, ...] | None
    file: str
    keys: Mapping[str, str]
    tol_replay: float
    tol_closed: float | None


@dataclass(frozen=True)
class Recording:
    """The arrays of a case; T steps of P = W.size + w.size parameters.

    Attributes:
        layout: where W and w lie.
        path: (T + 1, P), the parameters before the first step and after every step.
        points: (T + 1, P), where they were evaluated, if that is elsewhere.
        grads: (T, P), the gradients that the reference saw.
        gradient: of the problem at parameters (P,); None where it only has recorded ones.
        curvature: (P,), the diagonal of the Hessian before step t at parameters (P,); None
            where nothing says what it is.
    """

    layout: Layout
    path: Array
    points: Array | None
    grads: Array
    gradient: Callable[[Array], Array] | None
    curvature: AtStep | None


class Folder:
    """Recorded cases and their arrays; every file is read once.

    Raises:
        DataError: there is no index in the folder, or it is damaged.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files: dict[str, dict[str, Array]] = {}
        self.cases = tuple(self._read_index())

    def _read_index(self) -> Iterator[Case]:
        """The cases of the index, all of them whole."""
        path = self._path / "index.json"
        try:
            entries = json.loads(path.read_bytes())["cases"]
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise _damaged("no recorded trajectories", path) from error
        if not isinstance(entries, list) or not entries:
            raise _damaged("no recorded cases", path)
        seen: set[str] = set()
        for number, entry in enumerate(entries):
            case = _case(entry, f"{path}: cases[{number}]")
            if case.id in seen:
                raise _damaged(f"two cases are called {quoted(case.id)}", path)
            seen.add(case.id)
            yield case

    def recording(self, case: Case) -> Recording:
        """The arrays of a case.

        Raises:
            DataError: one is missing or is not what the case says.
        """
        kept = self._load(case.file)
        problem = self._load(f"problem_{case.problem}.npz")
        try:
            arrays = {name: kept[key] for name, key in case.keys.items()}
            return _recording(case, arrays, problem)
        except KeyError as error:
            what = f"case {safe(case.id, 80)}: no array {safe(str(error), 80)}"
        except ValueError as error:
            what = f"case {safe(case.id, 80)}: {error}"
        raise _damaged(what, self._path / case.file)

    def _load(self, name: str) -> dict[str, Array]:
        """All arrays of a file of the folder."""
        if name not in self._files:
            if Path(name).name != name:
                raise _damaged(f"{quoted(name)} is not a file of this folder", self._path)
            self._files[name] = _load(self._path / name)
        return self._files[name]


def _case(entry: Any, where: str) -> Case:
    """An entry of the index whose parts have the types they must have."""
    try:
        hyper = dict(entry["hyper"])
        scale = hyper.pop("lr_scale", None)
        closed = entry.get("tol_closed")
        return Case(
            id=_text(entry["id"]),
            optimizer=_text(entry["optimizer"]),
            problem=_text(entry["problem"]),
            hyper=hyper,
            lr_scale=None if scale is None else tuple(map(float, scale)),
            file=_text(entry["file"]),
            keys={name: _text(key) for name, key in entry["keys"].items()},
            tol_replay=_tolerance(entry["tol_replay"]),
            tol_closed=None if closed is None else _tolerance(closed),
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        reason = f"no {error}" if isinstance(error, KeyError) else safe(str(error), 120)
        raise _damaged(f"not a recorded case ({reason})", where) from error


def _text(value: Any) -> str:
    """A value that must be text."""
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not text")
    return value


def _tolerance(value: Any) -> float:
    """A value that must be a positive number."""
    if not isinstance(value, int | float) or not 0 < value < math.inf:
        raise TypeError(f"{value!r} is not a tolerance")
    return float(value)


def _damaged(what: str, where: object) -> DataError:
    """The error of a folder that cannot be trusted."""
    return DataError(what, where=str(where), fix="give a whole folder of recorded trajectories")


def _load(path: Path) -> dict[str, Array]:
    """All arrays of a file, refused by its directory if they would not fit."""
    try:
        if not path.is_file():
            raise FileNotFoundError(f"there is no file {path.name}")
        with zipfile.ZipFile(path) as archive:
            if sum(member.file_size for member in archive.infolist()) > MAX_BYTES:
                raise ValueError(f"larger than {MAX_BYTES // 2**20} MiB")
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    # Mutated files make zipfile, zlib and NumPy raise a dozen kinds of exceptions.
    except Exception as error:
        raise _damaged(f"not recorded trajectories ({safe(str(error), 120)})", path) from error


def _recording(case: Case, arrays: Arrays, problem: Arrays) -> Recording:
    """The arrays of a case side by side.

    Raises:
        KeyError: one is missing.
        ValueError: one has another shape or dtype than its case needs.
    """
    layout = Layout.of({name: arrays[name].shape[1:] for name in ("W", "w")})
    path = _flat(arrays, "W", "w", layout)
    steps = len(path) - 1
    seen, prefix = (arrays, "g") if "gW" in arrays else (problem, "G_")
    grads = _flat(seen, f"{prefix}W", f"{prefix}w", layout, steps)
    points = _flat(arrays, "evalW", "evalw", layout, steps + 1) if "evalW" in arrays else None
    if steps < 1 or (case.lr_scale is not None and len(case.lr_scale) != steps):
        raise ValueError(f"{steps} steps do not go with its lr_scale")
    gradient, curvature = _problem(case, problem, layout, steps)
    return Recording(layout, path, points, grads, gradient, curvature)


def _flat(arrays: Arrays, first: str, second: str, layout: Layout, rows: int = 0) -> Array:
    """Two recordings side by side as rows of flat parameters, (T, P)."""
    parts = []
    for name, tensor in zip((first, second), layout.tensors, strict=True):
        array = arrays[name]
        rows = rows or (array.shape or (0,))[0]
        if array.shape != (rows, *tensor.shape) or array.dtype != np.float64:
            raise ValueError(f"{name} is {array.dtype} {array.shape}")
        parts.append(array.reshape(rows, -1))
    return np.concatenate(parts, axis=1)


def _problem(
    case: Case, problem: Arrays, layout: Layout, steps: int
) -> tuple[Callable[[Array], Array] | None, AtStep | None]:
    """The gradient and the curvature of a case's problem, as far as it has them."""
    if "H" in problem:
        return _quadratic(problem["H"], problem["xstar"], layout.size)
    if case.problem == "rosen":
        return _rosenbrock_gradient, lambda t, x: _rosenbrock_curvature(x)
    if case.tol_closed is not None:
        raise ValueError(f"the problem {quoted(case.problem)} has no gradient of its own")
    if "h_W" not in problem:
        return None, None
    diagonals = _flat(problem, "h_W", "h_w", layout, steps)
    return None, lambda t, x: diagonals[t - 1]


def _quadratic(
    hessian: Array, minimum: Array, size: int
) -> tuple[Callable[[Array], Array], AtStep]:
    """Gradient and curvature of (x - minimum) H (x - minimum) / 2."""
    if hessian.shape != (size, size) or minimum.shape != (size,):
        raise ValueError(f"H is {hessian.shape}, xstar is {minimum.shape}")
    return lambda x: (x - minimum) @ hessian, lambda t, x: np.diag(hessian)


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
