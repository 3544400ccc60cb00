# ruff: noqa: E501  (a bug and what must be said of it stand in one line)
"""The checker itself: right rules are green, and every seeded bug turns the row that it should."""

from __future__ import annotations

import inspect
import os
import sys
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import mutants
import numpy as np
import pytest
from mutants import Textbook
from stacks import SETTINGS

from adamcli.checks import Subject, built_in, claim, examine
from adamcli.checks.bench import gradients, start, walk
from adamcli.checks.properties import ADAM, CHARACTER, CLAIMED, CONTRACT, COST
from adamcli.checks.subject import columns, learning_rates, variants
from adamcli.optimizers import RULES
from adamcli.optimizers.adam import Adam
from adamcli.optimizers.passes import less_decay
from adamcli.optimizers.sgd import SGDM
from adamcli.settings import setting

EVERY = {**CONTRACT, **CHARACTER, **ADAM, **CLAIMED, **COST}

# Which rows a mutant must turn red, and what they must say; others may turn with them.
BUGS: dict[type, dict[str, str]] = {
    mutants.NoCorrection: {"constant gradient": "3.162 lr long, not 1: the bias correction is missing"},
    mutants.CounterTooHigh: {"constant gradient": "0.7441 lr long, not 1: the step counter is one too high"},
    mutants.CounterTooLow: {"constant gradient": "step 2 is 1.344 lr long, not 1"},
    mutants.CounterFromZero: {"shapes and dtypes": "ZeroDivisionError: float division by zero (mutants.py:"},
    mutants.BetasSwapped: {"single gradient": "beta1 and beta2 are swapped"},
    mutants.BetasFixed: {"single gradient": "step 2 is 0.6701 lr long, not 0.4843"},
    mutants.EpsInRoot: {"place of eps": "0.03161 lr long, not 0.5: eps is under the root"},
    mutants.EpsOnRawRoot: {"place of eps": "0.03065 lr long, not 0.5: eps is added to the root of the raw v"},
    mutants.NoEps: {"zero gradient": "a gradient of 0 makes it NaN", "place of eps": "not 0.5"},
    mutants.WrongSign: {"descends": "the loss of a convex quadratic rises at every lr"},
    mutants.OwnRate: {"learning rate": "it uses its own lr, not step.lr"},
    mutants.DecayInGradient: {"weight decay": "coupled, should be decoupled"},
    mutants.DecayAfterMove: {"weight decay": "decoupled, after the move, should be decoupled"},
    mutants.DecayWithoutRate: {"weight decay": "of a form of its own, should be decoupled"},
    mutants.NoDecay: {"weight decay": "without effect, should be decoupled"},
    mutants.SharedBetweenRows: {"rows independent": "row 1 differs alone and stacked (float64)"},
    mutants.SharedBetweenRuns: {
        "deterministic": "the same run again gives other numbers",
        "zero state at first": "slot m is shared between runs",
    },
    mutants.CountsByItself: {"deterministic": "a copy of its slots leads elsewhere"},
    mutants.Broadcast: {"shapes and dtypes": "(3, 1), the parameters (3, 9), and would silently be broadcast"},
    mutants.Forgetful: {"shapes and dtypes": "update returns None where it must return an array"},
    mutants.OneSlotForAllRuns: {"shapes and dtypes": "slot m is (9,) where a row per run comes first"},
    mutants.Widened: {"shapes and dtypes": "the update is float64, the parameters float32"},
    mutants.Narrowed: {"float32": "loses digits: off by 4.6e-04 of a step from float64, unlike adam"},
    mutants.WritesToGradient: {"inputs untouched": "it writes to the gradient"},
    mutants.WritesToStart: {"inputs untouched": "it writes to theta"},
    mutants.KeepsGradient: {"inputs untouched": "slot v is the array of the gradient, which changes"},
    mutants.SeedsNumPy: {"inputs untouched": "NumPy's random state is changed"},
    mutants.ReadsScratch: {"shapes and dtypes": "step 1 is NaN, on gradients of ordinary size"},
    mutants.Noisy: {"deterministic": "the same run again gives other numbers"},
    mutants.Empty: {"zero state at first": "slot m is not the same after each init: is it np.empty?"},
    mutants.StartsAtOne: {"zero state at first": "at the start v is 1"},
    mutants.OneMean: {"per coordinate": "no: all parameters move together, unlike adam"},
    mutants.Lopsided: {"sign symmetry": "-g from -theta is not the mirror image of g"},
    mutants.FourthPower: {"huge, tiny gradients": "not finite at gradients of 1e150 (float64)"},
    mutants.Relative: {"translation": "the steps depend on where theta is, unlike adam"},
    mutants.Unscaled: {"scale invariance": "1024 g moves 1024 times as far as g, unlike adam"},
    mutants.Dampened: {"same steps": "with dampening 0.1: off by 0.0129 from sgdm"},
    mutants.Raises: {"shapes and dtypes": "integer division or modulo by zero (mutants.py:"},
    mutants.Exits: {"shapes and dtypes": "SystemExit: 0 (mutants.py:"},
}  # fmt: skip


