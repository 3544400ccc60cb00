"""What `check` prints: a row per property of one rule, or a row per rule."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping, Sequence

from rich.console import Group, RenderableType

from adamcli.checks import Finding, Outcome, Tally
from adamcli.tables import words
from adamcli.tables.grid import Cell, Column, Grid, line, stack

_NAME = "bold"
_MARKS = {"pass": ("pass", "green"), "fail": ("fail", "bold red"), "not applicable": ("n/a", "dim")}
_MOST_FAILURES = 20


def properties_table(title: str, findings: Sequence[Finding]) -> RenderableType:
    """Every property of one rule, with a sentence why."""
    marks = [Cell.of(*_MARKS[finding.status]) for finding in findings]
    grid = Grid(
        [
            Column("property", [Cell.of(f.property, _NAME) for f in findings], least=12),
            Column("", marks),
            Column("what was found", [Cell.of(f.reason) for f in findings], least=20),
        ]
    )
    return Group(line(f"{title}: {_counts(findings)}", _NAME), grid)


def rules_table(findings: Mapping[str, Sequence[Finding]]) -> RenderableType:
    """The properties of many rules, one rule per row; what applies to none is not named."""
    rows = list(findings.values())
    telling = {f.property for row in rows for f in row if f.status != "not applicable"}
    named = {
        "fails": [_named(row, "fail", telling) for row in rows],
        "does not apply": [_named(row, "not applicable", telling) for row in rows],
    }
    styles = {"fails": "bold red", "does not apply": "dim"}
    return Grid(
        [
            Column("optimizer", [Cell.of(name, _NAME) for name in findings]),
            *(_numbers(head, [_count(row, head) for row in rows]) for head in ("pass", "fail")),
            *(
                Column(head, [Cell.of(text, styles[head]) for text in texts], least=20, rank=rank)
                for rank, (head, texts) in enumerate(named.items())
                if any(texts)
            ),
        ]
    )


def replay_table(tallies: Sequence[Tally], outcomes: Sequence[Outcome]) -> RenderableType:
    """The recorded cases of one or more optimizers; what failed; what is not offered, and why."""
    parts = [_replays(tallies), *_failures(outcomes), *_reasons(tallies)]
    return stack(*parts, line(_total(tallies), "dim"))


def _replays(tallies: Sequence[Tally]) -> Grid:
    """How many cases each optimizer has, and its worst one."""
    worst = [tally.worst for tally in tallies]
    return Grid(
        [
            Column("optimizer", [Cell.of(tally.optimizer, _NAME) for tally in tallies]),
            _numbers("cases", [tally.cases for tally in tallies]),
            Column("passed", [_passed(tally) for tally in tallies], right=True),
            _numbers("not\noffered", [tally.cases - tally.offered for tally in tallies], 1),
            Column("worst\nerror", [_error(o.error if o else None) for o in worst], 2, right=True),
            Column("absolute", [_error(o.absolute if o else None) for o in worst], 5, right=True),
            Column("in case", [Cell.of(_short(o) if o else "") for o in worst], 3, one_line=True),
            Column("at step", [Cell.of(str(o.step) if o else "") for o in worst], 4, right=True),
        ]
    )


def _failures(outcomes: Sequence[Outcome]) -> Iterator[RenderableType]:
    """The cases that failed, the first of them."""
    failed = [outcome for outcome in outcomes if outcome.status == "fail"]
    if failed:
        shown = failed[:_MOST_FAILURES]
        cases = [Cell.of(outcome.id, "bold red") for outcome in shown]
        yield Grid([Column("failed", cases, least=12), _why([o.reason for o in shown])])
    if len(failed) > _MOST_FAILURES:
        yield line(f"{len(failed) - _MOST_FAILURES} more failed: --json names them", "red")


def _reasons(tallies: Sequence[Tally]) -> Iterator[RenderableType]:
    """Why cases are not offered, one row per optimizer and reason."""
    rows = [(t.optimizer, n, why) for t in tallies for why, n in t.not_offered.items()]
    if rows:
        names, counts, reasons = zip(*rows, strict=True)
        yield Grid(
            [
                Column("not offered", [Cell.of(name, _NAME) for name in names]),
                _numbers("cases", counts),
                _why(reasons),
            ]
        )


def _why(reasons: Sequence[str]) -> Column:
    """A column of reasons."""
    return Column("why", [Cell.of(reason) for reason in reasons], least=20)


def _numbers(head: str, numbers: Sequence[int], rank: int = 0) -> Column:
    """A column of counts."""
    return Column(head, [Cell.of(str(number)) for number in numbers], rank, right=True)


def _passed(tally: Tally) -> Cell:
    """How many of the offered cases passed, in red unless all."""
    style = "bold red" if tally.failed else ""
    return Cell.of(f"{tally.passed} of {tally.offered}" if tally.offered else "", style)


def _error(error: float | None) -> Cell:
    """An error in two digits; nothing where no case is offered."""
    return Cell.of("" if error is None else f"{error:.1e}")


def _short(outcome: Outcome) -> str:
    """A case's name without that of its optimizer, which stands in the same row."""
    return outcome.id.removeprefix(f"{outcome.optimizer}.")


def _total(tallies: Sequence[Tally]) -> str:
    """All cases together."""
    cases, offered = sum(t.cases for t in tallies), sum(t.offered for t in tallies)
    failed = sum(t.failed for t in tallies)
    share = words.percent(offered / cases) if cases else "none"
    text = f"{words.count(cases, 'recorded case')}, {offered} offered ({share}), {failed} failed."
    return f"{text} Error: |a - b| / max(1, |b|)."


def _count(findings: Sequence[Finding], status: str) -> int:
    """How many properties turned out so."""
    return sum(finding.status == status for finding in findings)


def _counts(findings: Sequence[Finding]) -> str:
    """`18 pass, 1 fail, 2 n/a`."""
    return ", ".join(f"{_count(findings, status)} {mark}" for status, (mark, _) in _MARKS.items())


def _named(findings: Sequence[Finding], status: str, telling: Container[str]) -> str:
    """Those of some properties that turned out so."""
    names = [finding.property for finding in findings if finding.status == status]
    return ", ".join(name for name in names if name in telling)
