"""What is recorded inside a run: right, saved, and recorded again with the same bits."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import yaml
from directories import save
from stacks import SETTINGS, rule, task

from adamcli import config, store
from adamcli.cli import tracing
from adamcli.cli.tracing import Choice
from adamcli.config import Run
from adamcli.errors import ConfigError
from adamcli.history import LAYER_SERIES, RunHistory
from adamcli.optimizers import RULES, Averaging, Wrapping
from adamcli.problems import MLP, NetworkStack
from adamcli.runner import train_runs
from adamcli.schedules import Constant

SMALL = {
    "dataset": {"name": "spiral", "samples": 90, "test_samples": 40},
    "model": {"hidden": [6, 5]},
    "train": {"epochs": 2, "batch_size": 32, "seeds": 2},
}
PARAM = "W2[3,4]"


def run(optimizer: str = "adam", **changes) -> Run:
    """A run on the small spiral of `stacks` with layers."""
    settings = changes.pop("settings", {})
    fields = {"clip_norm": None, "wrapping": Wrapping(), "eval_every": 1, "traced": ()}
    own = {name: changes.pop(name) for name in [*fields] if name in changes}
    return Run(
        label=optimizer,
        optimizer=optimizer,
        cell="",
        seed=0,
        rule=rule(optimizer, **settings),
        schedule=Constant(),
        task=task(**changes),
        layers=True,
        **(fields | own),
    )


def trained(*runs: Run) -> list[RunHistory]:
    """The histories of runs that train together."""
    histories = {h.key: h for news in train_runs(runs, jobs=1) for h in news.finished}
    return [histories[one.label, one.seed] for one in runs]


def norm(values: np.ndarray) -> float:
    """The Euclidean norm, with a sum that rounds once."""
    return math.sqrt(math.fsum(x * x for x in values.ravel().tolist()))


def start(one: Run) -> dict[str, np.ndarray]:
    """The initial parameters of a run by array."""
    stack = NetworkStack([one.task])
    return {t.name: stack.layout.view(stack.start(), t.name)[0] for t in stack.layout.tensors}


# The norms of layers


@pytest.mark.parametrize("name", RULES)
def test_layers_are_the_norms_of_what_one_step_starts_from_and_adds(name):
    one = run(name, epochs=1, batch_size=100)
    (history,) = trained(one)
    assert [*history.layers] == ["W1", "b1", "W2", "b2", "W3", "b3"]
    for array, before in start(one).items():
        series = {key: values.tolist() for key, values in history.layers[array].items()}
        assert [*series] == [*LAYER_SERIES]
        assert series["weight"] == [pytest.approx(norm(before), rel=1e-14)]
        if not isinstance(one.rule, Averaging):  # saved is the average
            moved = norm(history.params[array] - before)
            assert series["update"] == [pytest.approx(moved, rel=1e-9, abs=1e-12)]
        if array.startswith("W"):
            assert series["ratio"] == [series["update"][0] / series["weight"][0]]
        else:
            assert not np.isfinite(series["ratio"])  # biases start at zero


def test_the_gradient_of_layers_is_that_of_each_step():
    one = run("sgd", settings={"lr": 0.5})
    (history,) = trained(one)
    stack = NetworkStack([one.task])
    params, grads = stack.start(), np.empty_like(stack.start())
    for step in range(12):
        stack.gradient(params, step % 4, grads)
        for tensor in stack.layout.tensors:
            for key, of in (("grad", grads), ("weight", params), ("update", 0.5 * grads)):
                expected = norm(stack.layout.view(of, tensor.name))
                got = history.layers[tensor.name][key][step]
                assert got == pytest.approx(expected, rel=1e-12), (tensor.name, key, step)
        params -= 0.5 * grads


def test_the_gradient_of_layers_is_clipped_and_their_update_is_wrapped():
    half_way = Wrapping(lookahead=1, lookahead_alpha=0.5)
    changes: list[dict] = [{}, {"clip_norm": 1e-3}, {"wrapping": half_way}]
    ((free,), (clipped,), (slow,)) = (
        trained(run("sgd", epochs=1, batch_size=100, **change)) for change in changes
    )
    whole = math.hypot(*(layer["grad"][0] for layer in free.layers.values()))
    assert whole > 1e-3
    assert math.hypot(*(x["grad"][0] for x in clipped.layers.values())) == pytest.approx(1e-3)
    half = [x["update"][0] / free.layers[name]["update"][0] for name, x in slow.layers.items()]
    np.testing.assert_allclose(half, 0.5, rtol=1e-9)


def test_layers_of_short_floats_are_long_floats():
    (history,) = trained(run(epochs=1, batch_size=100, dtype="float32"))
    (exact,) = trained(run(epochs=1, batch_size=100))
    assert {x.dtype for s in history.layers.values() for x in s.values()} == {np.dtype("float64")}
    assert history.layers["W2"]["weight"] == pytest.approx(exact.layers["W2"]["weight"], rel=1e-6)


@pytest.mark.parametrize("others", [1, 6, 40])
def test_what_is_recorded_does_not_depend_on_company(others):
    deep: dict = {"model": MLP(hidden=(33, 40, 5, 3)), "traced": ("b2[1]", "W1[1,3]")}
    runs = [run("adam", seed=seed, **deep) for seed in range(others + 1)]
    # Some rows of the middle are not recorded, and rows of other rules are.
    runs = [replace(r, layers=k % 3 != 1, label=f"adam {k}") for k, r in enumerate(runs)]
    together = trained(*runs, run("sgd", **deep), run("sgdm", **deep))
    for place in (0, others // 2, others):
        (alone,) = trained(runs[place])
        assert_same(alone, together[place])
    assert [bool(history.layers) for history in together[:3]][:2] == [True, False]


def assert_same(one: RunHistory, other: RunHistory) -> None:
    """That two histories recorded the same series with the same bits."""
    for kind in ("traces", "layers"):
        own, others = getattr(one, kind), getattr(other, kind)
        assert own.keys() == others.keys()
        for what, series in own.items():
            assert series.keys() == others[what].keys()
            for name, values in series.items():
                np.testing.assert_array_equal(values, others[what][name], err_msg=f"{what} {name}")


# In an experiment


@pytest.fixture
def experiment(tmp_path):
    """Loads a changed experiment."""

    def load(*optimizers: dict, **changes: dict) -> config.Experiment:
        tree = {key: {**SMALL[key], **changes.pop(key, {})} for key in SMALL}
        path = tmp_path / "inside.yaml"
        path.write_text(yaml.safe_dump({**tree, **changes, "optimizers": [*optimizers]}))
        return config.load(path)

    return load


def saved(experiment: config.Experiment, folder) -> store.Result:
    """The result of an experiment, read back from its directory."""
    directory = store.directory_for(experiment, folder)
    histories = [h for news in train_runs(experiment.runs, jobs=1) for h in news.finished]
    with directory.claimed():
        save(directory, experiment, histories)
    return directory.load()


def test_layers_are_off_unless_asked_for_and_then_of_the_first_seed(experiment):
    assert not any(one.layers for one in experiment({"name": "adam"}).runs)
    asked = experiment({"name": "adam"}, {"name": "sgd"}, trace={"layers": True})
    assert [(one.seed, one.layers, one.traced) for one in asked.runs] == [
        *[(0, True, ("W1[0,0]",)), (1, False, ())] * 2
    ]


def test_all_seeds_are_recorded_if_that_is_asked_for(experiment, tmp_path):
    asked = experiment(
        {"name": "adam"}, trace={"params": ["b1[2]"], "layers": True, "seeds": "all"}
    )
    assert [(one.seed, one.layers, one.traced) for one in asked.runs] == [
        (0, True, ("b1[2]",)),
        (1, True, ("b1[2]",)),
    ]
    for mine, read in zip(trained(*asked.runs), saved(asked, tmp_path).histories, strict=True):
        assert_same(mine, read)
        assert [*read.traces] == ["b1[2]"]
    with pytest.raises(ConfigError, match=r"trace\.seeds.*one of first, all"):
        experiment({"name": "adam"}, trace={"seeds": "last"})


def test_layers_are_saved_beside_the_traces_and_read_back(experiment, tmp_path):
    asked = experiment(
        {"name": "adam", "label": "a/b/W1[0,0]"}, trace={"layers": True, "params": ["b1[2]"]}
    )
    result = saved(asked, tmp_path)
    keys = np.load(result.path / "traces.npz").files
    assert {"a/b/W1[0,0]/0/b1[2]/m_hat", "a/b/W1[0,0]/0/W1/ratio"} <= {*keys}
    (first, second) = result.histories
    assert_same(first, trained(*asked.runs)[0])
    assert [*first.traces] == ["b1[2]"]
    assert [*first.layers] == ["W1", "b1", "W2", "b2", "W3", "b3"]
    assert len(first.layers["W3"]["ratio"]) == 6
    assert not second.layers


def test_the_memory_of_layers_is_counted_once_per_label(experiment, monkeypatch):
    long: dict = {"epochs": 10**6, "batch_size": 1, "eval_every": 10**6, "seeds": 9}
    settings: dict = {"train": long, "dataset": {"samples": 40, "test_samples": 0}}
    two = {"name": "adam"}, {"name": "sgd"}
    monkeypatch.setattr("adamcli.config.limits.MAX_BYTES", 2**30)
    experiment(*two, **settings, trace={"params": []})
    # 2 labels x 4e7 steps x 6 arrays x 4 series x 8 bytes, four times: noted, joined, cut, written
    with pytest.raises(ConfigError, match=r"and 57\.\d GiB of memory"):
        experiment(*two, **settings, trace={"params": [], "layers": True})
    with pytest.raises(ConfigError, match=r"and 515 GiB of memory"):  # nine seeds
        experiment(*two, **settings, trace={"params": [], "layers": True, "seeds": "all"})


# Recorded by a second training


def ways(name: str) -> dict[str, dict]:
    """Changes of an experiment under which a run must come out the same again."""
    return {
        "paired": {},
        "article": {"train": {"random": "article"}},
        "sweep": {"sweep": {"dataset.noise": [0.1, 0.4], "train.batch_size": [16, 32]}},
    }[name]


def again(result: store.Result, choice: Choice) -> list[RunHistory]:
    """Traces and layers of the chosen runs as `plot-trace` finds them."""
    traces = tracing.find_traces(result, choice, PARAM)
    layers = tracing.find_layers(result, choice)
    return [
        replace(trace.history, layers=layer.history.layers)
        for trace, layer in zip(traces, layers, strict=True)
    ]


def recorded(experiment: config.Experiment, seed: int) -> list[RunHistory]:
    """The same runs recorded at first, all in one training."""
    runs = [replace(one, traced=(PARAM,), layers=True) for one in experiment.runs]
    return [history for history in trained(*runs) if history.seed == seed]


@pytest.mark.parametrize("way", ["paired", "article", "sweep"])
def test_traces_and_layers_of_every_rule_are_recomputed_with_the_same_bits(
    experiment, tmp_path, capsys, way
):
    every = [{"name": name, **SETTINGS[name]} for name in RULES]
    asked = experiment(*every, **ways(way))
    result = saved(asked, tmp_path)
    for found, expected in zip(again(result, Choice(seed=1)), recorded(asked, 1), strict=True):
        assert found.key == expected.key
        assert_same(found, expected)
    told = capsys.readouterr().err
    assert told.count("W2[3,4] was not recorded, training again") == told.count("layers were")
    assert "warning" not in told


def test_wrapped_and_diverged_runs_are_recomputed_with_the_same_bits(experiment, tmp_path, capsys):
    wraps: list[dict] = [{"ema": 0.9}, {"lookahead": 3}, {"cautious": True, "decay": 0.1}]
    wild = [{"name": "sgd", "lr": 1e120, **wrap} for wrap in ({}, *wraps)]
    wild += [{"name": n, "lr": 1e120} for n, cls in RULES.items() if hasattr(cls, "evaluated")]
    wild += [
        {"name": "rmsprop", "lr": 1e308, "lookahead": 1}
    ]  # goes to infinity, and from there to NaN
    calm = [{"name": "adam", **wrap} for wrap in (*wraps, {"clip_norm": 0.1})]
    labelled = [{**one, "label": f"wild {k}"} for k, one in enumerate(wild)]
    labelled += [{**one, "label": f"calm {k}"} for k, one in enumerate(calm)]
    often = {"epochs": 9, "eval_every": 4, "schedule": {"name": "cosine"}}
    asked = experiment(*labelled, train=often)
    result = saved(asked, tmp_path)
    ends = {h.label: h.diverged_at for h in result.histories if h.seed == 1}
    assert all((end is not None) == label.startswith("wild") for label, end in ends.items()), ends
    numbers = {h.label: np.isfinite(h.params["W1"]).all() for h in result.histories}
    assert [label for label, finite in numbers.items() if not finite] == [f"wild {len(wild) - 1}"]
    for found, expected in zip(again(result, Choice(seed=1)), recorded(asked, 1), strict=True):
        assert_same(found, expected)
    assert "warning" not in capsys.readouterr().err


def test_a_run_that_came_out_differently_is_told(experiment, tmp_path, capsys):
    result = saved(experiment({"name": "adam"}), tmp_path)
    other = {name: values + 1 for name, values in result.histories[0].params.items()}
    changed = replace(result, histories=(replace(result.histories[0], params=other),))
    tracing.find_layers(changed, Choice())
    assert (
        "warning: adam, seed 0 came out differently from what is saved" in capsys.readouterr().err
    )


def test_what_is_recorded_is_not_trained_again(experiment, tmp_path, capsys, monkeypatch):
    asked = experiment({"name": "adam"}, trace={"params": [PARAM], "layers": True})
    result = saved(asked, tmp_path)
    monkeypatch.setattr("adamcli.runner.work.Training", None)
    (found,) = again(result, Choice())
    assert_same(found, result.histories[0])
    assert capsys.readouterr().err == ""
