"""Verdicts in plain words: which label is better, by how much, or why the runs cannot tell."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.padding import Padding

from adamcli import palette, stats
from adamcli.stats import Crowd, Verdict
from adamcli.tables import words
from adamcli.tables.grid import Cell, Line, line, stack

MAX_PAIRS = 10
"""Of more pairs in a cell, only those of the label that is best most often are told."""

_MEANING = (
    "Paired by seed, with 95 % intervals; p is adjusted by Holm over all pairs; "
    "P(better) is the share of seeds, ties half."
)
_INDENT = 2
_LEAST_WIDTH = 20  # below it, an indent leaves too little room for words

_Piece = tuple[str, str]


def verdicts_in_words(
    verdicts: Sequence[Verdict], colours: Mapping[str, str]
) -> RenderableType | None:
    """A line or two for every pair of labels; None where no two labels share several seeds.

    The final loss comes first, other metrics only where they say something else.

    Args:
        verdicts: all of a result, as `stats.verdicts` gives them.
        colours: of every label, a Rich style.
    """
    most = max((verdict.n for verdict in verdicts), default=0)
    if most < 2:
        return None
    if most < stats.MIN_SEEDS:
        return line(_too_few(most))
    heading = line(f"Verdicts over {_seeds(verdicts)}", "bold")
    return stack(Group(heading, *_cells(verdicts, colours)), line(_MEANING, "dim"))


def crowds_in_words(crowds: Sequence[Crowd], *, tuned: bool) -> RenderableType | None:
    """Why cells with too many labels have no verdicts; None where there is none.

    Args:
        crowds: as `stats.crowds` gives them.
        tuned: whether the experiment already is what the advice would be.
    """
    if not crowds:
        return None
    largest = max(crowds, key=lambda crowd: crowd.pairs)
    cells = "" if len(crowds) == 1 else f" in each of {len(crowds)} problems"
    why = (
        f"no verdict{cells}: {largest.labels} labels make {largest.pairs} pairs, and no test can "
        f"give an adjusted p < {stats.ALPHA} among more than {stats.MOST_PAIRS}; the best of so "
        "many on these seeds is partly the luckiest."
    )
    advice = " `adamcli compare --tune` chooses settings on other seeds and then compares them."
    return line(why + advice * (not tuned))


def _too_few(n: int) -> str:
    """Why there is no verdict."""
    return f"no verdict: {words.count(n, 'seed')}, at least {stats.MIN_SEEDS} are needed"


def _seeds(verdicts: Sequence[Verdict]) -> str:
    """How many seeds the pairs share: `20 paired seeds`, `18-20 paired seeds`."""
    ends = sorted({f(verdict.n for verdict in verdicts) for f in (min, max)})
    return f"{words.EN_DASH.join(map(str, ends))} paired seeds"


def _cells(verdicts: Sequence[Verdict], colours: Mapping[str, str]) -> Iterator[Line | _Indented]:
    """The lines of every cell, under its name where it has one."""
    cells: dict[str, dict[tuple[str, str], list[Verdict]]] = {}
    for verdict in verdicts:
        pairs = cells.setdefault(verdict.cell, {})
        pairs.setdefault((verdict.a, verdict.b), []).append(verdict)
    for cell, pairs in cells.items():
        if cell:
            yield line(cell, "bold")
        told = _told([*pairs.values()])
        for metrics in told:
            yield from _pair(metrics, colours)
        if len(told) < len(pairs):
            yield line(f"... {len(pairs) - len(told)} more pairs in --json", "dim")


def _told(pairs: Sequence[Sequence[Verdict]]) -> Sequence[Sequence[Verdict]]:
    """All pairs of a cell, or, of many, those of the label whose final loss is best most often."""
    if len(pairs) <= MAX_PAIRS:
        return pairs
    better: dict[str, float] = defaultdict(float)
    for head, *_ in pairs:
        share = head.p_better if head.n else 0.5
        better[head.a] += share
        better[head.b] += 1 - share
    leader = max(better, key=lambda label: better[label])
    return [pair for pair in pairs if leader in (pair[0].a, pair[0].b)][:MAX_PAIRS]


def _pair(metrics: Sequence[Verdict], colours: Mapping[str, str]) -> Iterator[Line | _Indented]:
    """What is said of one pair: the first metric, then those that say something else."""
    head, *others = (_better_first(verdict) for verdict in metrics)
    yield Line(Cell(_headline(head, colours)))
    said: dict[tuple[str, str], list[Verdict]] = {}
    for verdict in others:
        if _word(verdict) != _word(head):
            said.setdefault(_word(verdict), []).append(verdict)
    for (word, _), those in said.items():
        won = word == stats.A_BETTER
        name = _name(those[0].a, those[0].cell, colours)
        start = (name, (" is better in ", "")) if won else ((f"{word} in ", ""),)
        yield _Indented(Line(Cell((*start, (words.listed(_metrics(those, sizes=won)), "")))))


def _word(verdict: Verdict) -> tuple[str, str]:
    """What a verdict says: its word, and of whom if that matters."""
    return verdict.verdict, verdict.a if verdict.verdict == stats.A_BETTER else ""


def _better_first(verdict: Verdict) -> Verdict:
    """The same verdict with the better label as a."""
    if verdict.verdict != stats.B_BETTER:
        return verdict
    return replace(
        verdict,
        a=verdict.b,
        b=verdict.a,
        difference=-verdict.difference,
        low=-verdict.high,
        high=-verdict.low,
        p_better=1 - verdict.p_better,
        verdict=stats.A_BETTER,
    )


def _headline(verdict: Verdict, colours: Mapping[str, str]) -> tuple[_Piece, ...]:
    """The verdict on the final loss."""
    a, b = (_name(label, verdict.cell, colours) for label in (verdict.a, verdict.b))
    if verdict.verdict == stats.A_BETTER:
        return a, (" is better than ", ""), b, (f": {_evidence(verdict)}", "")
    both = (a, (" and ", ""), b)
    if not verdict.n:
        return *both, (f": {stats.NO_VERDICT}, {verdict.reason}", "")
    if verdict.verdict == stats.NO_VERDICT:
        return *both, (f": {_too_few(verdict.n)}", "")
    if verdict.ties == verdict.n:
        return *both, (f": {stats.NOT_DISTINGUISHABLE}, {verdict.reason}", "")
    told = f" has {_evidence(verdict)}; {_would_show(verdict)}"
    return *both, (f": {stats.NOT_DISTINGUISHABLE}; ", ""), a, (told, "")


def _name(label: str, cell: str, colours: Mapping[str, str]) -> _Piece:
    """A label in its colour, without the words of its cell."""
    return palette.setting_of(label, cell), colours.get(label, "")


def _evidence(verdict: Verdict) -> str:
    """The size with its interval, p and P(better): what a verdict rests on."""
    size, low, high = (_size(verdict, x) for x in (verdict.difference, verdict.low, verdict.high))
    metric = words.metric(verdict.metric)
    ratio = verdict.unit == stats.LOG_RATIO
    effect = f"{size} times the {metric}" if ratio else f"a {metric} different by {size}"
    numbers = [f"{effect} ({low} to {high})", f"p {words.number(verdict.p_adjusted, 2)}"]
    if verdict.p_adjusted < stats.ALPHA <= verdict.p_together:
        numbers.append(f"over all metrics p {words.number(verdict.p_together, 2)}")
    bound = f", a bound as {verdict.infinite} of {verdict.n} seeds are infinite for one of them"
    share = f"P(better) {100 * verdict.p_better:.0f}%"
    return ", ".join([*numbers, share]) + (bound if verdict.infinite else "")


def _would_show(verdict: Verdict) -> str:
    """What so many seeds would have shown."""
    if math.isinf(verdict.detectable):
        return f"{verdict.n} seeds are too few for so many pairs"
    size = _size(verdict, verdict.detectable).removeprefix("+")
    what = "factor" if verdict.unit == stats.LOG_RATIO else "difference"
    return f"{verdict.n} seeds would have shown a {what} of {size}"


def _size(verdict: Verdict, difference: float) -> str:
    """A difference as one reads it: a factor, percentage points, or a signed number."""
    if verdict.unit == stats.LOG_RATIO:
        # A number too large for a float is as good as infinite.
        return words.number(math.exp(difference) if difference < 700 else math.inf, 3)
    if verdict.metric.endswith("accuracy"):
        return f"{100 * difference:+.2f} points"
    return ("+" if difference > 0 else "") + words.number(difference, 3)


def _metrics(verdicts: Sequence[Verdict], *, sizes: bool) -> list[str]:
    """The metrics of some verdicts, targets that differ in their value together.

    `test accuracy (+0.50 points)`, `steps to test accuracy 0.9 and 0.95 (0.62 and 0.66 times)`.
    """
    kinds: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        kinds.setdefault(verdict.metric.rpartition(" ")[0] or verdict.metric, []).append(verdict)
    return [_kind(name, those, sizes) for name, those in kinds.items()]


def _kind(name: str, verdicts: Sequence[Verdict], sizes: bool) -> str:
    """One metric, or the targets of one kind."""
    values = [verdict.metric.removeprefix(name).strip() for verdict in verdicts]
    named = f"{words.metric(name)} {words.listed(values)}".strip()
    if not sizes:
        return named
    times = " times" if verdicts[0].unit == stats.LOG_RATIO else ""
    told = words.listed([_size(verdict, verdict.difference) for verdict in verdicts])
    return f"{named} ({told}{times})"


@dataclass(frozen=True)
class _Indented:
    """A line that belongs to the one above it."""

    line: Line

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        narrow = options.max_width < _LEAST_WIDTH
        yield self.line if narrow else Padding.indent(self.line, _INDENT)
