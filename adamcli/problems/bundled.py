"""Real data that scikit-learn bundles, read from its files; scikit-learn itself is not imported.

Its import would take longer than many a training, and the files are all that is needed.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.util
import io
import zlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import numpy as np

from adamcli.errors import DataError
from adamcli.layout import Array
from adamcli.problems.datasets import HeldOut, Split, standardized
from adamcli.seeding import Streams
from adamcli.settings import setting

_HELD_OUT: Any = {"ge": 0, "le": 10_000}
_VALIDATION = "held-out points for tuning, neither trained on nor tested"


class _Source(NamedTuple):
    """A file of scikit-learn's, the same from version 1.4 to 1.9 at least.

    Attributes:
        heads: how many lines stand above the points.
        sha256: of its text.
    """

    name: str
    heads: int
    sha256: str


class Points(NamedTuple):
    """All points of a source: x (n, F) float64 and classes y (n,)."""

    x: Array
    y: Array


@dataclass(frozen=True, kw_only=True)
class _Bundled:
    """What the real datasets share: a seed holds out other points for test and for tuning."""

    source: ClassVar[_Source]

    test_samples: int
    validation_samples: int
    standardize: bool = setting(
        True, "shift and scale each input to mean 0, deviation 1 over the training set"
    )

    @property
    def points(self) -> Points:
        """All of them; read once in a process."""
        return _read(self.source)

    @property
    def features(self) -> int:
        """The number of inputs."""
        return self.points.x.shape[1]

    @property
    def classes(self) -> int:
        """The number of classes."""
        return int(self.points.y.max()) + 1

    @property
    def train_size(self) -> int:
        """The points that are not held out.

        Raises:
            DataError: there are too few of them, or scikit-learn is not installed.
        """
        have, held_out = len(self.points.y), self.test_samples + self.validation_samples
        if have < held_out + 2:
            what = f"{have} points cannot give {held_out} held-out ones and at least 2 to train on"
            fix = "lower dataset.test_samples or dataset.validation_samples"
            raise DataError(what, where=self.source.name, fix=fix)
        return have - held_out

    def split(self, streams: Streams, held_out: HeldOut = "test") -> Split:
        """Test, validation and training points, in an order that the test stream permutes."""
        x, y = self.points
        order = streams.test.permutation(len(y))
        ends = [self.test_samples, self.test_samples + self.validation_samples]
        test, validation, train = np.split(order, ends)
        held = test if held_out == "test" else validation
        split = Split(x[train], y[train], x[held], y[held])
        return standardized(split) if self.standardize else split


@dataclass(frozen=True, kw_only=True)
class Digits(_Bundled):
    """Handwritten digits, 8 by 8 pixels, ten classes: real images, small enough for seconds.

    1797 images by 43 people. Needs the extra: pip install 'adamcli[data]'.
    Source: Alpaydin and Kaynak, Optical Recognition of Handwritten Digits, UCI Machine
        Learning Repository, 1998, its test set, as bundled with scikit-learn.
    """

    source: ClassVar[_Source] = _Source(
        "digits.csv.gz", 0, "6ebb3d2fee246a4e99363262ddf8a00a3c41bee6014c373ed9d9216ba7f651b8"
    )

    test_samples: int = setting(400, "held-out points, 0 for none", **_HELD_OUT)
    validation_samples: int = setting(0, _VALIDATION, **_HELD_OUT)


@dataclass(frozen=True, kw_only=True)
class BreastCancer(_Bundled):
    """Breast-cancer diagnosis from 30 measurements: few real points of very unlike scales.

    569 tumours, malignant (0) or benign (1). Without `standardize` the inputs span six orders
    of magnitude. Needs the extra: pip install 'adamcli[data]'.
    Source: Wolberg, Mangasarian, Street and Street, Breast Cancer Wisconsin (Diagnostic), UCI
        Machine Learning Repository, 1993, as bundled with scikit-learn.
    """

    source: ClassVar[_Source] = _Source(
        "breast_cancer.csv", 1, "fed3eb72d0575ef6192293f5093c6e801b1476b577d0386bf4455504522172ed"
    )

    test_samples: int = setting(150, "held-out points, 0 for none", **_HELD_OUT)
    validation_samples: int = setting(0, _VALIDATION, **_HELD_OUT)


@cache
def _read(source: _Source) -> Points:
    """The points of a source, of which the last column is the class.

    Raises:
        DataError: scikit-learn is not installed, or has other data.
    """
    path = _folder(source.name) / source.name
    try:
        content = path.read_bytes()
        text = gzip.decompress(content) if path.suffix == ".gz" else content
    except (OSError, EOFError, zlib.error) as error:
        what = f"cannot read scikit-learn's file ({getattr(error, 'strerror', None) or 'damaged'})"
        raise DataError(what, where=str(path), fix=_FIX) from error
    if hashlib.sha256(text).hexdigest() != source.sha256:
        what = "scikit-learn's file is not the one that adamcli knows (SHA-256 differs)"
        raise DataError(what, where=str(path), fix=_FIX)
    table = np.loadtxt(io.BytesIO(text), delimiter=",", skiprows=source.heads)
    return Points(np.ascontiguousarray(table[:, :-1]), table[:, -1].astype(np.int64))


_FIX = "pip install 'adamcli[data]'"


def _folder(name: str) -> Path:
    """Where scikit-learn keeps its data.

    Raises:
        DataError: it is not installed.
    """
    found = importlib.util.find_spec("sklearn")
    if found is None or not found.submodule_search_locations:
        raise DataError("scikit-learn is not installed, whose data this is", where=name, fix=_FIX)
    return Path(found.submodule_search_locations[0]) / "datasets" / "data"
