"""Choose a few recorded trajectories to keep with the tests.

    python tests/data/select_trajectories.py FOLDER

FOLDER holds `index.json` and the arrays of all recorded cases. Of every optimizer's first
library one case per kind of problem is kept, as many steps of it as it takes to see what
the problem is about; `trajectories/` beside this file is written anew. The tolerances are
those of the whole cases, so they are not tighter than they should be.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent / "trajectories"

# Steps that are kept. fixed: past the one without a gradient (17), wide: past the one scaled
# by 1e6 (33); edge: two zeros, then gradients as small as eps; mild: past a refresh (11).
STEPS = {"fixed": 18, "wide": 34, "edge": 12, "mild": 12, "quad10": 12, "quad": 8, "rosen": 8}
SEQUENCES = ("W", "w", "evalW", "evalw")  # have an entry before the first step

Case = dict[str, Any]


def chosen(cases: list[Case]) -> Iterator[Case]:
    """One case per optimizer and kind of problem, quad and rosen by turns."""
    optimizers = dict.fromkeys(case["optimizer"] for case in cases)
    for place, optimizer in enumerate(optimizers):
        mine = [case for case in cases if case["optimizer"] == optimizer]
        first = mine[0]["source"]["library"]
        mine = [case for case in mine if case["source"]["library"] == first]
        skipped = "rosen" if place % 2 else "quad"
        for problem in dict.fromkeys(case["problem"] for case in mine):
            if problem != skipped:
                yield telling([case for case in mine if case["problem"] == problem])


def telling(cases: list[Case]) -> Case:
    """The first settings where eps is looked at, the last, with a schedule, on fixed gradients."""
    choice = {"edge": 0, "fixed": -1}.get(cases[0]["problem"], 1)
    return cases[min(choice, len(cases) - 1)]


def shortened(case: Case, arrays: dict[str, np.ndarray], kept: dict[str, np.ndarray]) -> Case:
    """The case with its first steps only; its arrays are added to `kept`."""
    steps = STEPS[case["problem"]]
    hyper = dict(case["hyper"])
    if "lr_scale" in hyper:
        hyper["lr_scale"] = hyper["lr_scale"][:steps]
    for name, key in case["keys"].items():
        kept[key] = arrays[key][: steps + (name in SEQUENCES)]
    measured = ("sensitivity_replay", "sensitivity_closed", "max_abs")  # on all steps
    whole = {name: value for name, value in case.items() if name not in measured}
    return {**whole, "hyper": hyper, "steps": steps, "file": "cases.npz"}


def problem_arrays(arrays: dict[str, np.ndarray], steps: int) -> dict[str, np.ndarray]:
    """The arrays of a problem, those that have an entry per step as long as its cases."""
    per_step = ("G_W", "G_w", "h_W", "h_w")
    return {name: a[:steps] if name in per_step else a for name, a in arrays.items()}


def load(path: Path) -> dict[str, np.ndarray]:
    """All arrays of a file."""
    with np.load(path) as archive:
        return dict(archive)


def main() -> None:
    """Write the selection."""
    folder = Path(sys.argv[1])
    index = json.loads((folder / "index.json").read_text())
    files = {case["file"]: load(folder / case["file"]) for case in chosen(index["cases"])}
    kept: dict[str, np.ndarray] = {}
    cases = [shortened(case, files[case["file"]], kept) for case in chosen(index["cases"])]
    HERE.mkdir(exist_ok=True)
    np.savez_compressed(HERE / "cases.npz", **kept)
    for problem in STEPS:
        name = f"problem_{problem}.npz"
        arrays = problem_arrays(load(folder / name), STEPS[problem])
        np.savez_compressed(HERE / name, **arrays)
    (HERE / "index.json").write_text(written(index, cases))


def written(index: dict[str, Any], cases: list[Case]) -> str:
    """The index with other cases, a line for each."""
    about = "a selection by tests/data/select_trajectories.py: the first steps of some cases"
    head = {"about": about, **{k: v for k, v in index.items() if k not in ("steps", "cases")}}
    lines = ",\n".join(map(json.dumps, cases))
    return f'{json.dumps(head)[:-1]}, "cases": [\n{lines}\n]}}\n'


if __name__ == "__main__":
    main()
