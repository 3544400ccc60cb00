"""The process behind `drawing.Painter`: load Matplotlib, wait for a request, draw, answer."""

from __future__ import annotations

import json
import os
import pickle
import sys
from pathlib import Path

from adamcli import figures  # noqa: F401  (loading it is what this process is ahead with)
from adamcli.cli.drawing import paint
from adamcli.store import RunDirectory


def main() -> None:
    """Answer one request from stdin on stdout; without one, end in silence."""
    line = sys.stdin.buffer.read()
    if not line:
        return
    request = json.loads(line)
    result = RunDirectory(Path(request["path"])).load()
    painted = paint(result, request["formats"], request["have"])
    with os.fdopen(os.dup(sys.stdout.fileno()), "wb") as stdout:
        pickle.dump(painted, stdout)


if __name__ == "__main__":
    main()
