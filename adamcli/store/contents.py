"""The data files of a run directory. They are written piece by piece, none is held as a whole."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from adamcli import stats
from adamcli.config import Experiment
from adamcli.documents import to_json
from adamcli.errors import DamagedError
from adamcli.history import RunHistory, metrics_of
from adamcli.store import files, formats, memories
from adamcli.store.lazy import once
from adamcli.store.manifest import DAMAGED_FIX, key_of, unreadable
from adamcli.text import safe_lines, slug

CONFIG = "config.yaml"
SUMMARY_CSV, SUMMARY = "summary.csv", "summary.json"
TUNING = "tuning.json"
METRICS = "metrics.csv"
PARAMS = "params.npz"
TRACES = "traces.npz"
ERROR_LOG = "error.log"

NUMBERS = (METRICS, PARAMS, TRACES, SUMMARY_CSV, SUMMARY, TUNING, ERROR_LOG)
"""The files that come at the end of a training; none of them before."""


def write_description(directory: Path, experiment: Experiment) -> dict[str, str]:
    """Write what is to be trained: the resolved config, copies of data files and plug-ins.

    Returns:
        The SHA-256 of each file by its name.

    Raises:
        StorageError: the operating system refused.
    """
    names = _copy_names(experiment)
    copies = {names[data.path]: data.table.content for data in experiment.data_files}
    copies |= {memories.copy_name(plugin): plugin.source.content for plugin in experiment.plugins}
    described = {**copies, CONFIG: experiment.to_yaml(names).encode()}
    return {name: files.write(directory / name, data) for name, data in described.items()}


def write(
    directory: Path, experiment: Experiment, histories: Sequence[RunHistory]
) -> dict[str, str]:
    """Write all data files but the description.

    Args:
        histories: the finished runs, in the order of the experiment; their parameters and
            traces are read one run after the other.

    Returns:
        The SHA-256 of each file by its name.

    Raises:
        StorageError: the operating system refused.
    """
    small = {**_summaries(histories), **_error_log(histories), **_tuning(experiment)}
    return {
        METRICS: _write_metrics(directory / METRICS, histories),
        **{name: files.write(directory / name, data) for name, data in small.items()},
        TRACES: _write_traces(directory / TRACES, histories),
        PARAMS: _write_params(directory / PARAMS, histories),
    }


def read(
    directory: Path, experiment: Experiment, entries: Sequence[Mapping[str, Any]]
) -> tuple[RunHistory, ...]:
    """Finished runs from the data files; parameters and traces are read when asked for.

    Args:
        entries: how the manifest lists the runs.

    Raises:
        DamagedError: a file cannot be read, or other runs are listed than were asked for.
    """
    if not {(run.label, run.seed) for run in experiment.runs} >= {*map(key_of, entries)}:
        what = "the manifest lists runs that config.yaml does not ask for"
        raise DamagedError(what, where=str(directory), fix=DAMAGED_FIX)
    try:
        with (directory / METRICS).open(encoding="utf-8", newline="") as file:
            found, places = formats.read_metrics(file)
    except OSError as error:
        raise unreadable(directory / METRICS, error) from error
    labels = {run.label: run.task for run in experiment.runs}
    known = {label: formats.only(found, metrics_of(task.metrics)) for label, task in labels.items()}
    params = formats.Archive(directory / PARAMS, depth=1).of
    traces = formats.Archive(directory / TRACES, depth=2).of
    none = slice(0, 0)
    return tuple(
        formats.history_from(
            entry, known[entry["label"]], places.get(key, none), params, traces, key
        )
        for key, entry in ((key_of(entry), entry) for entry in entries)
    )


def _write_metrics(path: Path, histories: Sequence[RunHistory]) -> str:
    """metrics.csv: a line per run and evaluation. Its SHA-256."""
    names = formats.metric_names(histories)
    with files.writing(path) as file:
        file.write(formats.metrics_head(names))
        for history in histories:
            file.write(formats.metric_lines(history, names))
    return file.sha256


def _write_params(path: Path, histories: Sequence[RunHistory]) -> str:
    """params.npz: the final parameters under `label/seed/array`. Its SHA-256."""
    with files.writing(path) as file, formats.NpzWriter(file) as archive:
        for history in histories:
            for name, values in once(history.params).items():
                archive.add(f"{history.label}/{history.seed}/{name}", values)
    return file.sha256


def _write_traces(path: Path, histories: Sequence[RunHistory]) -> str:
    """traces.npz: one value per step under `label/seed/what/series`. Its SHA-256."""
    with files.writing(path) as file, formats.NpzWriter(file) as archive:
        for history in histories:
            for name, values in formats.recorded(history):
                archive.add(f"{history.label}/{history.seed}/{name}", values)
    return file.sha256


def _summaries(histories: Sequence[RunHistory]) -> dict[str, bytes]:
    """summary.json and summary.csv: a row per label."""
    summaries = [asdict(summary) for summary in stats.summarize(histories)]
    flat = [_flat(summary) for summary in summaries]
    # A cell without test data or classes has fewer columns than the others.
    columns = [*dict.fromkeys(name for row in sorted(flat, key=len)[::-1] for name in row)]
    return {
        SUMMARY_CSV: formats.to_csv(columns, ([row.get(c) for c in columns] for row in flat)),
        SUMMARY: f"{to_json(summaries)}\n".encode(),
    }


def _tuning(experiment: Experiment) -> dict[str, bytes]:
    """The file that says what was tried and chosen, where hyperparameters are tuned."""
    if experiment.tuning is None:
        return {}
    outcomes = [outcome.document() for outcome in experiment.tuning.outcomes]
    return {TUNING: f"{to_json(outcomes)}\n".encode()}


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
