"""Several problems together: a table for each kind, and who is ahead over all of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Group, RenderableType

from adamcli import palette, stats
from adamcli.stats import FACTORS, Aggregate
from adamcli.tables import words
from adamcli.tables.grid import MAX_ROWS, Cell, Column, grouped, line, stack

if TYPE_CHECKING:
    from adamcli.store import Result

KINDS = {"network": "networks", "surface": "surfaces", "stress": "stress tests"}
"""What problems of a kind are called."""

_TWICE = FACTORS.index(2)


def aggregate_tables(result: Result) -> RenderableType | None:
    """A table for each kind with several problems; None without any."""
    experiment = result.experiment
    found = stats.aggregates(result.histories, experiment.places)
    styles = palette.run_styles(experiment.runs)
    colours = {experiment.places[label].setting: style.colour for label, style in styles.items()}
    if not found:
        return None
    return stack(*(_table(each, colours) for each in found), line(_CAPTION, "dim"))


_CAPTION = (
    "Score: interquartile mean over problems and seeds of the final loss, 0 untrained, 1 the "
    "best known, with 95 % interval. Targets: accuracies of 90, 95 and 99 %, or 50, 75 and 90 % "
    "of the way to the best loss; reached by the median seed. Other kinds of problems, and "
    "other problems, are another matter."
)


def _table(aggregate: Aggregate, colours: dict[str, str]) -> RenderableType:
    """The optimizers, the best first, and the pairs in words."""
    rows = sorted(aggregate.standings, key=lambda each: -each.iqm)[:MAX_ROWS]
    columns = [
        Column("optimizer", [Cell.of(each.optimizer, colours[each.optimizer]) for each in rows]),
        Column("score", [Cell.of(f"{each.iqm:.3f}") for each in rows], right=True),
        Column("interval", [Cell.of(_span(each.low, each.high)) for each in rows], right=True),
        Column("targets\nfastest", [_share(each.profile[0]) for each in rows], 2, right=True),
        Column("within\ntwice", [_share(each.profile[_TWICE]) for each in rows], 3, right=True),
        Column("within\n16 times", [_share(each.profile[-1]) for each in rows], 1, right=True),
    ]
    seeds = words.count(aggregate.seeds, "seed")
    head = f"Across {len(aggregate.problems)} {KINDS[aggregate.kind]}, {seeds} each"
    count = len(aggregate.standings)
    head += f", the best {len(rows)} of {count} optimizers" if len(rows) < count else ""
    table = grouped(["" for _ in rows], columns)
    return stack(line(head, "bold"), table, Group(*(line(text) for text in _pairs(aggregate))))


def _span(low: float, high: float) -> str:
    """An interval of scores; empty without one."""
    return "" if low != low else f"{low:.3f}{words.EN_DASH}{high:.3f}"


def _share(share: float) -> Cell:
    """A share of targets."""
    return Cell.of(f"{100 * share:.0f}%")


def _pairs(aggregate: Aggregate) -> Sequence[str]:
    """Which pairs differ, one to a line, and in one line which do not."""
    if not aggregate.contrasts:
        return [f"no verdict: {len(aggregate.standings)} optimizers make too many pairs"]
    told, alike = [], []
    for pair in aggregate.contrasts:
        if pair.verdict in (stats.A_BETTER, stats.B_BETTER):
            sign = 1 if pair.verdict == stats.A_BETTER else -1
            names = (pair.a, pair.b)[::sign]
            low, high = sorted((sign * pair.low, sign * pair.high))
            size = f"{sign * pair.difference:.3f} ({low:.3f} to {high:.3f})"
            told.append(f"{names[0]} is ahead of {names[1]} by {size}")
        elif pair.verdict == stats.NOT_DISTINGUISHABLE:
            alike.append(f"{pair.a} and {pair.b} ({pair.low:+.3f} to {pair.high:+.3f})")
    if alike:
        told.append(f"not distinguishable: {', '.join(alike)}")
    return told or [f"no verdict: below {stats.MIN_SEEDS} seeds"]
