"""A run directory: what one experiment leaves behind.

The directory is named by its content: the experiment's name and a hash of all that decides
its numbers. The manifest is written last and holds the SHA-256 of every file and of itself,
so that what was damaged later is refused and never read as a number.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adamcli import config, stats
from adamcli.config import Experiment, Run
from adamcli.documents import to_json
from adamcli.environment import environment
from adamcli.errors import AdamcliError, DamagedError
from adamcli.history import MEASURED, METRICS, RunHistory
from adamcli.store import files, formats, memories
from adamcli.store.lock import owned
from adamcli.text import safe_lines, slug

MANIFEST = "manifest.json"
TRIALS = "trials"
"""The directory of what was tried, within that of an experiment that is tuned."""

ERROR_LOG = "error.log"
SCHEMA = 1

_DAMAGED_FIX = "restore the file, or train again with `adamcli run CONFIG --fresh`"


@dataclass(frozen=True)
class Result:
    """An experiment and what came out of it, as saved.

    Attributes:
        path: the run directory.
        histories: one per finished run, in the order of `experiment.runs`; runs that are
            not trained yet are missing.
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
        names = sorted(name for name in self.manifest["files"] if name.startswith("figures/"))
        return tuple(self.path / name for name in names)

    @property
    def failed(self) -> int:
        """How many runs failed."""
        return sum(history.failure is not None for history in self.histories)


