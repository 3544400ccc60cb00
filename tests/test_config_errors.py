"""Mistakes in an experiment: all at once, one message each, at the right place."""

# Whole messages are longer than lines of code.
# ruff: noqa: E501

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from adamcli.config import load
from adamcli.errors import AdamcliError, ConfigErrors
from adamcli.optimizers import RULES
from adamcli.problems import DATASETS, MLP, PROBLEMS
from adamcli.schedules import SCHEDULES
from adamcli.settings import Setting, settings_of

OPTIMIZERS = "optimizers: [{name: adam}]\n"
SUITE = "problems: [{label: a, dataset: {name: moons}}, {label: b, problem: {name: saddle}}]\n"


def messages(folder: Path, text: str, *overrides: str) -> list[str]:
    """What `load` complains of, without the excerpts."""
    path = folder / "bad.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(AdamcliError) as caught:
        load(path, overrides)
    error = caught.value
    assert error.exit_code == 2
    found = error.mistakes if isinstance(error, ConfigErrors) else [error]
    lines = [str(mistake).splitlines()[0] for mistake in found]
    return [line.replace(f"{folder}/", "") for line in lines]


def test_all_mistakes_come_at_once_in_the_order_of_the_file(tmp_path: Path) -> None:
    text = """\
name: a/b
dataset: {name: spiral, nois: 0.25}
train:
  epochs: yes
  schedule: {name: cosin}
optimizers:
  - name: sgdm
    lr: 0.05

    momentun: 0.9
  - {name: rmsprp}
  - {name: adam, lr: "1e-3"}
sweep: {adam.beta1: [0.9, 1]}
"""
    assert messages(tmp_path, text, "adam.eps=-1") == [
        "a name that cannot name a directory: 'a/b', bad.yaml:1:7 (name). "
        "Fix: use 1 to 64 letters, digits and . _ -, starting with a letter or digit",
        "unknown key 'nois' for spiral, bad.yaml:2:25 (dataset.nois). Fix: did you mean 'noise'?",
        "expected an integer with 1 <= x <= 1000000, got 'yes', bad.yaml:4:11 (train.epochs). "
        "Fix: give epochs (passes over the training set) an integer with 1 <= x <= 1000000, such as 70",
        "unknown schedule 'cosin', bad.yaml:5:20 (train.schedule.name). Fix: did you mean 'cosine'?",
        "unknown key 'momentun' for sgdm, bad.yaml:10:5 (optimizers[0].momentun). "
        "Fix: did you mean 'momentum'?",
        "unknown optimizer 'rmsprp', bad.yaml:11:12 (optimizers[1].name). Fix: did you mean 'rmsprop'?",
        "expected a number with 0 < x, got '1e-3', bad.yaml:12:22 (optimizers[2].lr). "
        "Fix: write 1e-3 without quotes",
        "expected a number with 0 <= x < 1, got 1, bad.yaml:13:27 (sweep.adam.beta1[1]). "
        "Fix: give beta1 (decay of the first moment) a number with 0 <= x < 1, such as 0.9",
        "expected a number with 0 <= x, got -1, --set #1 (adam.eps=-1). "
        "Fix: give eps (added to the root of the corrected second moment) a number with 0 <= x, such as 1e-08",
    ]


