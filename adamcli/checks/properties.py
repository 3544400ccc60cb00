"""What must hold of a rule, and what it is like: one row per property.

A property is a function of a `Subject` that says pass, fail or not applicable, and why. It
fails where the rule breaks what every rule owes, or what it claims itself; a property that
a rule need not have, and has not got, is not applicable.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from adamcli.checks import character, contract, form
from adamcli.checks.bench import ContractError
from adamcli.checks.subject import Status, Subject, Verdict, does_not_apply, fails
from adamcli.checks.world import undisturbed
from adamcli.optimizers import RULES

Property = Callable[[Subject], Verdict]

CONTRACT: dict[str, Property] = {
    "shapes and dtypes": contract.shapes_and_dtypes,
    "inputs untouched": contract.inputs_untouched,
    "deterministic": contract.deterministic,
    "rows independent": contract.rows_independent,
    "learning rate": contract.learning_rate,
    "zero state at first": contract.zero_state,
    "zero gradient": contract.zero_gradient,
    "descends": character.descends,
}
CHARACTER: dict[str, Property] = {
    "scale invariance": character.scale_invariance,
    "translation": character.translation_invariance,
    "sign symmetry": character.sign_symmetry,
    "per coordinate": character.per_coordinate,
    "float32": character.float32,
    "huge, tiny gradients": character.huge_and_tiny,
    "weight decay": character.weight_decay,
}
ADAM: dict[str, Property] = {
    "constant gradient": form.constant_gradient,
    "single gradient": form.single_gradient,
    "place of eps": form.place_of_eps,
}
CLAIMED: dict[str, Property] = {"same steps": form.same_steps}
COST: dict[str, Property] = {"cost per step": character.cost_per_step}


@dataclass(frozen=True)
class Finding:
    """One property of one rule.

    Attributes:
        optimizer: the rule's name.
        property: what was looked at.
        status: `pass`, `fail` or `not applicable`.
        reason: a sentence why.
    """

    optimizer: str
    property: str
    status: Status
    reason: str


def properties_of(subject: Subject) -> dict[str, Property]:
    """The properties that are looked at in a rule, by name."""
    claimed = subject.like is not None and subject.rule_class is not RULES[subject.like]
    return {
        **CONTRACT,
        **CHARACTER,
        **(ADAM if subject.is_adam else {}),
        **(CLAIMED if claimed else {}),
        **COST,
    }


def examine(subject: Subject) -> Iterator[Finding]:
    """Look at one property after another.

    What a rule raises, and what it returns that is no update, is how a property fails. The
    properties that cannot be told for the same reason are not applicable.
    """
    failed: dict[str, str] = {}
    for name, look in properties_of(subject).items():
        with undisturbed():
            verdict = _verdict(look, subject, failed)
        if verdict.status == "fail":
            failed.setdefault(verdict.reason, name)
        yield Finding(subject.name, name, verdict.status, verdict.reason)


def _verdict(look: Property, subject: Subject, failed: Mapping[str, str]) -> Verdict:
    """What a property is, whatever the rule does.

    Args:
        failed: the properties that have failed, by the reason.
    """
    try:
        return look(subject)
    except ContractError as error:
        reason, cause = str(error), next(iter(failed.values()), None)
    except (Exception, SystemExit) as error:
        reason = f"{type(error).__name__}: {error}{_place(error, subject)}"
        cause = failed.get(reason)
    return does_not_apply(f"cannot be told, see {cause}") if cause else fails(reason)


def _place(error: BaseException, subject: Subject) -> str:
    """Where in the rule's own file an exception came from: ` (my_opt.py:12)`."""
    path = getattr(sys.modules.get(subject.rule_class.__module__), "__file__", None)
    lines = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == path]
    return f" ({Path(path).name}:{lines[-1]})" if path and lines else ""