class RunDirectory:
    """Reads and writes one run directory."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @contextlib.contextmanager
    def claimed(self) -> Iterator[None]:
        """Own the directory, made if it is missing, for the duration.

        Raises:
            InUseError: another process owns it.
            StorageError: it cannot be made or written.
        """
        files.make_directory(self.path)
        with owned(self.path):
            yield

    @property
    def saved(self) -> bool:
        """Whether something complete was saved here."""
        return (self.path / MANIFEST).is_file()

    @property
    def trials(self) -> RunDirectory:
        """Where the trials are saved, of an experiment that is tuned."""
        return RunDirectory(self.path / TRIALS)

    def save(
        self, experiment: Experiment, histories: Sequence[RunHistory], seconds: float
    ) -> Result:
        """Write all data files and, last, the manifest; figures are kept.

        Args:
            experiment: what was asked for.
            histories: the finished runs, in any order.
            seconds: how long the training took in this process.
        """
        order = {(run.label, run.seed): place for place, run in enumerate(experiment.runs)}
        histories = sorted(histories, key=lambda history: order[history.key])
        content = _data_files(experiment, histories)
        for name, data in content.items():
            files.write(self.path / name, data)
        manifest = _manifest(experiment, histories, seconds)
        manifest["files"] = {name: _sha256(data) for name, data in content.items()}
        self._write_manifest(manifest)
        if ERROR_LOG not in content:
            files.remove(self.path / ERROR_LOG)  # of an earlier training
        return Result(self.path, experiment, tuple(histories), manifest)

    def add_figures(self, result: Result, figures: Mapping[str, bytes]) -> Result:
        """Write figures, named like `curves.png`, and note them in the manifest."""
        files.make_directory(self.path / "figures")
        hashes = dict(result.manifest["files"])
        for name, data in figures.items():
            files.write(self.path / "figures" / name, data)
            hashes[f"figures/{name}"] = _sha256(data)
        manifest = {**result.manifest, "files": hashes}
        self._write_manifest(manifest)
        return replace(result, manifest=manifest)

    def load(self, plugins: Sequence[Path] = ()) -> Result:
        """Everything that was saved, after its hashes are checked.

        No code is executed but that of `plugins`; runs of other plug-ins have a rule that
        cannot train.

        Args:
            plugins: files of plug-ins, which must be those that the runs were trained with.

        Raises:
            DamagedError: a file is missing, was changed, or cannot be understood.
            UsageError: one of `plugins` is another file than that of the run.
            PluginError: one of them cannot be executed.
        """
        manifest = self.manifest()
        content = {
            name: self._read(name, sha256)
            for name, sha256 in manifest["files"].items()
            if not name.startswith("figures/")
        }
        known = memories.remembered(manifest.get("plugins", []), content, self.path)
        live = memories.recalled(known, plugins, self.path)
        try:
            experiment = config.load(self.path / "config.yaml", plugins=live)
            if experiment.tuning:
                tried = self.trials.load(plugins).histories
                experiment = experiment.tuned(stats.tuned(tried, experiment.tuning.candidates))
            histories = tuple(_histories(experiment, manifest["runs"], content))
        except DamagedError:
            raise
        except AdamcliError as error:
            raise DamagedError(
                f"config.yaml cannot be loaded any more ({error.what})",
                where=str(self.path),
                fix="restore the data file that it names" if error.where else _DAMAGED_FIX,
            ) from error
        return Result(self.path, experiment, histories, manifest)

    def _write_manifest(self, manifest: Mapping[str, Any]) -> None:
        """Write the manifest, which makes what was written before it count."""
        sealed = {**manifest, "sha256": _seal(manifest)}
        files.write(self.path / MANIFEST, f"{to_json(sealed)}\n".encode())

    def manifest(self) -> dict[str, Any]:
        """How, when and with what the numbers were made, and the hash of every file.

        Raises:
            DamagedError: it is missing, was changed, or a newer version wrote it.
        """
        path = self.path / MANIFEST
        try:
            manifest = json.loads(path.read_bytes())
            if manifest["schema"] > SCHEMA:
                raise DamagedError(
                    f"written by adamcli {manifest['environment']['adamcli']}, a newer version",
                    where=str(path),
                    fix="update adamcli",
                )
            if manifest["sha256"] != _seal(manifest):
                raise _changed(path)
            return {**manifest, "files": dict(manifest["files"]), "runs": list(manifest["runs"])}
        except FileNotFoundError as error:
            raise DamagedError(
                "no manifest.json: the training did not finish",
                where=str(self.path),
                fix=f"run `adamcli run {self.path / 'config.yaml'}` or remove the directory",
            ) from error
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise DamagedError("not a manifest", where=str(path), fix=_DAMAGED_FIX) from error

    def _read(self, name: str, sha256: str) -> bytes:
        """The bytes of a file whose hash is the one in the manifest."""
        path = self.path / name
        try:
            content = path.read_bytes()
        except OSError as error:
            raise DamagedError(
                f"cannot read a saved file ({error.strerror})", where=str(path), fix=_DAMAGED_FIX
            ) from error
        if _sha256(content) != sha256:
            raise _changed(path)
        return content


def _changed(path: Path) -> DamagedError:
    """What to say of a file whose hash is another one."""
    return DamagedError(
        "the file is not what was saved (SHA-256 differs)", where=str(path), fix=_DAMAGED_FIX
    )


def _data_files(experiment: Experiment, histories: Sequence[RunHistory]) -> dict[str, bytes]:
    """The content of every file but figures and manifest, with a copy of the data."""
    names = _copy_names(experiment)
    copies = {names[data.path]: data.table.content for data in experiment.data_files}
    copies |= {memories.copy_name(plugin): plugin.source.content for plugin in experiment.plugins}
    summaries = [asdict(summary) for summary in stats.summarize(histories)]
    flat = [_flat(summary) for summary in summaries]
    # A cell without test data or classes has fewer columns than the others.
    columns = [*dict.fromkeys(name for row in sorted(flat, key=len)[::-1] for name in row)]
    return {
        **copies,
        "config.yaml": experiment.to_yaml(names).encode(),
        "metrics.csv": formats.metrics_csv(histories),
        "summary.csv": formats.to_csv(columns, ([row.get(c) for c in columns] for row in flat)),
        "summary.json": f"{to_json(summaries)}\n".encode(),
        "traces.npz": formats.traces_npz(histories),
        "params.npz": formats.params_npz(histories),
        **_error_log(histories),
        **_tuning(experiment),
    }


def _tuning(experiment: Experiment) -> dict[str, bytes]:
    """The file that says what was tried and chosen, where hyperparameters are tuned."""
    if experiment.tuning is None:
        return {}
    outcomes = [outcome.document() for outcome in experiment.tuning.outcomes]
    return {"tuning.json": f"{to_json(outcomes)}\n".encode()}


def _error_log(histories: Sequence[RunHistory]) -> dict[str, bytes]:
    """The file that says how runs failed, where any did."""
    pieces = [
        f"{history.label}, seed {history.seed}: {history.failure.message}\n{history.failure.log}"
        for history in histories
        if history.failure is not None
    ]
    text = safe_lines("\n".join(pieces))
    return {ERROR_LOG: f"{text}\n".encode()} if pieces else {}


def _copy_names(experiment: Experiment) -> dict[str, str]:
    """What the copy of each file is called in the run directory, by the file's path."""
    copies = map(memories.copy_name, experiment.plugins)
    names = dict(zip(experiment.resolved["plugins"], copies, strict=True))
    for k, path in enumerate(sorted(data.path for data in experiment.data_files)):
        source = Path(path)
        names[path] = f"data{k or ''}-{slug(source.stem)}{source.suffix.lower()}"
    return names