ONE_MISTAKE = {
    "train: {}": "missing key 'optimizers' for the experiment, bad.yaml:1:1 (optimizers). "
    "Fix: add optimizers: the rules to compare, each with its settings",
    "optimizer: [{name: adam}]": "unknown key 'optimizer' for the experiment, bad.yaml:1:1 (optimizer). "
    "Fix: did you mean 'optimizers'?",
    "optimizers: []": "expected a non-empty list of mappings, got an empty list, bad.yaml:1:13 (optimizers). "
    "Fix: write its keys below it, one to a line",
    "optimizers: [adam]": "expected a mapping, got 'adam', bad.yaml:1:14 (optimizers[0]). "
    "Fix: write {name: adam}",
    "optimizers: [{lr: 1}]": "missing key 'name', bad.yaml:1:14 (optimizers[0]). "
    f"Fix: add name: one of {', '.join(RULES)}",
    "optimizers: [{nmae: adam}]": "unknown key 'nmae', bad.yaml:1:15 (optimizers[0].nmae). "
    "Fix: did you mean 'name'?",
    "optimizers: [{name: 5}]": "expected the name of an optimizer, got 5, bad.yaml:1:21 (optimizers[0].name). "
    f"Fix: use one of {', '.join(RULES)}",
    OPTIMIZERS + "model:": "expected a mapping, got null, bad.yaml:2:7 (model). "
    "Fix: write its keys below it, one to a line",
    OPTIMIZERS + "model: {init: articl}": "expected one of article, he, glorot, got 'articl', "
    "bad.yaml:2:15 (model.init). Fix: did you mean 'article'?",
    OPTIMIZERS
    + "model: {hidden: []}": "expected a non-empty list of integers with 1 <= x <= 4096, "
    "got an empty list, bad.yaml:2:17 (model.hidden). Fix: give hidden (width of each hidden layer) "
    "a non-empty list of integers with 1 <= x <= 4096, such as [32, 32]",
    "optimizers: [{name: muon, coefficients: [1, 2]}]": "expected a list of 3 numbers, got a list "
    "of 2, bad.yaml:1:41 (optimizers[0].coefficients). Fix: give coefficients (a, b, c of the "
    "iteration) a list of 3 numbers, such as [3.4445, -4.775, 2.0315]",
    OPTIMIZERS
    + "dataset: {name: file}": "missing key 'path' for file, bad.yaml:2:10 (dataset.path). "
    "Fix: add path: CSV or NPZ file, relative to the experiment file",
    OPTIMIZERS
    + "dataset: {name: file, paht: x}": "unknown key 'paht' for file, bad.yaml:2:23 (dataset.paht). "
    "Fix: did you mean 'path'?",
    OPTIMIZERS
    + "train: {batch_size: 2001}": "batch_size 2001 is more than the 2000 training points, "
    "bad.yaml:2:21 (train.batch_size). Fix: use at most 2000, or more samples",
    OPTIMIZERS + "dataset: {samples: 50}": "batch_size 64 is more than the 50 training points, "
    "bad.yaml:1:1 (train.batch_size). Fix: use at most 50, or more samples",
    OPTIMIZERS + "train: {seeds: [1, 2, 1.0]}": "seed 1.0 twice, bad.yaml:2:23 (train.seeds[2]). "
    "Fix: remove one",
    OPTIMIZERS
    + "train: {seeds: 0}": "a count of seeds out of range: 0, bad.yaml:2:16 (train.seeds). "
    "Fix: use 1 to 1000000",
    OPTIMIZERS + "train: {seeds: yes}": "neither a count of seeds nor a list of them: 'yes', "
    "bad.yaml:2:16 (train.seeds). Fix: write 20, or [0, 1, 2]",
    OPTIMIZERS
    + "trace: {params: ['W1[0,32]']}": "no parameter 'W1[0,32]', bad.yaml:2:18 (trace.params[0]). "
    "Fix: W1 has the entries W1[0,0] to W1[1,31]",
    OPTIMIZERS + "trace: {params: ['b1[0]', 'b1[ 0 ]']}": "b1[0] twice in the list, "
    "bad.yaml:2:27 (trace.params[1]). Fix: remove one",
    "optimizers: [{name: adam}, {name: adam}]": "label 'adam' twice, bad.yaml:1:35 (optimizers[1].name). "
    "Fix: give optimizers[1] a label of its own",
    "optimizers: [{name: adam, label: a b}, {name: sgd, label: a-b}]": "label 'a-b' is too like 'a b' to name "
    "a file, bad.yaml:1:59 (optimizers[1].label). Fix: give optimizers[1] a label of its own",
    "optimizers: [{name: adam, label: é}, {name: sgd, label: É}]": "label 'É' is too like 'é' to name a file, "
    "bad.yaml:1:57 (optimizers[1].label). Fix: give optimizers[1] a label of its own",
    "optimizers: [{name: adam, label: Ж}, {name: sgd, label: ж}]": "label 'ж' is too like 'Ж' to name a file, "
    "bad.yaml:1:57 (optimizers[1].label). Fix: give optimizers[1] a label of its own",
    "optimizers: [{name: adam, label: ' a'}]": "a label with a blank at its start or end: ' a', "
    "bad.yaml:1:34 (optimizers[0].label). Fix: remove the blank",
    'optimizers: [{name: adam, label: "a\\u202e"}]': "a label with an unprintable character: 'a\\u202e', "
    "bad.yaml:1:34 (optimizers[0].label). Fix: use printable characters",
    OPTIMIZERS
    + "train: {epochs: 1e6, batch_size: 1}": "1 run would take about 21 h 28 min of one core and 596 GiB of "
    "memory, bad.yaml:2:17 (train.epochs). Fix: stay below 64 GiB with fewer runs, epochs, samples or traces",
}


