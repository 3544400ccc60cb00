"""`claims`: train what written claims need and say which of them hold."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from adamcli.cli import options, output

if TYPE_CHECKING:
    from adamcli.cli.session import Request
    from adamcli.config import Claim
    from adamcli.stats import Judgement
    from adamcli.store import Result

_UNSUPPORTED = 3


def claims(
    files: options.ClaimFiles = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit code 3 unless all claims are supported.")
    ] = False,
    out: options.Out = options.OUTPUTS,
    jobs: options.Jobs = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
    fresh: options.Fresh = False,
) -> None:
    """Test written claims: supported, refuted, undecided or invalid.

    A claim file says which setting beats which, on what metric, by what margin, in which
    experiment. Without FILE all claims that come with adamcli are tested. Experiments are
    trained as by `run`, those that are done already are not trained again; no figures are
    drawn, `adamcli plot RUN` does.

    Example: adamcli claims configs/claims/correction_first_step.yaml
    """
    from adamcli import config as configs
    from adamcli.cli.session import Request
    from adamcli.tables import claims_table

    found = configs.load_claims(files or configs.shipped(configs.CLAIM))
    request = Request(out, options.Workplace(jobs), (), json, quiet, fresh, figures=False)
    judged = _judged(found, request)
    if json:
        output.show_json({"claims": [_document(claim, judgement) for claim, judgement in judged]})
    elif not quiet:
        output.show(claims_table(judged))
    if strict and any(judgement.verdict != "supported" for _, judgement in judged):
        raise typer.Exit(_UNSUPPORTED)


def _judged(claims: Sequence[Claim], request: Request) -> list[tuple[Claim, Judgement]]:
    """Every claim with its judgement; each experiment is carried out once."""
    from adamcli.cli.session import carry_out

    by_experiment: dict[str, list[Claim]] = {}
    for claim in claims:
        by_experiment.setdefault(claim.experiment.directory, []).append(claim)
    judgements: dict[int, Judgement] = {}
    for number, (directory, own) in enumerate(by_experiment.items(), start=1):
        experiment = own[0].experiment
        if not request.silent:
            output.say(f"experiment {number} of {len(by_experiment)}: {directory}")
        result = carry_out(experiment, request, None)
        judgements |= zip(map(id, own), _judgements(own, result), strict=True)
    return [(claim, judgements[id(claim)]) for claim in claims]


def _judgements(claims: Sequence[Claim], result: Result) -> Iterator[Judgement]:
    """What becomes of claims on one experiment."""
    from adamcli import stats

    experiment, histories = result.experiment, result.histories
    outcomes = experiment.tuning.outcomes if experiment.tuning else ()
    verdicts = stats.verdicts(histories) if outcomes else []
    included = stats.audited(verdicts, experiment.inclusions)
    for claim in claims:
        doubts = stats.tuning_doubts(claim.hypothesis, outcomes, included)
        yield stats.judged(claim.hypothesis, experiment.runs, histories, doubts)


def _document(claim: Claim, judgement: Judgement) -> dict[str, Any]:
    """One claim of `claims --json`; effect, low and high are null where there is none."""
    from dataclasses import asdict

    hypothesis, decisive = claim.hypothesis, judgement.decisive
    return {
        "file": claim.file,
        "claim": claim.sentence,
        "verdict": judgement.verdict,
        "effect": decisive.effect if decisive else None,
        "low": decisive.low if decisive else None,
        "high": decisive.high if decisive else None,
        "n": decisive.n if decisive else 0,
        "reason": judgement.reason,
        "a": hypothesis.a,
        "baselines": hypothesis.baselines,
        "metric": hypothesis.aspect.name,
        "wins": hypothesis.wins,
        "horizon": hypothesis.horizon,
        "margin": hypothesis.margin,
        "unit": "factor" if hypothesis.aspect.is_factor else "difference",
        "run": claim.experiment.directory,
        "contests": [asdict(contest) for contest in judgement.contests],
    }
