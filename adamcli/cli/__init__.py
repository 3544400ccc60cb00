"""The command line. Importing it loads neither NumPy nor Matplotlib: `--help` answers at once."""

from __future__ import annotations


def main() -> None:
    """Run the command line of this process and exit with its code."""
    import sys

    from adamcli.cli.main import run

    sys.exit(run(sys.argv[1:]))