@pytest.mark.parametrize("text", ONE_MISTAKE)
def test_one_mistake_gives_one_message(tmp_path: Path, text: str) -> None:
    assert messages(tmp_path, text) == [ONE_MISTAKE[text]]


@pytest.mark.parametrize(
    "name",
    ["", ".", "..", "../x", "/abs", "a/b", "a\\b", "-rf", "~", "a.", "CON", "nul", "com1.x", "a b", "é", "a" * 65],
)  # fmt: skip
def test_a_name_that_no_directory_may_have_is_refused(tmp_path: Path, name: str) -> None:
    (message,) = messages(tmp_path, yaml.safe_dump({"name": name, "optimizers": [{"name": "sgd"}]}))
    assert message.startswith("a name that ")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("adam.lr", "no '=' in it, --set #1 (adam.lr). Fix: write PATH=VALUE, such as train.epochs=10"),
        ("adm.lr=1", "unknown path 'adm.lr', --set #1 (adm.lr=1). Fix: did you mean 'adam'?"),
        ("trian.epochs=1", "unknown path 'trian.epochs', --set #1 (trian.epochs=1). Fix: did you mean 'train'?"),
        ("train.epoch=1", "unknown key 'epoch' for train, --set #1 (train.epoch=1). Fix: did you mean 'epochs'?"),
        ("train.schedul.name=x", "unknown key 'schedul' for train, --set #1 (train.schedul.name=x). "
         "Fix: did you mean 'schedule'?"),
        ("adam.lrr=1", "unknown key 'lrr' for adam, --set #1 (adam.lrr=1). Fix: did you mean 'lr'?"),
        ("optimizers.3.lr=1", "no item '3' in a list of 1, --set #1 (optimizers.3.lr=1). Fix: use 0 to 0"),
        ("adam.lr=[", "not YAML: while parsing a flow node, expected the node content, but found '<stream end>', "
         "--set #1 (adam.lr=[). Fix: check the commas and close every bracket"),
        ("adam.lr=", "expected a number with 0 < x, got null, --set #1 (adam.lr=). "
         "Fix: give lr (learning rate) a number with 0 < x, such as 0.001"),
        ("model.hidden.0.x=1", "model.hidden[0] is 32, not a mapping, --set #1 (model.hidden.0.x=1). "
         "Fix: set the whole of it"),
    ],
)  # fmt: skip
def test_a_wrong_override_is_told_by_its_number(
    tmp_path: Path, override: str, message: str
) -> None:
    assert messages(tmp_path, OPTIMIZERS, override) == [message]


NUMBERS = {
    "nan": ".nan",
    "infinity": ".inf",
    "too large": "1e999",
    "ten to the 400": "1" + "0" * 400,
}


@pytest.mark.parametrize("text", NUMBERS.values(), ids=NUMBERS)
@pytest.mark.parametrize("place", ["adam.lr", "adam.eps", "train.epochs", "dataset.noise"])
def test_no_number_is_infinite(tmp_path: Path, text: str, place: str) -> None:
    (message,) = messages(tmp_path, OPTIMIZERS, f"{place}={text}")
    assert message.startswith("expected a")
    assert len(message) < 400


def test_a_long_value_is_cut_in_the_message(tmp_path: Path) -> None:
    for override in (f"adam.lr={'x' * 10_000}", f"dataset.{'x' * 10_000}=1"):
        (message,) = messages(tmp_path, OPTIMIZERS, override)
        assert len(message) < 500


def fields() -> list[tuple[str, Setting]]:
    """Every setting there is, with its key in a small experiment of its own."""
    found = [("model: {%s}", s) for s in settings_of(MLP)]
    for name, cls in DATASETS.items():
        found += [(f"dataset: {{name: {name}, %s}}", s) for s in settings_of(cls)]
    for name, cls in PROBLEMS.items():
        found += [(f"problem: {{name: {name}, %s}}", s) for s in settings_of(cls)]
    for name, cls in SCHEDULES.items():
        found += [(f"train: {{schedule: {{name: {name}, %s}}}}", s) for s in settings_of(cls)]
    for name, cls in RULES.items():
        found += [(f"optimizers: [{{name: {name}, %s}}]", s) for s in settings_of(cls)]
    return found