def likeness(mutant: type) -> str:
    """What a mutant claims to be: the rule that it is a copy of."""
    return next(name for name in ("adamw", "sgdm", "adam") if RULES[name] in mutant.mro())


@lru_cache
def rows(subject: Subject) -> dict[str, tuple[str, str]]:
    """Every property's status and reason."""
    return {finding.property: (finding.status, finding.reason) for finding in examine(subject)}


def red(subject: Subject) -> set[str]:
    """The properties that fail."""
    return {name for name, (status, _) in rows(subject).items() if status == "fail"}


@pytest.mark.parametrize("name", RULES)
def test_no_property_of_a_built_in_rule_fails(name):
    found = rows(built_in(name))
    assert {n: row for n, row in found.items() if row[0] == "fail"} == {}
    assert CONTRACT.keys() | CHARACTER.keys() | COST.keys() <= found.keys()


@pytest.mark.parametrize("name", ["adam", "adamw"])
def test_everything_holds_for_adam(name):
    assert {status for status, _ in rows(built_in(name)).values()} == {"pass"}
    assert ADAM.keys() <= rows(built_in(name)).keys()


def test_adam_as_one_writes_it_first_is_held_to_adam_and_right():
    subject = Subject("mine", Textbook, claim(Textbook), takes_columns=False)
    found = rows(subject)
    assert subject.like == "adam"
    assert {n for n, (status, _) in found.items() if status != "pass"} == {"weight decay"}
    assert found["weight decay"] == ("not applicable", "it has no weight_decay")
    assert found["same steps"][0] == "pass"


@pytest.mark.parametrize("mutant", BUGS, ids=lambda m: m.__name__)
def test_a_seeded_bug_turns_its_row_red(mutant):
    found = rows(Subject("mutant", mutant, likeness(mutant)))
    for row, sentence in BUGS[mutant].items():
        assert found[row][0] == "fail"
        assert sentence in found[row][1]


def test_every_mutant_is_tried_and_every_property_was_seen_to_fail():
    classes = {c for c in vars(mutants).values() if inspect.isclass(c)}
    own = {c for c in classes if c.__module__ == "mutants" and c not in (Textbook, mutants.Copy)}
    assert own == BUGS.keys()
    assert {row for turned in BUGS.values() for row in turned} == EVERY.keys() - COST.keys()


def test_state_beside_the_slots_shows_only_when_a_run_is_taken_up_again():
    assert red(Subject("mutant", mutants.CountsByItself, "adam")) == {"deterministic"}


def test_what_a_rule_raises_is_said_once_with_its_line():
    found = rows(Subject("mutant", mutants.Raises, "adam"))
    line = inspect.getsourcelines(mutants.Raises)[1] + 4
    message = f"ZeroDivisionError: integer division or modulo by zero (mutants.py:{line})"
    assert found["shapes and dtypes"] == ("fail", message)
    assert found["descends"] == ("not applicable", "cannot be told, see shapes and dtypes")
    assert red(Subject("mutant", mutants.Raises, "adam")) == {"shapes and dtypes"}


def test_a_rule_that_claims_nothing_is_not_held_to_adam():
    found = rows(Subject("mutant", mutants.EpsInRoot, None))
    assert "place of eps" not in found
    assert "same steps" not in found
    assert {status for status, _ in found.values()} == {"pass"}


def test_what_a_rule_need_not_be_is_not_applicable():
    sgd, rmsprop = rows(built_in("sgd")), rows(built_in("rmsprop"))
    assert sgd["scale invariance"] == (
        "not applicable", "not invariant: 1024 g moves 1024 times as far as g",
    )  # fmt: skip
    assert rmsprop["scale invariance"][0] == "pass"
    assert sgd["zero state at first"] == ("pass", "there is no state")
    assert sgd["weight decay"] == ("pass", "decoupled and coupled")


