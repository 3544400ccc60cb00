"""What is saved while a training goes on: the finished stacks, and where others can go on.

Each finished stack is a sealed file `parts/<hash of its runs>.part`, and one that is being
trained may have a `.checkpoint` of the same name, which goes when the stack is finished. When
all runs are there they are put together in the files of the directory, and the parts go.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from adamcli.environment import numerics
from adamcli.errors import DamagedError
from adamcli.history import Memory, RunHistory
from adamcli.layout import Array
from adamcli.store import files, formats, sealed
from adamcli.store.formats import Evaluations
from adamcli.store.manifest import TRIALS, Key, entry_of, key_of
from adamcli.store.sealed import Arrays, Sealed

PARTS = "parts"
PART, CHECKPOINT = ".part", ".checkpoint"

# What the names of a part's arrays begin with.
_SERIES, _PARAM, _STEPS = "series ", "param ", "steps "


class _Saved:
    """The arrays of a part: they outlive what it says of its runs."""

    def __init__(self, arrays: Arrays) -> None:
        self._arrays = arrays

    def evaluations(self) -> Evaluations:
        """Those of all its runs, end to end."""
        names = [name for name in self._arrays if name.startswith(_SERIES)]
        series = {name.removeprefix(_SERIES): self._arrays.whole(name) for name in names}
        return Evaluations(series.pop("epoch"), series.pop("step"), series)

    def params(self, row: int) -> dict[str, Array]:
        """The parameters of a run."""
        names = [name for name in self._arrays if name.startswith(_PARAM)]
        return {name.removeprefix(_PARAM): self._arrays.part(name, row, 1)[0] for name in names}

    def recorded(self, row: int, wanted: formats.Wanted) -> dict[str, Array]:
        """What is wanted of what was recorded of a run at every step, by `what/series`."""
        head = f"{_STEPS}{row} "
        names = [name.removeprefix(head) for name in self._arrays if name.startswith(head)]
        return {name: self._arrays.whole(head + name) for name in names if wanted(name)}


def _histories(part: Sealed) -> Iterator[RunHistory]:
    """The runs of a part; parameters and traces are read when asked for."""
    saved, first = _Saved(part.arrays), 0
    evaluations = saved.evaluations()
    for row, entry in enumerate(part.facts["runs"]):
        here = slice(first, first := first + entry["evaluations"])
        yield formats.history_from(entry, evaluations, here, saved.params, saved.recorded, (row,))


class Parts:
    """The parts of one run directory.

    Args:
        directory: of the run.
    """

    def __init__(self, directory: Path) -> None:
        self.path = directory / PARTS

    @property
    def owner(self) -> str:
        """What parts and checkpoints say of where they belong: the directory they are made in."""
        names = self.path.parent.resolve().parts
        return "/".join(names[-2:] if names[-1] == TRIALS else names[-1:])

    @property
    def empty(self) -> bool:
        """Whether there are none."""
        return not self._files(PART)

    def make(self) -> None:
        """Make room for them.

        Raises:
            StorageError: the operating system refused.
        """
        files.make_directory(self.path, parents=False)
        files.clear_temporary(self.path)

    def remove(self) -> None:
        """Remove all of them, where there are any.

        Raises:
            StorageError: the operating system refused.
        """
        files.remove_directory(self.path)

    def keep(self, finished: Sequence[RunHistory], processor: str = "") -> None:
        """Save finished runs for good; their checkpoint goes.

        Args:
            finished: runs of one stack, or of any stacks.
            processor: what trained them.

        Raises:
            StorageError: the operating system refused.
        """
        for _, group in groupby(finished, key=_shapes):
            runs = list(group)
            path = self._path([history.key for history in runs], PART)
            sealed.write(path, _memory(runs, {"processor": processor, "directory": self.owner}))
        checkpoint = self._path([history.key for history in finished], CHECKPOINT)
        if checkpoint.exists():
            files.remove(checkpoint)

    def remember(self, keys: Sequence[Key], memory: Memory) -> None:
        """Save where the training of a stack can go on.

        Raises:
            StorageError: the operating system refused.
        """
        facts = {"keys": [*keys], "numerics": numerics(), "directory": self.owner}
        facts["memory"] = memory.facts
        sealed.write(self._path(keys, CHECKPOINT), Memory(facts, memory.arrays))

    def checkpoints(self) -> Iterator[tuple[tuple[Key, ...], Memory]]:
        """Stacks that can go on, with the keys of their runs in order.

        Those that are damaged, of another directory, or were made with other libraries or on
        another kind of processor, are passed over: their stacks begin again, which gives the
        same bits.
        """
        for path in self._files(CHECKPOINT):
            try:
                memory = sealed.read(path)
            except (DamagedError, FileNotFoundError):
                continue
            if memory.facts["numerics"] == numerics() and _belongs(memory.facts, self.owner):
                keys = tuple((label, seed) for label, seed in memory.facts["keys"])
                yield keys, Memory(memory.facts["memory"], memory.arrays)

    def settle(self) -> list[Path]:
        """Read every part; remove those that are damaged or of another directory, and say which.

        Raises:
            StorageError: the operating system refused.
        """
        broken = []
        for path in self._files(PART):
            try:
                check(Sealed(path), self.owner)
            except DamagedError:
                broken.append(path)
                files.remove(path)
        return broken

    def entries(self) -> dict[Key, Mapping[str, Any]]:
        """The finished runs as a manifest would list them.

        Raises:
            DamagedError: a part is damaged.
        """
        return {key_of(entry): entry for part in self._parts() for entry in part.facts["runs"]}

    def processors(self) -> list[str]:
        """What trained them, in alphabetical order.

        Raises:
            DamagedError: a part is damaged.
        """
        return sorted({part.facts["processor"] for part in self._parts()} - {""})

    def histories(self, keys: Iterable[Key], owner: str | None = None) -> Iterator[RunHistory]:
        """Those of some runs that are finished; parameters and traces are read when asked for.

        Args:
            keys: of the runs.
            owner: to which directory the parts must belong; by default this one.

        Raises:
            DamagedError: a part is damaged, or belongs elsewhere.
        """
        found: dict[Key, RunHistory] = {}
        for part in self._parts():
            with contextlib.suppress(FileNotFoundError):
                check(part, owner or self.owner)
                found |= {history.key: history for history in _histories(part)}
        yield from (found[key] for key in keys if key in found)

    def _parts(self) -> Iterator[Sealed]:
        """All parts; one that is gone meanwhile is passed over."""
        for path in self._files(PART):
            with contextlib.suppress(FileNotFoundError):
                yield Sealed(path)

    def _files(self, kind: str) -> list[Path]:
        """All files of a kind, in the order of their names."""
        return [path for path in files.listed(self.path) if path.suffix == kind]

    def _path(self, keys: Sequence[Key], kind: str) -> Path:
        """The file of some runs."""
        digest = hashlib.sha256(json.dumps([*keys]).encode()).hexdigest()
        return self.path / f"{digest[:16]}{kind}"


def check(part: Sealed, owner: str) -> None:
    """Read all of a part or checkpoint.

    Raises:
        DamagedError: it is damaged, or was made in another directory.
        FileNotFoundError: it is gone.
    """
    part.check()
    if not _belongs(part.facts, owner):
        fix = "run the same command again, which trains these runs anew"
        raise DamagedError("saved by another experiment", where=str(part.path), fix=fix)


def _belongs(facts: Mapping[str, Any], owner: str) -> bool:
    """Whether a part or checkpoint was made in a directory; older ones do not say where."""
    return facts.get("directory", owner) == owner


def _shapes(history: RunHistory) -> object:
    """What the runs of a part have in common, as those of a stack do."""
    return [*history.metrics], [(name, array.shape) for name, array in history.params.items()]


def _memory(runs: Sequence[RunHistory], facts: Mapping[str, str]) -> Memory:
    """Runs as facts and a few arrays: evaluations end to end, parameters as a stack."""
    first = runs[0]
    entries = [{**entry_of(history), "evaluations": len(history.epochs)} for history in runs]
    arrays = {
        f"{_SERIES}epoch": np.concatenate([history.epochs for history in runs]),
        f"{_SERIES}step": np.concatenate([history.steps for history in runs]),
    }
    for name in first.metrics:
        arrays[f"{_SERIES}{name}"] = np.concatenate([history.metrics[name] for history in runs])
    for name in first.params:
        arrays[f"{_PARAM}{name}"] = np.stack([history.params[name] for history in runs])
    for row, history in enumerate(runs):
        for path, values in formats.recorded(history):
            arrays[f"{_STEPS}{row} {path}"] = values
    return Memory({"runs": entries, **facts}, arrays)
