"""Experiments: what a file stands for, and what is kept of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from conftest import SHIPPED
from hypothesis import given, settings
from hypothesis import strategies as st

from adamcli.config import Experiment, load, schema
from adamcli.errors import AdamcliError, DataError, UsageError
from adamcli.optimizers import RULES
from adamcli.optimizers.adam import Adam
from adamcli.problems import DATASETS, MLP, PROBLEMS
from adamcli.problems.datasets import Spiral
from adamcli.schedules import SCHEDULES, Constant, Cosine

ROOT = Path(__file__).parents[1]
SPIRAL = """\
dataset: {noise: 0.2}
train: {seeds: 2}
optimizers:
  - {name: sgdm, lr: 0.05}
  - {name: adam, lr: 0.005}
  - {name: adam, label: adam without correction, bias_correction: false}
"""


@pytest.fixture
def spiral(tmp_path: Path) -> Path:
    path = tmp_path / "spiral.yaml"
    path.write_text(SPIRAL)
    return path


def reloaded(experiment: Experiment, folder: Path) -> Experiment:
    path = folder / "config.yaml"
    path.write_text(experiment.to_yaml(), encoding="utf-8")
    return load(path)


def labels(experiment: Experiment) -> list[str]:
    return list(dict.fromkeys(run.label for run in experiment.runs))


def test_optimizers_alone_are_an_experiment(tmp_path: Path) -> None:
    path = tmp_path / "My question (2).yaml"
    path.write_text("optimizers: [{name: adam}]")
    experiment = load(path)
    (run,) = experiment.runs
    assert experiment.name == "My-question-2"
    assert (run.label, run.optimizer, run.cell, run.seed) == ("adam", "adam", "", 0)
    assert (run.rule, run.schedule, run.clip_norm) == (Adam(), Constant(), None)
    assert (run.task.dataset, run.task.model) == (Spiral(), MLP())
    assert (run.task.epochs, run.task.batch_size, run.task.dtype) == (70, 64, "float64")
    assert (run.traced, run.eval_every) == (("W1[0,0]",), 1)


def test_every_optimizer_runs_at_every_seed(spiral: Path) -> None:
    runs = load(spiral, ["train.seeds=[7, 3]"]).runs
    assert [(run.label, run.seed, run.task.seed) for run in runs[:3]] == [
        ("sgdm", 7, 7),
        ("sgdm", 3, 3),
        ("adam", 7, 7),
    ]
    assert {run.task.position for run in runs} == {0}
    assert {run.task.dataset for run in runs} == {Spiral(noise=0.2)}


def test_the_article_gives_each_optimizer_its_place_in_the_stream(spiral: Path) -> None:
    experiment = load(spiral, ["train.random=article", "train.seeds=1"])
    assert [run.task.position for run in experiment.runs] == [0, 1, 2]


def test_an_optimizer_may_have_its_own_schedule_and_clipping(spiral: Path) -> None:
    train = ["train.schedule={name: cosine, warmup: 5}", "train.clip_norm=1"]
    runs = load(spiral, [*train, "train.seeds=1", "sgdm.clip_norm=null", "sgdm.schedule={}"]).runs
    assert [run.schedule for run in runs] == [Constant(), Cosine(warmup=5), Cosine(warmup=5)]
    assert [run.clip_norm for run in runs] == [None, 1.0, 1.0]


def test_own_schedules_and_clipping_read_back_the_same(spiral: Path, tmp_path: Path) -> None:
    own = ["train.clip_norm=1", "sgdm.clip_norm=null", "adam.schedule={name: linear, floor: 0.1}"]
    experiment = load(spiral, own)
    assert "schedule" not in experiment.resolved["optimizers"][0]
    assert reloaded(experiment, tmp_path).runs == experiment.runs


@pytest.mark.parametrize("path", SHIPPED)
def test_the_resolved_experiment_reads_back_the_same(path: Path, tmp_path: Path) -> None:
    experiment = load(path)
    again = reloaded(experiment, tmp_path)
    assert again == experiment
    assert again.directory == experiment.directory


words = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Zl", "Zp"]), min_size=1)


@settings(max_examples=30, derandomize=True, deadline=None)
@given(
    label=st.sampled_from(["on", "1e-3", "#x", "0o17", "~", "a: b", "- x", "12:30", "${x}%", "é"])
    | words.map(str.strip).filter(lambda s: 0 < len(s) <= 100),
    lr=st.floats(min_value=0, exclude_min=True, allow_infinity=False),
    seeds=st.lists(st.integers(0, 2**32 - 1), min_size=1, max_size=4, unique=True),
    hidden=st.lists(st.integers(1, 50), min_size=1, max_size=3),
)
def test_any_settings_read_back_exactly(
    tmp_path_factory: pytest.TempPathFactory, label: str, lr: float, seeds: Any, hidden: Any
) -> None:
    folder = tmp_path_factory.mktemp("any")
    tree = {
        "optimizers": [{"name": "adam", "label": label, "lr": lr}],
        "train": {"seeds": seeds},
        "model": {"hidden": hidden},
    }
    (folder / "any.yaml").write_text(json.dumps(tree), encoding="utf-8")
    experiment = load(folder / "any.yaml")
    assert (experiment.runs[0].label, experiment.runs[0].rule.lr) == (label, lr)
    assert reloaded(experiment, folder) == experiment
    assert yaml.safe_load(experiment.to_yaml())["optimizers"][0]["label"] == label


def test_the_directory_depends_on_what_decides_the_numbers_alone(
    spiral: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory = load(spiral).directory
    assert directory.startswith("spiral-")
    assert len(directory) == len("spiral-") + 8
    tree = yaml.safe_load(SPIRAL)
    turned = {key: tree[key] for key in reversed(tree)} | {"model": {"hidden": [32.0, 32]}}
    turned["optimizers"] = [dict(reversed(entry.items())) for entry in tree["optimizers"]]
    (tmp_path / "other.yaml").write_text(
        yaml.safe_dump({**turned, "name": "spiral"}, sort_keys=False)
    )
    assert load(tmp_path / "other.yaml").directory == directory
    for change in ("dataset.noise=0.3", "sgdm.lr=0.06", "train.seeds=3", "trace.params=[]"):
        assert load(spiral, [change]).directory != directory
    monkeypatch.setattr("adamcli.config.experiment.__version__", "9")
    assert load(spiral).directory != directory
    assert (
        load(spiral, [], ["adam", "sgdm"]).directory != load(spiral, [], ["sgdm", "adam"]).directory
    )


def test_a_data_file_is_relative_to_the_experiment_and_counts_by_its_contents(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "name: own\ndataset: {name: file, path: data.csv}\n"
    text += "train: {batch_size: 2}\noptimizers: [{name: sgd}]"
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "own.yaml").write_text(text)
        (tmp_path / name / "data.csv").write_text("x,target\n1,0\n2,1\n3,1\n")
    one, two = (load(tmp_path / name / "own.yaml") for name in ("one", "two"))
    assert one.resolved["dataset"]["path"] == str(tmp_path / "one" / "data.csv")
    assert one.directory == two.directory
    monkeypatch.chdir(tmp_path / "one")
    assert load(Path("own.yaml")).directory == one.directory
    (tmp_path / "two" / "other.csv").write_text("x,target\n1,0\n2,1\n4,1\n")
    changed = load(tmp_path / "two" / "own.yaml", ["dataset.path=other.csv"])
    assert changed.directory != one.directory


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("x,target\n1,0\nabc,1\n", r"'abc' where a finite number belongs, .*data\.csv:3:1\."),
        ("x,target,x\n1,0,1\n", r"column 'x' twice, .*data\.csv:1:3\."),
        ("target\n0\n1\n", r"no column of inputs beside the target, .*data\.csv:1:1\."),
    ],
)
def test_a_bad_data_file_is_told_with_its_own_place(
    tmp_path: Path, content: str, words: str
) -> None:
    (tmp_path / "data.csv").write_text(content)
    (tmp_path / "own.yaml").write_text(
        "dataset: {name: file, path: data.csv}\noptimizers: [{name: sgd}]"
    )
    with pytest.raises(DataError, match=words):
        load(tmp_path / "own.yaml")


def test_origins_tell_where_each_value_comes_from(spiral: Path) -> None:
    origins = load(spiral, ["adam.lr=1", "model.init=he"]).origins
    wanted = {
        "dataset.noise": "spiral.yaml:1",
        "dataset.name": "default",
        "optimizers.0.lr": "spiral.yaml:4",
        "optimizers.1.lr": "--set #1",
        "model.init": "--set #2",
        "train.epochs": "default",
    }
    assert {key: origins[key] for key in wanted} == wanted


@pytest.mark.parametrize(
    ("override", "lrs"),
    [
        ("adam.lr=1", [0.05, 1.0, 0.001]),
        ("optimizers.1.lr=1", [0.05, 1.0, 0.001]),
        ("optimizers[1].lr = 1", [0.05, 1.0, 0.001]),
        ("optimizers.adam.lr=1", [0.05, 1.0, 0.001]),
        ("adam without correction.lr=1", [0.05, 0.005, 1.0]),
        ("optimizers.1={name: adam, lr: 1}", [0.05, 1.0, 0.001]),
    ],
)
def test_a_dotted_path_finds_its_optimizer(spiral: Path, override: str, lrs: list[float]) -> None:
    assert [run.rule.lr for run in load(spiral, [override]).runs][::2] == lrs


def test_a_rule_name_that_is_no_label_means_every_entry_of_the_rule(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("optimizers: [{name: adam, label: a}, {name: adam, label: b}, {name: sgd}]")
    assert [run.rule.lr for run in load(path, ["adam.lr=1"]).runs] == [1.0, 1.0, 0.001]


def test_later_overrides_win_and_may_fill_in_missing_sections(spiral: Path) -> None:
    experiment = load(spiral, ["model.init=he", "model.init=glorot", "train.schedule.warmup=9"])
    run = experiment.runs[0]
    assert (run.task.model.init, run.schedule) == ("glorot", Constant(warmup=9))


def test_compare_keeps_and_adds_optimizers_in_the_order_asked_for(spiral: Path) -> None:
    experiment = load(spiral, ["nesterov.lr=0.5"], ["nesterov", "adam", "sgdm", "adam"])
    assert experiment.name == "compare-nesterov-adam-sgdm"
    assert labels(experiment) == ["nesterov", "adam", "sgdm"]
    assert [run.rule.lr for run in experiment.runs[::2]] == [0.5, 0.005, 0.05]
    everything = load(spiral, [], ["adam without correction", *RULES])
    assert 60 < len(everything.name) <= 64
    assert labels(load(spiral, [], ["adam without correction"])) == ["adam without correction"]


def test_compare_keeps_the_sweeps_of_what_it_keeps(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    sweep = "sweep: {optimizers.1.lr: [1, 2], sgd.lr: [3, 4], dataset.noise: [0.1]}"
    path.write_text(f"optimizers: [{{name: sgd}}, {{name: adam}}]\n{sweep}")
    experiment = load(path, [], ["adam"])
    assert experiment.resolved["sweep"] == {"optimizers.0.lr": [1.0, 2.0], "dataset.noise": [0.1]}


def test_labels_in_any_script_are_told_apart(tmp_path: Path) -> None:
    path = tmp_path / "一个实验.yaml"
    path.write_text("optimizers: [{name: adam, label: 动量}, {name: sgdm, label: 学习率}]", "utf-8")
    experiment = load(path)
    assert labels(experiment) == ["动量", "学习率"]
    assert experiment.name.isascii()


def test_compare_refuses_a_name_nobody_knows(spiral: Path) -> None:
    with pytest.raises(UsageError) as caught:
        load(spiral, [], ["adamm"])
    assert str(caught.value) == "unknown optimizer 'adamm', OPT. Fix: did you mean 'adam'?"


def test_the_committed_schema_is_current() -> None:
    assert json.loads((ROOT / "configs" / "schema.json").read_text()) == schema()


def test_the_schema_is_of_the_draft_that_editors_know() -> None:
    jsonschema.Draft7Validator.check_schema(schema())
    text = json.dumps(schema())
    assert schema()["$schema"] == "http://json-schema.org/draft-07/schema#"
    assert not [word for word in ("prefixItems", "discriminator", '"if"') if word in text]
    names = [*RULES, *DATASETS, *PROBLEMS, *SCHEDULES]
    assert [n for n in names if f'"const": "{n}"' not in text] == []


@pytest.mark.parametrize("path", SHIPPED)
def test_shipped_experiments_fit_the_schema(path: Path) -> None:
    jsonschema.validate(yaml.safe_load(path.read_text(encoding="utf-8")), schema())
    assert path.read_text(encoding="utf-8").startswith(
        "# yaml-language-server: $schema=schema.json"
    )


@pytest.mark.parametrize(
    "change",
    [
        {"traim": {}},
        {"train": {"epoch": 1}},
        {"train": {"epochs": 0}},
        {"dataset": {"name": "file"}},
        {"dataset": {"nois": 1}},
        {"optimizers": []},
        {"optimizers": [{"lr": 1}]},
        {"optimizers": [{"name": "sgd", "momentum": 0.9}]},
        {"train": {"schedule": {"name": "cosin"}}},
        {"sweep": {"adam.lr": {"log": [1, 2]}}},
    ],
)
def test_what_load_refuses_the_schema_refuses(change: dict[str, Any], tmp_path: Path) -> None:
    tree = {**yaml.safe_load(SPIRAL), **change}
    assert not jsonschema.Draft7Validator(schema()).is_valid(tree)
    (tmp_path / "a.yaml").write_text(yaml.safe_dump(tree))
    with pytest.raises(AdamcliError):
        load(tmp_path / "a.yaml")
