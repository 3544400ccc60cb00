"""What a rule could change outside of its arguments, and how that is undone."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

import numpy as np


def world() -> dict[str, object]:
    """The state of Python and NumPy that a rule must leave alone, by name."""
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002  (what a plug-in may have seeded)
    return {
        "NumPy's random state": (kind, bytes(np.asarray(keys)), *rest),
        "NumPy's error handling": tuple(np.geterr().values()),
        "the current folder": _folder(),
        "the environment": dict(os.environ),
    }


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Neither what a rule prints nor what it does to Python and NumPy outlasts this."""
    folder, environment = _folder(), dict(os.environ)
    state = np.random.get_state()  # noqa: NPY002
    with (
        open(os.devnull, "w", encoding="utf-8") as nowhere,
        contextlib.redirect_stdout(nowhere),
        contextlib.redirect_stderr(nowhere),
        np.errstate(all="ignore"),
    ):
        try:
            yield
        finally:
            if _folder() != folder:
                os.chdir(folder)
            np.random.set_state(state)  # noqa: NPY002
            if os.environ != environment:
                os.environ.clear()
                os.environ.update(environment)


def _folder() -> str:
    """The current folder, empty where it has been removed."""
    try:
        return os.getcwd()
    except OSError:
        return ""
