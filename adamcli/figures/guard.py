"""Imports Matplotlib so that nothing of the user's own Matplotlib set-up is read.

A `matplotlibrc` in the current directory or the home directory, an unknown MPLBACKEND or a
config directory that cannot be written can otherwise change a picture, break the import or
put advice on stderr.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

_RC = "matplotlibrc"


@contextlib.contextmanager
def _environment(changes: dict[str, str | None]) -> Iterator[None]:
    """Environment variables set, or unset where None, for a while."""
    before = {name: os.environ.get(name) for name in changes}
    _set_environment(changes)
    try:
        yield
    finally:
        _set_environment(before)


def _set_environment(values: dict[str, str | None]) -> None:
    """Set or unset environment variables."""
    for name, value in values.items():
        if value is None:
            os.environ.pop(name, None)
        else:
            os.environ[name] = value


def _defaults() -> Path:
    """The directory of Matplotlib's own settings."""
    spec = find_spec("matplotlib")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent / "mpl-data"


def _import_matplotlib() -> None:
    """Import it with its own settings only."""
    logging.getLogger("matplotlib").setLevel(logging.ERROR)
    defaults = _defaults()
    # The file in the current directory goes before the one that the environment names.
    elsewhere = contextlib.chdir(defaults) if os.path.lexists(_RC) else contextlib.nullcontext()
    with elsewhere, _environment({"MPLBACKEND": None, "MATPLOTLIBRC": str(defaults / _RC)}):
        import matplotlib  # noqa: F401


_import_matplotlib()
