"""Claims: whether a written statement holds, or why the runs cannot tell.

A claim says that label a beats every baseline b by more than a margin, on every problem. The
advantage is what `verdicts` calls the difference, signed so that positive is in favour of a:
ln(b / a) or b - a where less is better, ln(a / b) or a - b where more is. A margin is a factor
of at least 1 or a difference of at least 0, and is fixed before the runs.

Each baseline on each problem is one comparison, paired by seed. It is ahead if the 95 %
interval of the mean advantage lies wholly beyond the margin and the test agrees, behind if it
lies wholly short of it and the test agrees: the sign-flip test, or for steps to a target the
sign test, of the values with a's handicapped by the margin. Then the claim is

    supported    all comparisons are ahead. Each is tested at 0.05 without adjustment, as all
                 have to be significant (an intersection-union test: Berger, Multiparameter
                 Hypothesis Testing and Acceptance Sampling, 1982)
    refuted      some comparison is behind, its p adjusted by Holm over all of them: a is not
                 better by the margin, or is worse
    undecided    neither: some interval contains the margin, or a test is not significant
    invalid      the runs cannot tell: some are missing or failed, fewer than 6 seeds, a metric
                 that a run has not, or a verdict that rests on a label that is under-tuned:
                 support on a baseline, refutation on a

A diverged run counts as the worst, as in `verdicts`. The p of different claims are not
adjusted for each other.

How often claims that lie exactly on their margin are called supported and refuted, in percent
of 1000 experiments with 20 seeds (standard error 0.5 at 2.5 %), as
`tests/benchmarks/coverage.py` printed it: a lower final loss by a factor of 1 and of 1.2, and
fewer steps to an accuracy. With more labels, the others are all baselines:

                                   loss        by 1.2         steps
    paired                          1.7    3.2    1.8    3.1    1.2    1.1
    paired, 3 labels                0.6    3.2    0.6    3.2    0.1    0.7
    paired, 5 labels                0.0    2.7    0.0    2.7    0.0    1.5
    unpaired                        2.7    2.1    2.8    1.9    1.0    1.2
    unpaired, 3 labels              0.2    2.3    0.2    2.3    0.1    0.6
    heavy-tailed                    2.6    2.3    2.6    2.1    0.6    1.0
    skewed                          2.4    2.4    2.4    2.4    0.9    0.9
    one run in ten diverges         1.9    2.3    1.9    2.3    1.2    1.1
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Protocol

from adamcli.palette import setting_of
from adamcli.stats.aspects import Recorded
from adamcli.stats.bootstrap import RESAMPLES
from adamcli.stats.contests import Contest, Hypothesis, contests_of, unmeasured, values_of
from adamcli.stats.judging import ALPHA, MIN_SEEDS
from adamcli.stats.tuning import Inclusion, Tuned

SUPPORTED = "supported"
REFUTED = "refuted"
UNDECIDED = "undecided"
INVALID = "invalid"


class Planned(Protocol):
    """A run that should be there."""

    @property
    def label(self) -> str:
        """Which setting, with the words of its cell."""
        ...

    @property
    def cell(self) -> str:
        """Which problem."""
        ...

    @property
    def seed(self) -> int:
        """Which random numbers."""
        ...


@dataclass(frozen=True)
class Judgement:
    """What became of a claim.

    Attributes:
        verdict: `SUPPORTED`, `REFUTED`, `UNDECIDED` or `INVALID`.
        reason: why, in one sentence.
        decisive: the contest that decides, the worst for the claim among those that matter;
            None where nothing could be compared.
        contests: all of them.
    """

    verdict: str
    reason: str
    decisive: Contest | None = None
    contests: tuple[Contest, ...] = ()


def judged(
    hypothesis: Hypothesis,
    planned: Iterable[Planned],
    histories: Iterable[Recorded],
    under_tuned: Mapping[tuple[str, str], str] | None = None,
    resamples: int = RESAMPLES,
) -> Judgement:
    """Whether a hypothesis holds.

    Args:
        hypothesis: fixed before the runs.
        planned: the runs that there should be, of these labels and of others.
        histories: those that there are; their order decides no number.
        under_tuned: why labels may be badly tuned, by problem and label, see `tuning_doubts`.
        resamples: of the bootstrap.
    """
    labels = {hypothesis.a, *hypothesis.baselines}
    wanted = {(run.label, run.seed) for run in planned if _setting(run) in labels}
    there = {(run.label, run.seed): run for run in histories if _setting(run) in labels}
    problem = _incomplete(wanted, there)
    if problem:
        return Judgement(INVALID, problem)
    groups = [[*group] for group in _by_cell(there.values()).values()]
    tables = [values_of(hypothesis, group) for group in groups]
    problem = next(filter(None, (unmeasured(hypothesis, table) for table in tables)), "")
    if problem:
        return Judgement(INVALID, problem)
    contests = contests_of(hypothesis, groups, tables, resamples)
    return _verdict(hypothesis, contests, under_tuned or {})


def _setting(run: Planned) -> str:
    """The label of a run without the words of its cell."""
    return setting_of(run.label, run.cell)


def _by_cell(runs: Iterable[Recorded]) -> dict[str, list[Recorded]]:
    """Runs by problem."""
    cells: dict[str, list[Recorded]] = {}
    for run in runs:
        cells.setdefault(run.cell, []).append(run)
    return cells


def _incomplete(wanted: Set[tuple[str, int]], there: Mapping[tuple[str, int], Recorded]) -> str:
    """What is missing of the runs, named by label and seed; empty if nothing is."""
    missing = len(wanted - there.keys())
    if missing or not wanted:
        return f"{missing} of {len(wanted)} runs are missing"
    failed = sum(run.status == "failed" for run in there.values())
    return f"{failed} of {len(wanted)} runs failed" if failed else ""


def tuning_doubts(
    hypothesis: Hypothesis, outcomes: Iterable[Tuned], included: Iterable[Inclusion]
) -> dict[tuple[str, str], str]:
    """Why labels may be under-tuned, by problem and label without the words of a cell.

    The best value at an edge of the space speaks against any label: it may be better outside.
    A label that loses to a special case of itself is a doubtful baseline. But who claims that
    a is better, at a budget that is the same for all, has to show that it can be tuned.

    Args:
        outcomes: what tuning chose.
        included: labels that lose to one that they contain.
    """
    doubts = {
        (each.cell, each.label): f"its best {key} is at the {end} edge of what was tried"
        for each in outcomes
        for key, end in each.edges.items()
    }
    for each in included:
        label = setting_of(each.label, each.cell)
        if label != hypothesis.a:
            contained = setting_of(each.contains, each.cell)
            doubts[each.cell, label] = f"it loses to {contained}, which it contains"
    return doubts


def _verdict(
    hypothesis: Hypothesis,
    contests: Sequence[Contest],
    under_tuned: Mapping[tuple[str, str], str],
) -> Judgement:
    """The verdict that the contests carry."""
    fewest = min(contests, key=lambda contest: contest.n)
    if fewest.n < MIN_SEEDS:
        seeds = "1 seed" if fewest.n == 1 else f"{fewest.n} seeds"
        reason = f"{seeds}: below {MIN_SEEDS} no test can give p < {ALPHA}"
        return Judgement(INVALID, reason, fewest, tuple(contests))
    behind = [each for each in contests if _is_behind(each, hypothesis.margin)]
    doubtful = [each for each in contests if not _is_ahead(each, hypothesis.margin)]
    word = REFUTED if behind else UNDECIDED if doubtful else SUPPORTED
    deciding = sorted(behind or doubtful or contests, key=lambda contest: contest.effect)
    blames = [_blame(hypothesis, word, each, under_tuned) for each in deciding]
    sound = [each for each, blame in zip(deciding, blames, strict=True) if not blame]
    # One sound contest refutes; support needs all of them to be sound.
    if not sound or (word == SUPPORTED and any(blames)):
        reason = next(filter(None, blames))
        return Judgement(INVALID, reason, deciding[blames.index(reason)], tuple(contests))
    reason = "; ".join(_reasons(hypothesis, word, sound[0], len(contests)))
    return Judgement(word, reason, sound[0], tuple(contests))


def _blame(
    hypothesis: Hypothesis,
    word: str,
    contest: Contest,
    under_tuned: Mapping[tuple[str, str], str],
) -> str:
    """What is wrong with the label on which a verdict rests in a contest; empty if nothing."""
    label = {SUPPORTED: contest.b, REFUTED: hypothesis.a}.get(word, "")
    why = under_tuned.get((contest.cell, label), "")
    where = f" on {contest.cell}" if contest.cell else ""
    return f"{word}, but {label} is under-tuned{where}: {why}" if why else ""


def _is_ahead(contest: Contest, margin: float) -> bool:
    """Whether a is better by more than the margin."""
    return contest.low > margin and contest.p < ALPHA and contest.p_better > 0.5


def _is_behind(contest: Contest, margin: float) -> bool:
    """Whether a is not better by the margin."""
    return contest.high < margin and contest.p_adjusted < ALPHA and contest.p_better < 0.5


def _reasons(hypothesis: Hypothesis, word: str, decisive: Contest, contests: int) -> Iterator[str]:
    """Why, in phrases."""
    if word == SUPPORTED:
        weakest = f", weakest of {contests} against {decisive.name}" if contests > 1 else ""
        yield f"the interval is beyond the margin{weakest}"
    elif word == REFUTED:
        worse = decisive.high < (1.0 if hypothesis.aspect.is_factor else 0.0)
        short = f"the advantage over {decisive.name} is short of the margin"
        yield f"{decisive.name} is better" if worse else short
    else:
        yield f"against {decisive.name} {_doubt(hypothesis, decisive)}"
    yield f"p {decisive.p_adjusted if word == REFUTED else decisive.p:.2g}"
    if decisive.infinite:
        yield f"a bound, as {decisive.infinite} of {decisive.n} seeds are infinite for one label"


def _doubt(hypothesis: Hypothesis, contest: Contest) -> str:
    """What speaks against any verdict on a contest."""
    if contest.low <= hypothesis.margin <= contest.high:
        return "the interval contains the margin"
    beyond = contest.low > hypothesis.margin
    if beyond == (contest.p_better > 0.5):
        return f"the interval is {'beyond' if beyond else 'short of'} the margin, the test is not"
    return "the mean and most of the seeds disagree"