def test_a_claim_is_made_by_like_or_by_the_hyperparameters():
    @dataclass(frozen=True, kw_only=True)
    class Plain(Textbook):
        """The hyperparameters of adam."""

    @dataclass(frozen=True, kw_only=True)
    class Decaying(Textbook):
        """Decays by default."""

        weight_decay: float = 0.01

    @dataclass(frozen=True, kw_only=True)
    class MyAdamW(Textbook):
        """Its name says so."""

        weight_decay: float = 0.0

    @dataclass(frozen=True, kw_only=True)
    class Decoupled(Textbook):
        """Its steps say so."""

        weight_decay: float = 0.0

        def update(self, grads, state, step):
            update = Textbook.update(self, grads, state, step)
            return less_decay(update, self.weight_decay, step)

    @dataclass(frozen=True, kw_only=True)
    class Broken(Decoupled):
        """Says nothing."""

        def update(self, grads, state, step):
            raise SystemExit

    @dataclass(frozen=True, kw_only=True)
    class Other(Textbook):
        """One more hyperparameter."""

        gamma: float = 0.5

    @dataclass(frozen=True, kw_only=True)
    class Free(Textbook):
        """Meant to be something else."""

        like: ClassVar[str | None] = None

    @dataclass(frozen=True, kw_only=True)
    class Sure(Other):
        """Says what it is."""

        like: ClassVar[str | None] = "sgdm"

    assert [claim(each) for each in (Plain, Broken)] == ["adam", "adam"]
    assert [claim(each) for each in (Decaying, MyAdamW, Decoupled)] == ["adamw"] * 3
    assert [claim(each) for each in (Other, Free, Sure)] == [None, None, "sgdm"]


def test_a_claim_to_be_another_rule_is_held_to_its_steps():
    assert red(Subject("mine", SGDM, "sgdm")) == set()
    wrong = rows(Subject("mine", RULES["nesterov"], "sgdm"))
    assert wrong["same steps"][0] == "fail"
    assert {n for n, (status, _) in wrong.items() if status == "fail"} == {"same steps"}


def test_what_a_rule_prints_and_does_to_python_does_not_outlast_the_check(capsys, tmp_path):
    class Loud(Adam):
        """Talks, moves and changes how NumPy treats errors."""

        def update(self, grads, state, step):
            print("hello")
            print("\x1b[31m", file=sys.stderr)
            os.chdir(tmp_path)
            os.environ["LOUD"] = "1"
            np.seterr(all="raise")
            return Adam.update(self, grads, state, step)

    before = os.getcwd(), np.geterr(), dict(os.environ)
    found = rows(Subject("loud", Loud, "adam"))
    assert (os.getcwd(), np.geterr(), dict(os.environ)) == before
    assert capsys.readouterr() == ("", "")
    assert found["inputs untouched"] == ("fail", "NumPy's error handling is changed")


def test_a_rule_that_takes_one_run_at_a_time_need_not_stack():
    class Alone(Adam):
        """Cannot be stacked."""

        alone: ClassVar[bool] = True

    assert rows(Subject("alone", Alone, "adam"))["rows independent"][0] == "not applicable"


def test_every_property_has_one_line_that_says_what_it_is():
    for look in EVERY.values():
        assert look.__doc__
        assert "\n" not in look.__doc__
        assert len(look.__doc__) < 100


def test_variants_try_every_switch_choice_and_end_of_a_search():
    @dataclass(frozen=True, kw_only=True)
    class Settings(Textbook):
        """All kinds of settings."""

        lr: float = setting(0.1, "", gt=0)
        rho: float = setting(0.0, "", ge=0, lt=1)
        big: float = setting(0.0, "", ge=0)
        low: float = setting(-0.8, "", lt=0)
        on: bool = setting(True, "")
        word: str = setting("a", "", choices=("a", "b"))
        maybe: float | None = setting(None, "", kind=float, gt=1, optional=True)
        often: float | None = setting(0.5, "", kind=float, optional=True)
        count: int = setting(3, "")

    subject = Subject("mine", Settings, None)
    texts = [text for text, _ in variants(subject)]
    assert texts == [
        "",
        *("with rho 0.1: ", "with big 0.1: ", "with on false: ", "with word b: "),
        *("with maybe 1.5: ", "with often null: "),
    ]
    assert [s.rho for s in columns(subject, 3)] == pytest.approx([0.1, 0.09, 0.08])
    assert all(rule.low < 0 and rule.maybe is None for rule in columns(subject, 3))
    assert learning_rates(subject)[0] == 0.1
    assert min(learning_rates(subject)) == pytest.approx(1e-4)


def test_the_bench_shows_each_rule_what_the_training_loop_would():
    for name in SETTINGS:
        once = walk(RULES[name](), gradients(), start())
        assert once.params.shape == (9, 3, 9)
        np.testing.assert_array_equal(once.params[0] + once.updates[0], once.params[1])
