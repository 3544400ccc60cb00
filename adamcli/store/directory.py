"""A run directory: what one experiment leaves behind.

The directory is named by its content: the experiment's name and a hash of all that decides
its numbers. While it trains, finished stacks are parts; at the end they are put together in
its files. The manifest is written last and holds the SHA-256 of every file and of itself, so
that what was damaged later is refused and never read as a number.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from adamcli import config, stats
from adamcli.config import Experiment
from adamcli.errors import AdamcliError, DamagedError, StorageError
from adamcli.history import RunHistory
from adamcli.store import contents, files, memories
from adamcli.store.digest import result_hash
from adamcli.store.lock import owned
from adamcli.store.manifest import (
    DAMAGED_FIX,
    FINISHED,
    MANIFEST,
    TRIALS,
    Key,
    changed,
    entry_of,
    key_of,
    manifest_of,
    read_manifest,
    settled,
    unreadable,
    write_manifest,
)
from adamcli.store.parts import Parts

FIGURES = "figures"

Json = dict[str, Any]
T = TypeVar("T")


@dataclass(frozen=True)
class Result:
    """An experiment and what came out of it, as saved.

    Attributes:
        path: the run directory.
        histories: one per finished run, in the order of `experiment.runs`; runs that are
            not trained yet are missing. Parameters and traces are read when asked for.
        manifest: how, when and with what the numbers were made.
    """

    path: Path
    experiment: Experiment
    histories: tuple[RunHistory, ...]
    manifest: Mapping[str, Any]

    @property
    def status(self) -> str:
        """`finished`, or `interrupted` while runs are missing."""
        return str(self.manifest["status"])

    @property
    def figures(self) -> tuple[Path, ...]:
        """The figures that the directory holds."""
        names = sorted(name for name in self.manifest["files"] if _is_figure(name))
        return tuple(self.path / name for name in names)

    @property
    def failed(self) -> int:
        """How many runs failed."""
        return sum(history.failure is not None for history in self.histories)


class RunDirectory:
    """Reads and writes one run directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.parts = Parts(path)

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Own the directory, made if it is missing, for the duration.

        Raises:
            InUseError: another process owns it.
            StorageError: it cannot be made or written, or is removed meanwhile.
        """
        files.make_directory(self.path, parents=self.path.name != TRIALS)
        with owned(self.path):
            files.clear_temporary(self.path)
            try:
                yield
            except DamagedError as error:
                if self.path.is_dir():
                    raise
                fix = "run the same command again"
                raise StorageError("removed meanwhile", where=str(self.path), fix=fix) from error

    @property
    def saved(self) -> bool:
        """Whether something was saved here that can be read."""
        return (self.path / MANIFEST).is_file()

    @property
    def trials(self) -> RunDirectory:
        """Where the trials are saved, of an experiment that is tuned."""
        return RunDirectory(self.path / TRIALS)

    def done(self) -> set[Key]:
        """The runs that need not be trained again.

        Raises:
            DamagedError: what was saved cannot be read.
        """
        entries = self._listed() or self.parts.entries().values()
        return {key_of(entry) for entry in entries if settled(entry)}

    def complete(self, experiment: Experiment) -> bool:
        """Whether no run of an experiment needs to be trained.

        Raises:
            DamagedError: the manifest cannot be read.
        """
        settled_runs = {key_of(entry) for entry in self._listed() if settled(entry)}
        return settled_runs == {(run.label, run.seed) for run in experiment.runs}

    def begin(self, experiment: Experiment, *, fresh: bool = False) -> list[Path]:
        """Make ready to keep parts; what was saved before and need not be trained again stays.

        Until the training is finished, a finished one that came before it stays as it is.

        Args:
            fresh: whether all is to be trained anew.

        Returns:
            Parts that were damaged and are removed.

        Raises:
            DamagedError: what was saved before cannot be read.
            StorageError: the operating system refused.
        """
        if fresh:
            self.parts.remove()
        known = [] if fresh else self._listed()
        self.parts.make()
        broken = self.parts.settle()
        if known:
            self._divide({key_of(entry) for entry in known if settled(entry)})
        if known or not self._holds_finished():
            self._open(experiment)
        return broken

    def finish(self, experiment: Experiment, lost: Sequence[RunHistory], seconds: float) -> Result:
        """Put all runs together: data files and, last, the manifest; then the parts go.

        Args:
            experiment: what was asked for.
            lost: runs that no part has, since their workers died.
            seconds: how long the training took in this process.

        Raises:
            DamagedError: a part cannot be read.
            StorageError: the operating system refused.
        """
        if self._holds_finished():
            self._open(experiment)  # from here on the parts count, not the files
        manifest = self._put_together(experiment, lost, seconds)
        write_manifest(self.path, manifest)
        self.parts.remove()
        return self._read(experiment, manifest)

    def add_figures(self, result: Result, figures: Mapping[str, bytes]) -> Result:
        """Write figures, named like `curves.png`, and note them in the manifest.

        Raises:
            StorageError: the operating system refused.
        """
        folder = self.path / FIGURES
        files.make_directory(folder, parents=False)
        files.clear_temporary(folder)
        hashes = dict(result.manifest["files"])
        for name, data in figures.items():
            hashes[f"{FIGURES}/{name}"] = files.write(folder / name, data)
        manifest = {**result.manifest, "files": hashes}
        write_manifest(self.path, manifest)
        return replace(result, manifest=manifest)

    def load(self, plugins: Sequence[Path] = ()) -> Result:
        """Everything that was saved, after its hashes are checked.

        No code is executed but that of `plugins`; runs of other plug-ins have a rule that
        cannot train. Another process may be writing: what it replaces meanwhile is read anew.

        Args:
            plugins: files of plug-ins, which must be those that the runs were trained with.

        Raises:
            DamagedError: a file is missing, was changed, or cannot be understood.
            UsageError: one of `plugins` is another file than that of the run.
            PluginError: one of them cannot be executed.
        """
        return self._steadily(lambda manifest: self._loaded(manifest, plugins))

    def hashed(self) -> tuple[Result, str]:
        """Everything that was saved, as `load` has it, and one hash of all its numbers.

        The numbers of trials count too. A run's parameters and traces are in memory while
        they are hashed, and no longer.

        Raises:
            DamagedError: a file is missing, was changed, or cannot be understood.
        """
        return self._steadily(self._hashed)

    def manifest(self) -> Json:
        """How, when and with what the numbers were made, and the hash of every file.

        Its runs are none while parts hold them.

        Raises:
            DamagedError: it is missing, was changed, or a newer version wrote it.
        """
        return read_manifest(self.path)

    def seen(self) -> object:
        """Something that is another when a process has replaced the manifest or parts."""
        paths = [self.path / MANIFEST, *files.listed(self.parts.path)]
        return {path: _identity(path) for path in paths}

    def _steadily(self, read: Callable[[Json], T]) -> T:
        """What `read` makes of the manifest, once more if another process has written."""
        seen = self.seen()
        while True:
            try:
                return read(self.manifest())
            except DamagedError:
                before, seen = seen, self.seen()
                if seen == before:
                    raise

    def _hashed(self, manifest: Json) -> tuple[Result, str]:
        """What a manifest names, and the hash of its numbers and those of its trials."""
        result = self._loaded(manifest, ())
        tuned = result.experiment.tuning and self.trials.saved
        tried = self.trials.load().histories if tuned else ()
        return result, result_hash(chain(tried, result.histories))

    def _listed(self) -> list[Json]:
        """The runs that the manifest lists; none while parts hold them."""
        try:
            return self.manifest()["runs"] if self.saved else []
        except DamagedError:
            if self.parts.empty:
                raise
            return []  # the parts are whole without it

    def _holds_finished(self) -> bool:
        """Whether the files are those of a finished training."""
        try:
            return self.saved and self.manifest()["status"] == FINISHED
        except DamagedError:
            return False

    def _open(self, experiment: Experiment) -> None:
        """Save what is to be trained; from here on the directory can be found and shown."""
        hashes = contents.write_description(self.path, experiment)
        manifest = manifest_of(experiment, [], 0, [])
        write_manifest(self.path, manifest | {"directory": self.parts.owner, "files": hashes})

    def _put_together(
        self, experiment: Experiment, lost: Sequence[RunHistory], seconds: float
    ) -> Json:
        """Write the data files, and give the manifest that names them."""
        processors = self.parts.processors()
        keys = [(run.label, run.seed) for run in experiment.runs]
        kept = {history.key: history for history in (*self.parts.histories(keys), *lost)}
        if not kept.keys() >= {*keys}:
            fix = "run the same command again, which trains anew what is missing"
            raise DamagedError("finished parts are gone", where=str(self.parts.path), fix=fix)
        histories = [kept.pop(key) for key in keys]
        described = self.manifest()["files"].items()
        hashes = {
            **{name: sha256 for name, sha256 in described if not _is_figure(name)},
            **contents.write(self.path, experiment, histories),
        }
        if contents.ERROR_LOG not in hashes:
            files.remove(self.path / contents.ERROR_LOG)  # of an earlier training
        entries = [entry_of(history) for history in histories]
        return manifest_of(experiment, entries, seconds, processors) | {"files": hashes}

    def _divide(self, known: set[Key]) -> None:
        """Make a part of finished runs again, so that others can be put together with them."""
        result = self.load()
        self.parts.keep([history for history in result.histories if history.key in known])

    def _loaded(self, manifest: Json, plugins: Sequence[Path]) -> Result:
        """Everything that a manifest names."""
        for name, sha256 in manifest["files"].items():
            if not _is_figure(name):
                self._check(name, sha256)
        experiment = self._experiment(manifest, plugins)
        if manifest["runs"]:
            return self._read(experiment, manifest)
        keys = [(run.label, run.seed) for run in experiment.runs]
        return Result(
            self.path,
            experiment,
            tuple(self.parts.histories(keys, manifest.get("directory"))),
            manifest,
        )

    def _read(self, experiment: Experiment, manifest: Json) -> Result:
        """What the data files hold."""
        histories = contents.read(self.path, experiment, manifest["runs"])
        return Result(self.path, experiment, histories, manifest)

    def _check(self, name: str, sha256: str) -> None:
        """Make sure that a file is the one that the manifest names."""
        path = self.path / name
        try:
            actual = files.sha256(path)
        except OSError as error:
            raise unreadable(path, error) from error
        if actual != sha256:
            raise changed(path)

    def _experiment(self, manifest: Json, plugins: Sequence[Path]) -> Experiment:
        """What was asked for, tuned where its trials are finished."""
        known = memories.remembered(manifest.get("plugins", []), self.path)
        live = memories.recalled(known, plugins, self.path)
        try:
            experiment = config.load(self.path / contents.CONFIG, plugins=live)
        except AdamcliError as error:
            raise DamagedError(
                f"config.yaml cannot be loaded any more ({error.what})",
                where=str(self.path),
                fix="restore the data file that it names" if error.where else DAMAGED_FIX,
            ) from error
        if experiment.tuning and (manifest["status"] == FINISHED or self.trials.saved):
            tried = self.trials.load(plugins)
            if tried.status == FINISHED:
                outcomes = stats.tuned(tried.histories, experiment.tuning.candidates)
                return experiment.tuned(outcomes)
        return experiment


def _is_figure(name: str) -> bool:
    """Whether a file in a manifest is a figure, which no number depends on."""
    return name.startswith(f"{FIGURES}/")


def _identity(path: Path) -> tuple[int, int] | None:
    """What a file does not share with the one that takes its place; None if it is gone."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns
