"""The command line. Importing it loads neither NumPy nor Matplotlib: `--help` answers at once."""

from __future__ import annotations

from adamcli.cli.app import app
from adamcli.cli.main import main

__all__ = ["app", "main"]
