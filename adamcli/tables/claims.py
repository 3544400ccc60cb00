"""The table of `claims`: what was claimed, and what became of it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import RenderableType

from adamcli import stats
from adamcli.stats import Contest, Hypothesis, Judgement
from adamcli.tables import words
from adamcli.tables.grid import Cell, Column, Grid, line, stack

if TYPE_CHECKING:
    from adamcli.config import Claim

_STYLES = {
    stats.SUPPORTED: "green",
    stats.REFUTED: "red",
    stats.UNDECIDED: "yellow",
    stats.INVALID: "magenta",
}
_MEANING = (
    "Effect: the factor or difference by which it is better than the baseline that it beats "
    "least, a mean over paired seeds with its 95 % interval. Supported: the interval is beyond "
    "the margin and p < 0.05, with every baseline and on every problem; refuted: it is short "
    "of the margin."
)


def claims_table(judged: Sequence[tuple[Claim, Judgement]]) -> RenderableType:
    """A row per claim: the verdict, the sentence, the effect with its interval, and why."""
    judgements = [judgement for _, judgement in judged]
    grid = Grid(
        [
            Column("verdict", [Cell.of(j.verdict, _STYLES[j.verdict]) for j in judgements]),
            Column("claim, effect and why", [_told(*each) for each in judged], least=20),
        ],
        breaks=frozenset(range(len(judged) - 1)),
    )
    counts = {word: sum(j.verdict == word for j in judgements) for word in _STYLES}
    told = [f"{n} {word}" for word, n in counts.items() if n]
    heading = f"{words.count(len(judged), 'claim')}: {words.listed(told)}"
    return stack(line(heading, "bold"), grid, line(_MEANING, "dim"))


def _told(claim: Claim, judgement: Judgement) -> Cell:
    """The sentence, and below it what was found."""
    effect = effect_in_words(claim.hypothesis, judgement.decisive)
    found = [*([f"effect {effect}"] if effect else []), judgement.reason]
    return Cell(((claim.sentence, "bold"), *((f"\n{text}", "") for text in found)))


def effect_in_words(hypothesis: Hypothesis, decisive: Contest | None) -> str:
    """`1.24 times (1.1 to 1.4), margin 1`: an effect with its interval; nothing without one."""
    if decisive is None or math.isnan(decisive.effect):
        return ""
    # Differences are those of accuracies, told in percentage points.
    unit, scale = (" times", 1) if hypothesis.aspect.is_factor else (" points", 100)
    sizes = (decisive.effect, decisive.low, decisive.high)
    effect, low, high = (words.number(scale * size) for size in sizes)
    return f"{effect}{unit} ({low} to {high}), margin {scale * hypothesis.margin:g}"