VALUES: dict[str, Any] = {
    "true": bool,
    "x y": str,
    "1.5": float,
    "[]": list,
    "{}": dict,
    "null": None,
}


@pytest.mark.parametrize("value", VALUES)
@pytest.mark.parametrize(("section", "setting"), fields(), ids=lambda p: getattr(p, "name", p))
def test_every_setting_refuses_every_other_type(
    tmp_path: Path, section: str, setting: Setting, value: str
) -> None:
    fits = VALUES[value] is setting.kind and not setting.many and not setting.choices
    if fits or (value == "null" and setting.optional):
        return
    text = section % f"{setting.name}: {value}"
    if "name: file" in text and setting.name != "path":
        text = text.replace("name: file", "name: file, path: x.csv")
    found = messages(tmp_path, text if "optimizers" in text else f"{text}\n{OPTIMIZERS}")
    assert len(found) == 1
    assert found[0].startswith("expected ")
    assert f"{setting.name})" in found[0]


@settings(max_examples=50, derandomize=True, deadline=None)
@given(data=st.data())
def test_a_misspelt_key_anywhere_is_named_once(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    tree: dict[str, Any] = {
        "dataset": {"name": "moons", "samples": 100},
        "model": {"hidden": [4], "activation": "tanh"},
        "train": {"epochs": 3, "schedule": {"name": "step", "every": 5}},
        "optimizers": [{"name": "sgdm", "momentum": 0.5}, {"name": "adam", "beta1": 0.8}],
        "trace": {"params": ["b1[0]"]},
    }
    places = [tree, tree["model"], tree["train"], tree["train"]["schedule"], *tree["optimizers"]]
    mapping = data.draw(st.sampled_from(places))
    key = data.draw(st.sampled_from([key for key in mapping if key != "name"]))
    at = data.draw(st.integers(0, len(key)))
    wrong = key[:at] + data.draw(st.sampled_from("xyzqj")) + key[at:]
    mapping[wrong] = mapping.pop(key)
    folder = tmp_path_factory.mktemp("misspelt")
    (message,) = messages(folder, yaml.safe_dump(tree))
    assert message.startswith(f"unknown key {wrong!r} for ")
    assert message.endswith(f"Fix: did you mean {key!r}?")


def test_control_characters_never_come_back(tmp_path: Path) -> None:
    text = 'optimizers: [{name: "\\e[31m", "\\a": 1}, {name: adam, "\\x9b": "\\r"}]\ntrain: {dtype: "\\e]0;x\\a"}'
    assert all(message.isprintable() for message in messages(tmp_path, text, "adam.lr='\x1b[0m'"))


ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    2**70,
    1e308,
    "",
    "adam",
    "9" * 5000,
    [],
    [[1]],
    {},
    {"name": 5},
]
PLACES = [
    "name",
    "dataset",
    "dataset.name",
    "model.hidden",
    "train",
    "train.seeds",
    "train.schedule",
    "optimizers",
    "optimizers.0",
    "adam.label",
    "adam.schedule",
    "trace.params",
    "sweep",
    "sweep.adam.lr",
    "sweep.dataset.path",
    "sweep.problem.size",
    "problem",
    "problem.name",
    "problem.size",
    "problems",
    "problems.0",
    "problems.0.label",
    "problems.0.dataset",
    "problems.0.dataset.path",
    "problems.0.model.hidden",
    "problems.0.train",
    "problems.0.train.epochs",
    "problems.1.problem",
    "problems.1.problem.name",
]


@settings(max_examples=120, derandomize=True, deadline=None)
@given(
    pairs=st.lists(
        st.tuples(st.sampled_from(PLACES), st.sampled_from(ODD)), min_size=1, max_size=3
    ),
    problems=st.sampled_from(["", SUITE]),
)
def test_odd_values_anywhere_give_our_errors_alone(
    tmp_path_factory: pytest.TempPathFactory, pairs: list[tuple[str, Any]], problems: str
) -> None:
    path = tmp_path_factory.mktemp("odd") / "odd.yaml"
    path.write_text(problems + OPTIMIZERS)
    with contextlib.suppress(AdamcliError):
        load(path, [f"{place}={json.dumps(value)}" for place, value in pairs])
