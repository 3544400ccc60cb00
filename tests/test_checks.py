"""Recorded trajectories: each is replayed or says why not, and a wrong rule fails."""

from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import fields
from types import MappingProxyType

import mutants
import numpy as np
import pytest
from conftest import ROOT

from adamcli.checks import replay_all
from adamcli.checks.words import NotOfferedError, rule_of
from adamcli.optimizers import RULES, Rule

REFERENCE = ROOT / "tests" / "data" / "trajectories"
INDEX = json.loads((REFERENCE / "index.json").read_text())
CASES = INDEX["cases"]
OUTCOMES = {outcome.id: outcome for outcome in replay_all(REFERENCE)}
OFFERED = [outcome for outcome in OUTCOMES.values() if outcome.status != "not offered"]
PROBLEMS = {"fixed", "edge", "quad", "rosen", "wide", "mild", "quad10"}


def off_by(factor: float, rule_class: type[Rule]) -> type[Rule]:
    """The rule with all its updates scaled."""

    def update(self, grads, state, step):
        return rule_class.update(self, grads, state, step) * factor

    return type("Off", (rule_class,), {"update": update})


# The selection


def test_the_selection_covers_every_problem_and_says_where_it_is_from():
    assert {case["problem"] for case in CASES} == PROBLEMS
    assert len({case["optimizer"] for case in CASES}) == 30
    for case in CASES:
        source = case["source"]
        assert source["version"].split("+")[0] == INDEX["versions"][source["library"]].split("+")[0]
        assert source["call"]
    assert sum(path.stat().st_size for path in REFERENCE.iterdir()) < 500_000


def test_every_recorded_case_has_an_outcome():
    assert list(OUTCOMES) == [case["id"] for case in CASES]
    assert {outcome.status for outcome in OUTCOMES.values()} <= {"pass", "fail", "not offered"}


@pytest.mark.parametrize("outcome", OFFERED, ids=lambda outcome: outcome.id)
def test_an_offered_case_agrees_with_its_library(outcome):
    assert outcome.status == "pass", outcome.reason
    assert outcome.error <= outcome.tolerance
    assert outcome.step >= 1


@pytest.mark.parametrize("name", RULES)
def test_every_rule_that_was_recorded_is_replayed(name):
    if any(case["optimizer"] == name for case in CASES):
        assert any(outcome.optimizer == name for outcome in OFFERED)


def test_a_case_that_is_not_offered_says_why():
    for outcome in OUTCOMES.values():
        assert bool(outcome.reason) == (outcome.status == "not offered")


# A wrong rule fails


@pytest.mark.parametrize("name", sorted({outcome.optimizer for outcome in OFFERED}))
def test_every_case_fails_when_the_rule_is_off_by_a_thousandth(name):
    wrong = {rule: off_by(1.001, rule_class) for rule, rule_class in RULES.items()}
    replayed = [o for o in replay_all(REFERENCE, name, wrong) if o.status != "not offered"]
    assert replayed
    assert {outcome.status for outcome in replayed} == {"fail"}
    assert all(re.match(r"off by .* at step \d+, allowed", o.reason) for o in replayed)


@pytest.mark.parametrize(
    "mutant",
    [
        *(mutants.NoCorrection, mutants.CounterTooHigh, mutants.BetasSwapped, mutants.WrongSign),
        *(mutants.EpsInRoot, mutants.EpsOnRawRoot, mutants.OwnRate, mutants.OneMean),
        *(mutants.Empty, mutants.WritesToGradient, mutants.Raises, mutants.Exits),
    ],
    ids=lambda mutant: mutant.__name__,
)
def test_a_mutant_of_adam_misses_a_recorded_case(mutant):
    statuses = Counter(o.status for o in replay_all(REFERENCE, "adam", {"adam": mutant}))
    assert statuses["fail"]


def test_what_a_rule_raises_is_how_its_case_fails():
    (edge,) = (
        outcome
        for outcome in replay_all(REFERENCE, "adam", {"adam": mutants.Raises})
        if outcome.id == "adam.torch.0.edge"
    )
    assert edge.status == "fail"
    assert edge.reason == "ZeroDivisionError: integer division or modulo by zero"
    assert np.isnan(edge.error)


def test_a_rule_that_becomes_nan_fails():
    (edge, *_) = replay_all(REFERENCE, "adam", {"adam": off_by(np.nan, RULES["adam"])})
    assert edge.status == "fail"
    assert edge.reason.startswith("off by nan at step 1")


# Words


def test_words_of_a_library_become_settings():
    adam = rule_of("adam", {"lr": 1, "betas": [0.8, 0.95], "eps": 1e-4, "decoupled": False})
    assert adam == RULES["adam"](lr=1.0, beta1=0.8, beta2=0.95, eps=1e-4)
    assert isinstance(adam.lr, float)
    rmsprop = rule_of("rmsprop", {"alpha": 0.9, "eps_in_sqrt": True, "initial_scale": 0.5})
    assert rmsprop == RULES["rmsprop"](beta2=0.9, eps_in_root=True, initial=0.5)


@pytest.mark.parametrize(
    ("optimizer", "hyper", "reason"),
    [
        ("nobody", {}, "no rule for nobody"),
        ("sgd", {"momentum": 0.9}, "no setting for momentum: 0.9"),
        ("sgd", {"foreach": None}, "no setting for foreach: None"),
        ("sgdm", {"nesterov": True}, "nesterov: True is not offered, only False"),
        ("adam", {"betas": [0.9]}, "its settings cannot be read"),
        ("adam", {"betas": 0.9}, "its settings cannot be read"),
    ],
)
def test_a_word_without_a_setting_is_never_ignored(optimizer, hyper, reason):
    with pytest.raises(NotOfferedError, match=re.escape(reason)):
        rule_of(optimizer, hyper)


def test_a_rule_that_is_not_there_is_not_offered():
    with pytest.raises(NotOfferedError, match="no rule for adam"):
        rule_of("adam", {}, {"sgd": RULES["sgd"]})


def test_what_a_plugin_has_not_got_must_be_left_out_of_the_case():
    class Few(mutants.Textbook):
        """The hyperparameters of adam without its switches."""

    for each in fields(Few):
        each.metadata = MappingProxyType({"setting": {"kind": float, "doc": ""}})
    assert rule_of("adam", {"lr": 0.1, "weight_decay": 0.0}, {"adam": Few}) == Few(lr=0.1)
    with pytest.raises(NotOfferedError, match=r"no setting for weight_decay: 0\.1"):
        rule_of("adam", {"weight_decay": 0.1}, {"adam": Few})
