"""Which of many settings of an optimizer is the best, how sure that is, and how luck had a hand.

A trial is one setting at a few seeds of its own. The best has the lowest median of the final
loss on points for validation, or of the training loss where a problem has no data; a run that
diverged or failed counts as infinitely bad. All optimizers have the same number of trials.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from adamcli.layout import Array
from adamcli.stats.averages import median
from adamcli.stats.judging import A_BETTER, B_BETTER, Verdict
from adamcli.stats.runs import Trained, final, ranking_scores

_EDGE = 0.05
"""How near the end of its range, as a share of it, a value is at the edge."""


@dataclass(frozen=True)
class Searched:
    """One setting that is tuned.

    Attributes:
        low, high: the ends of its range.
        scale: on which the trials lie evenly: `log`, `linear`, or `log1m`, log of 1 - x.
        values: what each trial gives it.
        shares: how far each of them lies from low to high on the scale, 0 to 1.
    """

    low: float
    high: float
    scale: str
    values: tuple[float, ...]
    shares: tuple[float, ...]


@dataclass(frozen=True)
class Candidates:
    """The trials of one optimizer on one problem.

    Attributes:
        cell: the problem.
        label: of the optimizer.
        space: what is tuned.
        trials: the label of each trial, in the order of the values.
    """

    cell: str
    label: str
    space: Mapping[str, Searched]
    trials: tuple[str, ...]


class Trial(NamedTuple):
    """What came of one trial.

    Attributes:
        score: the median over its seeds.
        stopped: how many of its runs diverged or failed.
    """

    label: str
    values: dict[str, float]
    score: float
    stopped: int


class Budget(NamedTuple):
    """The best score after k trials, k = 1 to n, in a random order of the n trials, (n,) each.

    Attributes:
        median: over all orders.
        low, high: between which 90 % of the orders lie.
    """

    median: Array
    low: Array
    high: Array


@dataclass(frozen=True)
class Tuned:
    """What was chosen for one optimizer on one problem.

    Attributes:
        cell, label: the problem and the optimizer.
        metric: by which trials are judged.
        seeds: how many each trial has.
        space: what was tuned.
        trials: in the order of the sequence.
        chosen: which of them is the best; the first of equals.
    """

    cell: str
    label: str
    metric: str
    seeds: int
    space: Mapping[str, Searched]
    trials: tuple[Trial, ...]
    chosen: int

    @property
    def best(self) -> Trial:
        """The trial that was chosen."""
        return self.trials[self.chosen]

    @property
    def edges(self) -> dict[str, str]:
        """The settings whose best value is at the `low` or `high` edge of their range.

        That is where no trial lies beyond it, or within 5 % of the end: the best may lie
        outside, and then the optimizer is under-tuned.
        """
        ends = {key: _edge(searched.shares, self.chosen) for key, searched in self.space.items()}
        return {key: end for key, end in ends.items() if end}

    @cached_property
    def budget(self) -> Budget:
        """What fewer trials would have come to."""
        return best_so_far([trial.score for trial in self.trials])

    def document(self) -> dict[str, Any]:
        """All of it for JSON."""
        return {
            "cell": self.cell,
            "label": self.label,
            "metric": self.metric,
            "seeds": self.seeds,
            "space": {
                key: {"low": searched.low, "high": searched.high, "scale": searched.scale}
                for key, searched in self.space.items()
            },
            "chosen": self.best.values,
            "score": self.best.score,
            "edges": self.edges,
            "trials": [trial._asdict() for trial in self.trials],
            "budget": {name: values.tolist() for name, values in self.budget._asdict().items()},
        }


def tuned(histories: Iterable[Trained], candidates: Sequence[Candidates]) -> list[Tuned]:
    """What the trials say of each of the candidates.

    Args:
        histories: the runs of all trials, in any order.
        candidates: whose they are.
    """
    histories = list(histories)
    metrics = ranking_scores(histories)
    runs: dict[tuple[str, str], list[Trained]] = {}
    for history in histories:
        runs.setdefault((history.cell, history.label), []).append(history)
    return [_tuned(each, metrics[each.cell], runs) for each in candidates]


def _tuned(
    candidates: Candidates, metric: str, runs: Mapping[tuple[str, str], Sequence[Trained]]
) -> Tuned:
    """What the trials say of one optimizer on one problem."""
    groups = [runs[candidates.cell, label] for label in candidates.trials]
    trials = tuple(
        Trial(
            label,
            {key: searched.values[i] for key, searched in candidates.space.items()},
            float(median(np.array([final(history, metric) for history in group]))),
            sum(history.status != "finished" for history in group),
        )
        for i, (label, group) in enumerate(zip(candidates.trials, groups, strict=True))
    )
    chosen = int(np.argmin([trial.score for trial in trials]))
    seeds = max(len(group) for group in groups)
    cell, label, space = candidates.cell, candidates.label, candidates.space
    return Tuned(cell, label, metric, seeds, space, trials, chosen)


@dataclass(frozen=True)
class Inclusion:
    """An optimizer that loses to one that it contains: it cannot have been tuned well.

    Attributes:
        cell: the problem.
        label: of the optimizer.
        contains: the label of the one that it loses to.
        how: with which hyperparameters it would be that one.
    """

    cell: str
    label: str
    contains: str
    how: str


def audited(
    verdicts: Iterable[Verdict], inclusions: Mapping[tuple[str, str], str]
) -> list[Inclusion]:
    """The optimizers whose final loss is worse than that of one they contain.

    Args:
        verdicts: on the runs that report.
        inclusions: by pairs of labels, how the first contains the second.

    Source: Choi et al., 2019, arXiv:1910.05446: a well-tuned optimizer is no worse than any
        that it can imitate.
    """
    found = []
    for verdict in verdicts:
        pair = {A_BETTER: (verdict.b, verdict.a), B_BETTER: (verdict.a, verdict.b)}
        worse, better = pair.get(verdict.verdict, ("", ""))
        how = inclusions.get((worse, better), "")
        if how and verdict.metric.endswith("_loss"):
            found.append(Inclusion(verdict.cell, worse, better, how))
    return found


def _edge(shares: Sequence[float], chosen: int) -> str:
    """At which end of its range the chosen share is; empty if at none."""
    share = shares[chosen]
    if share <= max(min(shares), _EDGE):
        return "low"
    return "high" if share >= min(max(shares), 1 - _EDGE) else ""


def best_so_far(scores: Sequence[float]) -> Budget:
    """The lowest of k scores drawn without replacement, for every k.

    Exact: of the C(n, k) choices, those whose lowest is above the i-th lowest score are
    C(n - i, k). So no orders need to be drawn at random.

    Source: that the winner depends on the budget, and the curve of the best so far over
        random orders, is Sivaprasad et al., 2020, arXiv:1910.11758.
    """
    ordered = np.sort(np.array(scores))
    n = len(ordered)
    place = np.arange(n)
    beyond = np.ones(n)  # the chance that the lowest of k is above each
    rows = []
    for k in range(1, n + 1):
        beyond = beyond * np.maximum(n - place - k, 0) / (n - k + 1)
        below = 1 - beyond
        rows.append([ordered[np.argmax(below >= share - 1e-12)] for share in (0.5, 0.05, 0.95)])
    return Budget(*np.array(rows).T)
