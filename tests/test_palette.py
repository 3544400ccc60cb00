"""Styles: fixed per rule, different per label, the same in every cell of a sweep."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest

from adamcli.optimizers import RULES
from adamcli.palette import RULE_STYLES, Style, run_styles, setting_of, styles


@dataclass(frozen=True)
class Labelled:
    label: str
    optimizer: str
    cell: str = ""


def luminance(style: Style) -> float:
    """The grey that a colour prints as, 0 to 1 (ITU-R BT.601)."""
    red, green, blue = (int(style.colour[at : at + 2], 16) / 255 for at in (1, 3, 5))
    return 0.299 * red + 0.587 * green + 0.114 * blue


COMPARED_MOST = ("sgd", "sgdm", "nesterov", "rmsprop", "adam", "adamw")


def test_rules_have_colours_and_dashes_of_their_own():
    assert RULE_STYLES.keys() <= RULES.keys()
    looks = [(style.colour, style.dash) for style in RULE_STYLES.values()]
    assert len(set(looks)) == len(looks)


def test_the_rules_compared_most_share_no_part_of_their_styles():
    for part in ("colour", "dash", "marker"):
        parts = [getattr(RULE_STYLES[name], part) for name in COMPARED_MOST]
        assert len(set(parts)) == len(parts), part


@pytest.mark.parametrize("name", RULE_STYLES)
def test_a_rule_looks_the_same_whatever_it_is_compared_with(name):
    alone = styles([(name, name)])
    among = styles([(f"{name} first", name), ("mine", "plugin"), *((n, n) for n in RULE_STYLES)])
    assert alone[name] == among[name] == RULE_STYLES[name]


def test_the_first_label_of_a_rule_has_its_style_when_none_bears_its_name():
    assert styles([("fast", "adam"), ("slow", "adam")])["fast"] == RULE_STYLES["adam"]


def test_adam_without_correction_is_told_from_adam_in_colour_and_in_grey():
    named = styles([("adam", "adam"), ("adam without correction", "adam")])
    one, other = named.values()
    assert one.colour != other.colour
    assert one.dash != other.dash
    assert one.marker != other.marker
    assert abs(luminance(one) - luminance(other)) > 0.2


def test_colours_show_on_white_and_on_black():
    many = styles([(f"label {k}", "plugin") for k in range(30)])
    for style in many.values():
        assert re.fullmatch(r"#[0-9A-Fa-f]{6}", style.colour)
        assert 0.25 < luminance(style) < 0.75


def test_labels_beyond_all_colours_still_differ():
    many = styles([(f"adam {k}", "adam") for k in range(80)])
    assert len(set(many.values())) == 80


def test_unknown_rules_get_the_same_styles_every_time():
    labels = [("a", "mine"), ("b", "yours"), ("adam", "adam")]
    assert styles(labels) == styles(labels)
    assert [*styles(labels)] == ["a", "b", "adam"]


@pytest.mark.parametrize(
    ("label", "cell", "setting"),
    [
        ("adam", "", "adam"),
        ("adam noise=0.1", "noise=0.1", "adam"),
        ("adam noise=0.1 lr=0.01", "noise=0.1", "adam lr=0.01"),
        ("adam lr=0.01 noise=0.1", "noise=0.1", "adam lr=0.01"),
        ("my adam hidden=[8, 8] noise=0.1", "hidden=[8, 8] noise=0.1", "my adam"),
        ("noise=0.1 noise=0.1", "noise=0.1", "noise=0.1"),
    ],
)
def test_a_setting_is_the_label_without_the_words_of_its_cell(label, cell, setting):
    assert setting_of(label, cell) == setting


def test_the_cells_of_a_sweep_share_the_styles_of_their_settings():
    runs = [
        Labelled(f"{name} noise={noise}", name, f"noise={noise}")
        for noise in (0.1, 0.2)
        for name in ("sgdm", "adam")
    ]
    shared = run_styles(runs)
    assert shared["adam noise=0.1"] == shared["adam noise=0.2"] == RULE_STYLES["adam"]
    assert shared["sgdm noise=0.1"] == shared["sgdm noise=0.2"] == RULE_STYLES["sgdm"]
