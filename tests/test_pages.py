"""The words about every rule: all of them there, and the same in page, JSON and README."""

from __future__ import annotations

import re

import pytest
from conftest import ROOT
from readme_table import with_table

from adamcli.optimizers import RULES, pages
from adamcli.settings import settings_of


@pytest.mark.parametrize("name", RULES)
def test_every_rule_says_all_that_a_page_has(name):
    page = pages.page_of(name, RULES[name])
    assert tuple(page.sections) == pages.SECTIONS
    assert all(len(text) > 3 for text in page.sections.values())
    assert "update" in page.sections["Rule"]
    assert re.search(r"\b(19|20)\d\d\b", page.sections["Source"]), "no year"
    assert page.summary.endswith(".")
    assert page.family


@pytest.mark.parametrize("name", RULES)
def test_every_slot_is_in_the_words_about_slots(name):
    page = pages.page_of(name, RULES[name])
    # Slots of a single array end in its name, here W.
    slots = [re.sub(" W$", " NAME", slot) for slot in RULES[name]().init(*_small())]
    missing = [slot for slot in slots if not re.search(rf"\b{slot}\b", page.sections["Slots"])]
    assert not missing
    assert slots or page.sections["Slots"] == "none"


@pytest.mark.parametrize("name", RULES)
def test_every_rule_publishes_where_its_learning_rate_is_searched(name):
    settings = {s.name: s for s in settings_of(RULES[name])}
    search = settings["lr"].search
    assert search is not None
    assert search.trials == 1
    assert search.low <= settings["lr"].default <= search.high
    for setting in settings.values():
        assert setting.doc
        if setting.search is not None:
            assert setting.search.low < setting.search.high


def test_families_keep_every_rule_once():
    members = [name for family in pages.families(RULES).values() for name in family]
    assert sorted(members) == sorted(RULES)


def test_state_of_adam_is_two_numbers_per_parameter():
    assert pages.state_of(RULES["adam"]) == 2
    assert pages.state_of(RULES["sgd"]) == 0


def test_the_table_of_the_readme_is_current():
    readme = (ROOT / "README.md").read_text()
    assert readme == with_table(readme), "run: python tests/readme_table.py"


def _small():
    import numpy as np

    from adamcli.layout import Layout

    layout = Layout.of({"W": (2, 3), "b": (3,)})
    return np.zeros((1, layout.size)), layout