def _flat(summary: Mapping[str, Any]) -> dict[str, Any]:
    """Nested statistics as columns such as `final_test_loss_median`."""
    flat: dict[str, Any] = {}
    for name, value in summary.items():
        if isinstance(value, dict):
            flat |= {f"{name}_{part}": item for part, item in _flat(value).items()}
        else:
            flat[name] = value
    return flat


def _manifest(
    experiment: Experiment, histories: Sequence[RunHistory], seconds: float
) -> dict[str, Any]:
    """Everything but the hashes."""
    return {
        "schema": SCHEMA,
        "name": experiment.name,
        "status": "finished" if len(histories) == len(experiment.runs) else "interrupted",
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "training_seconds": round(seconds, 3),
        "seeds": sorted({run.seed for run in experiment.runs}),
        "environment": environment(),
        "plugins": [memories.memory(plugin) for plugin in experiment.plugins],
        "runs": [
            {
                "label": history.label,
                "optimizer": history.optimizer,
                "cell": history.cell,
                "seed": history.seed,
                "status": history.status,
                "diverged_at": history.diverged_at,
                "failure": asdict(history.failure) if history.failure else None,
                "initial": dict(history.initial),
            }
            for history in histories
        ],
    }


def _histories(
    experiment: Experiment, entries: Sequence[dict[str, Any]], content: Mapping[str, bytes]
) -> Iterator[RunHistory]:
    """The runs that the manifest lists, from the bytes of their files."""
    measured = {(run.label, run.seed): _measured(run) for run in experiment.runs}
    metrics = formats.read_metrics(content["metrics.csv"])
    params = formats.by_run(formats.read_npz(content["params.npz"]), depth=1)
    traces = formats.read_traces(content["traces.npz"])
    for entry in entries:
        key = (entry["label"], entry["seed"])
        history = formats.history_from(entry, metrics.get(key, {}), measured[key])
        recorded = traces.get(key, {})
        yield replace(history, params=params.get(key, {}), **recorded)


def _measured(run: Run) -> list[str]:
    """The metrics of a run: those of its task and those of any training."""
    return [name for name in METRICS if name in run.task.metrics or name in MEASURED]


def _seal(manifest: Mapping[str, Any]) -> str:
    """The SHA-256 of all that a manifest says but for this hash itself."""
    said = {name: value for name, value in manifest.items() if name != "sha256"}
    return _sha256(to_json(said).encode())


def _sha256(content: bytes) -> str:
    """The SHA-256 of some bytes, in hexadecimal."""
    return hashlib.sha256(content).hexdigest()
