"""One small experiment that is run, spoilt and run again, and what must be true of it then."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from adamcli import store
from adamcli.cli.main import run
from adamcli.store import RunDirectory, faults, files
from faults.processes import Ended, ended

# Networks of two widths train as two stacks, so that there are two parts.
CONFIG = """
name: tiny
dataset: {name: moons, samples: 40, test_samples: 10}
train: {epochs: 2, batch_size: 8, seeds: 2}
optimizers: [{name: adam}, {name: sgd, lr: 0.1}]
sweep: {model.hidden: [[2], [3]]}
"""
PART_RUNS = 4


class Laboratory:
    """An experiment in a folder of its own.

    Args:
        folder: where its file and its outputs lie.
        config: the text of the file.
    """

    def __init__(self, folder: Path, config: str = CONFIG) -> None:
        self.out = folder / "out"
        self._file = folder / "tiny.yaml"
        self._file.write_text(config)
        often = ("--checkpoint-every", 0)
        self.command = ("run", self._file, "--out", self.out, "--no-figures", "--quiet", *often)
        self.operations = self._trained()
        (name,) = (path.name for path in self.out.glob("tiny-*"))
        self.directory = RunDirectory(self.out / name)
        self.hash = self.directory.hashed()[1]

    def _trained(self) -> list[tuple[str, str]]:
        """Train in this process without a fault: every operation and the name of its file."""
        operations: list[tuple[str, str]] = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(faults, "before", lambda what, path: operations.append((what, path.name)))
            assert run([str(arg) for arg in self.command]) == 0
        return operations

    def clear(self) -> None:
        """Begin with nothing."""
        shutil.rmtree(self.out, ignore_errors=True)

    def become(self, state: Path) -> None:
        """Begin with a copy of an output directory."""
        self.clear()
        shutil.copytree(state, self.out, symlinks=True)

    def kept(self, state: Path) -> Path:
        """A copy of the outputs, to begin with."""
        shutil.copytree(self.out, state, symlinks=True)
        return state

    def run(self, fault: str = "", *options: str) -> Ended:
        """Run the experiment in a process of its own, perhaps with a fault."""
        return ended([*self.command, *options], fault)

    def saved_before(self, number: int) -> int:
        """How many runs are finished for good before the operation of a number, from 1 on."""
        done = self.operations[: number - 1]
        return PART_RUNS * sum(what == "rename" and name.endswith(".part") for what, name in done)

    def wrong(self, at_least: int = 0) -> str:
        """What is wrong with what a fault left, and with what comes of it; empty if nothing is.

        Args:
            at_least: how many runs must be saved.
        """
        found = store.verify(self.directory)
        if found.harmed or found.runs < at_least:
            return f"{found.runs} of {at_least} runs are whole, harmed: {found.harmed}"
        again = self.run()
        if again.code or again.err:
            return f"cannot be continued: {again}"
        return self.unequal()

    def unequal(self) -> str:
        """How a finished directory differs from one without a fault; empty if it does not."""
        found = store.verify(self.directory)
        left = [path.name for path in self.out.iterdir() if files.is_temporary(path)]
        if found.findings or left or found.status != "finished":
            return f"{found}, left over: {left}"
        digest = self.directory.hashed()[1]
        return "" if digest == self.hash else f"other numbers: {digest} instead of {self.hash}"
