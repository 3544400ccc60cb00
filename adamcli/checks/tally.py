"""Outcomes of recorded cases counted per optimizer."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from adamcli.checks.properties import Finding
from adamcli.checks.replay import Outcome
from adamcli.checks.subject import Subject, Verdict, does_not_apply, fails, passes


@dataclass(frozen=True)
class Tally:
    """What became of the recorded cases of one optimizer.

    Attributes:
        optimizer: as the cases name it.
        cases: how many there are.
        passed, failed: of those that are offered.
        not_offered: how many are not, by the reason.
        worst: the offered case that failed, or else was off, the most; None if none is offered.
    """

    optimizer: str
    cases: int
    passed: int
    failed: int
    not_offered: dict[str, int]
    worst: Outcome | None

    @property
    def offered(self) -> int:
        """How many cases were replayed."""
        return self.passed + self.failed


def tally(outcomes: Iterable[Outcome]) -> list[Tally]:
    """The outcomes of each optimizer, in the order in which they come."""
    groups: dict[str, list[Outcome]] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.optimizer, []).append(outcome)
    return [_tally(optimizer, group) for optimizer, group in groups.items()]


def recorded_trajectories(
    subject: Subject, outcomes: Sequence[Outcome], *, reference: bool
) -> Finding:
    """Whether a rule agrees with the recorded cases of the rule that it is or claims to be.

    Args:
        subject: the rule.
        outcomes: of those cases.
        reference: whether there was a folder of them at all.
    """
    verdict = _agreement(subject, outcomes, reference=reference)
    return Finding(subject.name, "recorded trajectories", verdict.status, verdict.reason)


def _agreement(subject: Subject, outcomes: Sequence[Outcome], *, reference: bool) -> Verdict:
    """Whether the offered cases pass."""
    if subject.like is None:
        return does_not_apply('no claim: like = "adam" in the class would be one')
    if not reference:
        return does_not_apply("not replayed; give --reference DIR")
    if not outcomes:
        return does_not_apply(f"none is recorded for {subject.like}")
    (counts,) = tally(outcomes)
    if counts.worst is None:
        return does_not_apply(f"none of {counts.cases} cases is offered")
    agree = f"{counts.passed} of {counts.offered} cases agree, worst {counts.worst.error:.1e}"
    return fails(agree) if counts.failed else passes(agree)


def _tally(optimizer: str, outcomes: Sequence[Outcome]) -> Tally:
    """The outcomes of one optimizer, counted."""
    status = Counter(outcome.status for outcome in outcomes)
    offered = [outcome for outcome in outcomes if outcome.status != "not offered"]
    return Tally(
        optimizer,
        cases=len(outcomes),
        passed=status["pass"],
        failed=status["fail"],
        not_offered=dict(Counter(o.reason for o in outcomes if o.status == "not offered")),
        worst=max(offered, key=_badness, default=None),
    )


def _badness(outcome: Outcome) -> tuple[bool, float]:
    """By what the worst case is found: failed before passed, NaN before any error."""
    return outcome.status == "fail", math.inf if math.isnan(outcome.error) else outcome.error
