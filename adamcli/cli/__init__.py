"""The command line. Importing it loads neither NumPy nor Matplotlib: `--help` answers at once."""

from __future__ import annotations

_COLLECT_EVERY = 50_000  # new containers that may come before Python looks for cycles


def main() -> None:
    """Run the command line of this process and exit with its code."""
    import gc
    import sys

    # Imports and saved runs make many objects and hardly a cycle: to look for one after every
    # 700 objects, as Python does by default, is a fifth of the time of a short command.
    gc.set_threshold(_COLLECT_EVERY)

    from adamcli.cli.main import run

    sys.exit(run(sys.argv[1:]))
