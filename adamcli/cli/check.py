"""`check`: whether an optimizer is right, built in or one's own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from adamcli.cli import options, output

if TYPE_CHECKING:
    from adamcli.checks import Finding, Outcome, Subject

FAILED = 3


def check(
    name: options.RuleOrFile = None,
    every: options.EveryRule = False,
    reference: options.Reference = None,
    json: options.Json = False,
    quiet: options.Quiet = False,
) -> None:
    """Check whether an optimizer is right: its properties and recorded trajectories.

    Each property passes, fails, or is not applicable, which is no fault. A class of your own
    that is meant to be a built-in rule says like = "adam" (a ClassVar) and is held to its
    formula and its trajectories. The exit code is 3 if anything fails.

    Example: adamcli check adam
    """
    from adamcli.checks import undisturbed

    subjects = _subjects(name, every)
    with undisturbed():
        outcomes = _outcomes(subjects, reference, every)
        findings = {each.name: _findings(each, outcomes, reference) for each in subjects}
    if json:
        output.show_json(_document(findings, outcomes))
    elif not quiet:
        _show(subjects, findings, outcomes)
        _hint(subjects)
    found: chain[Outcome | Finding] = chain(outcomes, *findings.values())
    if any(each.status == "fail" for each in found):
        raise typer.Exit(FAILED)


def _subjects(name: str | None, every: bool) -> list[Subject]:
    """The rules that a command line names."""
    from adamcli.checks import built_in
    from adamcli.errors import UsageError
    from adamcli.optimizers import RULES
    from adamcli.text import quoted, suggestion

    if (name is None) != every:
        what = "a name and --all do not go together" if every else "nothing to check"
        fix = "give the name of an optimizer, a Python file, or --all"
        raise UsageError(what, where="adamcli check", fix=fix)
    if name is None:
        return [built_in(rule) for rule in RULES]
    if name in RULES:
        return [built_in(name)]
    if Path(name).suffix == ".py" or len(Path(name).parts) > 1:
        return [_plugin(Path(name))]
    fix = suggestion(name, RULES)
    raise UsageError(f"no optimizer {quoted(name)}", where="adamcli check", fix=fix)


def _plugin(path: Path) -> Subject:
    """The rule in a file, and what it claims to be."""
    from adamcli import plugins
    from adamcli.checks import Subject, claim
    from adamcli.errors import UsageError
    from adamcli.optimizers import RULES
    from adamcli.text import safe, suggestion

    plugin = plugins.load(path)
    like = claim(plugin.rule_class)
    if like is not None and like not in RULES:
        what = f"like = {safe(repr(like), 80)} names no built-in optimizer"
        raise UsageError(what, where=str(path), fix=suggestion(str(like), RULES))
    return Subject(plugin.name, plugin.rule_class, like, takes_columns=False)


def _outcomes(subjects: Sequence[Subject], reference: Path | None, every: bool) -> list[Outcome]:
    """What became of the recorded cases: all of them, or those of one rule."""
    from adamcli.checks import replay_all

    if reference is None:
        return []
    if every:
        return list(replay_all(reference))
    (subject,) = subjects
    if subject.like is None:
        return []
    return list(replay_all(reference, subject.like, {subject.like: subject.rule_class}))


def _findings(
    subject: Subject, outcomes: Sequence[Outcome], reference: Path | None
) -> list[Finding]:
    """The properties of a rule, its agreement with recorded cases among them."""
    from adamcli.checks import examine, recorded_trajectories

    own = [outcome for outcome in outcomes if outcome.optimizer == subject.like]
    agreement = recorded_trajectories(subject, own, reference=reference is not None)
    return [*examine(subject), agreement]


def _document(
    findings: Mapping[str, Sequence[Finding]], outcomes: Sequence[Outcome]
) -> dict[str, Any]:
    """What `check --json` prints."""
    keys = ("id", "optimizer", "status", "error", "tolerance", "reason")
    return {
        "cases": [{key: getattr(outcome, key) for key in keys} for outcome in outcomes],
        "properties": [asdict(finding) for each in findings.values() for finding in each],
    }


def _show(
    subjects: Sequence[Subject],
    findings: Mapping[str, Sequence[Finding]],
    outcomes: Sequence[Outcome],
) -> None:
    """The tables of what was found."""
    from adamcli.checks import tally
    from adamcli.tables import properties_table, replay_table, rules_table, stack

    if len(subjects) == 1:
        (subject,) = subjects
        parts = [properties_table(_title(subject), findings[subject.name])]
    else:
        parts = [rules_table(findings)]
    if outcomes:
        parts.append(replay_table(tally(outcomes), outcomes))
    output.show(stack(*parts))


def _hint(subjects: Sequence[Subject]) -> None:
    """What a class of one's own is held to where it has not said so itself."""
    for each in subjects:
        if (
            each.like is not None
            and each.name != each.like
            and not hasattr(each.rule_class, "like")
        ):
            output.say(
                f"{each.name} has the hyperparameters of {each.like} and is held to its formula; "
                "if it is meant to be another rule, say like = None in the class (a ClassVar)"
            )


def _title(subject: Subject) -> str:
    """A rule's name, and for one's own what it is held to."""
    own = subject.like is not None and subject.name != subject.like
    return f"{subject.name}, held to {subject.like}" if own else subject.name
