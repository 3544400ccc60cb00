"""The bytes of every data file in a run directory, and back.

Floats are written with `repr`, which reads back to the same bits.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from adamcli.history import METRICS, VALIDATION, Failure, RunHistory
from adamcli.layout import Array

Json = dict[str, Any]

_HEAD = ("label", "optimizer", "seed", "epoch", "step")


def to_csv(columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> bytes:
    """A CSV with a header; None is an empty cell."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([_cell(value) for value in row] for row in rows)
    return text.getvalue().encode()


def _cell(value: Any) -> Any:
    """A value as csv should print it."""
    return repr(float(value)) if isinstance(value, float) else "" if value is None else value


def metrics_csv(histories: Sequence[RunHistory]) -> bytes:
    """metrics.csv: a row per run and evaluation; metrics of validation where there are any."""
    tuning = any(name in history.metrics for history in histories for name in VALIDATION)
    names = [name for name in METRICS if tuning or name not in VALIDATION]
    rows = (row for history in histories for row in _metric_rows(history, names))
    return to_csv([*_HEAD, *names], rows)


def _metric_rows(history: RunHistory, names: Sequence[str]) -> Iterable[list[Any]]:
    """The rows of one run."""
    head = [history.label, history.optimizer, history.seed]
    columns = [
        history.metrics[name].tolist() if name in history.metrics else [None] * len(history.epochs)
        for name in names
    ]
    for row in zip(history.epochs.tolist(), history.steps.tolist(), *columns, strict=True):
        yield [*head, *row]


def read_metrics(content: bytes) -> dict[tuple[str, int], dict[str, list[str]]]:
    """The columns of metrics.csv for every (label, seed), as text."""
    runs: dict[tuple[str, int], dict[str, list[str]]] = {}
    for row in csv.DictReader(io.StringIO(content.decode(), newline="")):
        columns = runs.setdefault((row["label"], int(row["seed"])), {})
        for name in row.keys() & {"epoch", "step", *METRICS}:
            columns.setdefault(name, []).append(row[name])
    return runs


def history_from(
    entry: Json, columns: Mapping[str, list[str]], measured: Sequence[str]
) -> RunHistory:
    """A run without its arrays, from its manifest entry and its columns of metrics.csv.

    Args:
        columns: empty for a run that stopped before its first evaluation.
        measured: the metrics that such a run has too, though without values.
    """
    failure = entry.get("failure")
    return RunHistory(
        label=entry["label"],
        optimizer=entry["optimizer"],
        cell=entry["cell"],
        seed=entry["seed"],
        diverged_at=entry["diverged_at"],
        epochs=np.array(columns.get("epoch", []), dtype=np.int64),
        steps=np.array(columns.get("step", []), dtype=np.int64),
        metrics={name: np.array(columns.get(name, []), dtype=np.float64) for name in measured},
        failure=Failure(**failure) if failure else None,
        initial=entry.get("initial", {}),  # older directories have none
    )


def params_npz(histories: Iterable[RunHistory]) -> bytes:
    """params.npz: the final parameters under `label/seed/array`."""
    return _to_npz(
        {
            f"{history.label}/{history.seed}/{name}": values
            for history in histories
            for name, values in history.params.items()
        }
    )


def traces_npz(histories: Iterable[RunHistory]) -> bytes:
    """traces.npz: one value per step under `label/seed/what/series`.

    What is a parameter, as in `adam/0/W1[0,0]/m_hat`, or a named array, `adam/0/W1/ratio`.
    """
    return _to_npz(
        {
            f"{history.label}/{history.seed}/{what}/{name}": values
            for history in histories
            for what, series in (*history.traces.items(), *history.layers.items())
            for name, values in series.items()
        }
    )


def read_traces(content: bytes) -> dict[tuple[str, int], dict[str, Any]]:
    """Of every (label, seed) in traces.npz the `traces` and the `layers`."""
    return {
        key: {
            "traces": {what: series for what, series in recorded.items() if "[" in what},
            "layers": {what: series for what, series in recorded.items() if "[" not in what},
        }
        for key, recorded in by_run(read_npz(content), depth=2).items()
    }


def _to_npz(arrays: Mapping[str, Array]) -> bytes:
    """An uncompressed npz without pickles."""
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    return content.getvalue()


def read_npz(content: bytes) -> dict[str, Array]:
    """All arrays of an npz, never by unpickling."""
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def by_run(arrays: Mapping[str, Array], depth: int) -> dict[tuple[str, int], dict[str, Any]]:
    """Arrays keyed `label/seed/...` as nested dicts per run, `depth` names deep.

    A label may contain slashes; the names after it do not.
    """
    runs: dict[tuple[str, int], dict[str, Any]] = {}
    for name, values in arrays.items():
        label, seed, *rest = name.rsplit("/", depth + 1)
        place = runs.setdefault((label, int(seed)), {})
        for part in rest[:-1]:
            place = place.setdefault(part, {})
        place[rest[-1]] = values
    return runs
