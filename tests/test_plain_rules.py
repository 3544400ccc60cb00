"""Every rule against a second, plain writing of it."""

from __future__ import annotations

import numpy as np
import plain_rules
import pytest
from stacks import SETTINGS

from adamcli.layout import Layout
from adamcli.optimizers import RULES, Step

LAYOUT = Layout.of({"W": (4, 3), "b": (3,), "V": (2, 5)})
NO_PLAIN_FORM = {"soap", "sophia"}
"""Eigenbases and a Hessian: the recorded trajectories are their second opinion."""


def test_every_rule_but_two_has_a_plain_form():
    assert RULES.keys() - plain_rules.PLAIN.keys() <= NO_PLAIN_FORM


@pytest.mark.parametrize("decay", [0.0, 0.1])
@pytest.mark.parametrize("name", [name for name in RULES if name in plain_rules.PLAIN])
def test_rule_equals_its_plain_form(name, decay):
    fields = RULES[name].__dataclass_fields__
    settings = SETTINGS[name] | ({"weight_decay": decay} if "weight_decay" in fields else {})
    rule = RULES[name](**settings)
    rng = np.random.default_rng(3)
    params = rng.normal(size=(2, LAYOUT.size))
    gradients = rng.normal(size=(30, 2, LAYOUT.size)) * rng.choice([1e-3, 1, 30], size=(30, 1, 1))
    gradients[7], gradients[:, :, 5] = 0, 0
    plain, plain_state = params.copy(), {}
    state = rule.init(params, LAYOUT)
    scratch = [np.empty_like(params) for _ in range(3)]
    for t, grads in enumerate(gradients, start=1):
        plain = plain_rules.step(name, rule, plain, grads, plain_state, t, LAYOUT)
        params += rule.update(grads, state, Step(t, rule.lr, params, LAYOUT, *scratch))
        np.testing.assert_allclose(params, plain, rtol=1e-9, atol=1e-11, err_msg=f"step {t}")
