"""Optimizers of the user's own: what is accepted, and that no misdeed harms another run."""

from __future__ import annotations

import hashlib
import io
import itertools
import os
import pickle
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT
from misdeeds import MISDEEDS, UNUSABLE
from plugin_files import GOOD, TINY, marked, misbehaving, write
from rich.console import Console

from adamcli import config, plugins
from adamcli.errors import Interrupted, PluginError, RuleError
from adamcli.history import RunHistory, Status
from adamcli.layout import Layout
from adamcli.optimizers import Panel, Step
from adamcli.runner import train_runs
from adamcli.settings import settings_of
from adamcli.tables import LiveView

SHIPPED = sorted((ROOT / "configs/plugins").glob("*.py"))
LAYOUT = Layout.of({"W": (2, 3), "b": (3,)})
EXPERIMENT = f"{TINY}optimizers: [{{name: adam, lr: 0.01}}, {{name: mine}}, {{name: sgdm}}]\n"


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def trained(folder: Path, code: str, *overrides: str, jobs: int = 1) -> dict[str, RunHistory]:
    """The runs of a plug-in between two others, by label and, from the second on, seed."""
    (folder / "own.yaml").write_text(EXPERIMENT)
    mine = plugins.load(write(folder, code).relative_to(folder))
    runs = config.load(folder / "own.yaml", overrides, plugins=[mine]).runs
    histories = [h for news in train_runs(runs, jobs) for h in news.finished]
    return {f"{h.label}{h.seed or ''}": h for h in histories}


def assert_same_bits(one: RunHistory, other: RunHistory) -> None:
    for name, values in one.metrics.items():
        np.testing.assert_array_equal(other.metrics[name], values)
    for name, values in one.params.items():
        np.testing.assert_array_equal(other.params[name], values)
    for param, series in one.traces.items():
        for name, values in series.items():
            np.testing.assert_array_equal(other.traces[param][name], values)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> dict[str, RunHistory]:
    """The same runs with a plug-in that does nothing wrong."""
    folder = tmp_path_factory.mktemp("undisturbed")
    before = os.getcwd()
    os.chdir(folder)
    try:
        return trained(folder, GOOD)
    finally:
        os.chdir(before)


@pytest.fixture
def ctrl_c_is_ours(monkeypatch):
    """As the command line does: a KeyboardInterrupt cannot come from the keyboard."""
    import signal

    def interrupt(number, frame):
        raise Interrupted(number)

    before = signal.signal(signal.SIGINT, interrupt)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("case", MISDEEDS)
@pytest.mark.usefixtures("ctrl_c_is_ours")
def test_a_misdeed_ends_its_run_and_no_other(case, folder, undisturbed):
    code, words = MISDEEDS[case]
    shared = shared_state()
    histories = trained(folder, code)
    mine = histories["mine"]
    assert mine.status is Status.FAILED
    assert mine.failure is not None
    message = mine.failure.message
    assert words in message
    assert f", mine.py:{marked(code, method(message))}. Fix: " in message
    assert mine.failure.step == step_of(message)
    assert (" raised " in message) == ("Traceback" in mine.failure.log)
    for label in ("adam", "sgdm"):
        assert_same_bits(undisturbed[label], histories[label])
    assert shared == shared_state()


def shared_state() -> list[str]:
    """What all runs of a process share."""
    random = [np.array(part).tobytes().hex() for part in np.random.get_state()]  # noqa: NPY002
    return [str(np.geterr()), *random, os.getcwd(), str(sys.stdout), str(sys.stderr)]


def method(message: str) -> str:
    """The method that a message blames: `update` of `step 7: update returned None`."""
    return message.partition(": ")[2].split()[0]


def step_of(message: str) -> int:
    """The step at which a run failed, of 12 in epochs of 4."""
    words = {"before step 1": 0, "at an evaluation": 4, "at the end": 12}
    when = message.partition(":")[0]
    return words[when] if when in words else int(when.removeprefix("step "))


def test_there_are_many_kinds_of_misdeeds():
    assert len(MISDEEDS) >= 25


def test_metrics_and_traces_are_kept_up_to_the_failure(folder):
    code, _ = MISDEEDS["raises at a later step"]
    failed, whole = trained(folder, code)["mine"], trained(folder, misbehaving())["mine"]
    assert failed.epochs.tolist() == [1]
    np.testing.assert_array_equal(failed.metrics["test_loss"], whole.metrics["test_loss"][:1])
    assert np.isnan(failed.final("test_loss"))
    for name, values in failed.traces["W1[0,0]"].items():
        np.testing.assert_array_equal(values, whole.traces["W1[0,0]"][name][:6])


def test_the_code_is_not_called_again_once_it_has_failed(folder):
    code = misbehaving("with open('calls', 'a') as f:\n    f.write('x')\nraise ValueError")
    trained(folder, code)
    assert (folder / "calls").read_text() == "x"


def test_the_log_is_the_traceback_of_the_users_code_alone(folder):
    code = misbehaving("helper()", rest="").replace(
        "@data", "def helper():\n    1 / 0  # here\n\n@data", 1
    )
    failure = trained(folder, code)["mine"].failure
    assert failure is not None
    assert f", mine.py:{marked(code)}. Fix" in failure.message  # the innermost line of the user's
    assert failure.log.startswith("Traceback (most recent call last):\n")
    assert re.findall(r'File "(.*?)", line \d+, in (\w+)', failure.log) == [
        ("mine.py", "update"),
        ("mine.py", "helper"),
    ]
    assert failure.log.endswith("ZeroDivisionError: division by zero\n")


def test_a_real_interrupt_is_not_taken_for_a_misdeed(folder):
    raising = misbehaving("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):  # Python's own handler is in place
        trained(folder, raising)
    ours = misbehaving("from adamcli.errors import Interrupted\nraise Interrupted(15)")
    with pytest.raises(Interrupted):
        trained(folder, ours)


def test_prints_go_to_stderr_without_control_characters(folder, capsys):
    trained(folder, misbehaving(r"print('\x1b[2Jhello', step.t); sys.stderr.write('there\n')"))
    captured = capsys.readouterr()
    assert captured.out == ""
    assert "\\x1b[2Jhello 1\nthere\n" in captured.err


def test_prints_share_stderr_with_a_live_table(folder, monkeypatch):
    terminal = io.StringIO()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("TERM", "xterm")
    (folder / "own.yaml").write_text(EXPERIMENT)
    mine = plugins.load(write(folder, misbehaving("print('hello', step.t)")).relative_to(folder))
    runs = config.load(folder / "own.yaml", plugins=[mine]).runs
    console = Console(stderr=True, force_terminal=True, color_system=None, width=120)
    with LiveView(runs, console, "live", clock=itertools.count(step=100).__next__) as view:
        for progress in train_runs(runs):
            view.update(progress)
    text = terminal.getvalue()
    assert [text.count(f"hello {t}\n") for t in range(1, 13)] == [1] * 12
    assert re.search(r"mine +1/3 ", text)


def test_runs_share_neither_globals_nor_class_attributes(folder):
    hidden = misbehaving(
        "Mine.calls.append(step.t)\nSEEN.append(step.t)\n"
        "assert Mine.calls == SEEN == list(range(1, step.t + 1))\nreturn -step.lr * grads",
        rest="calls = []",
    ).replace("@data", "SEEN = []\n\n@data", 1)
    histories = trained(folder, hidden, "train.seeds=3")
    assert [h.status for h in histories.values()] == [Status.FINISHED] * 9


def test_bits_of_a_plugin_do_not_depend_on_company_or_workers(folder):
    together = trained(folder, GOOD, "train.seeds=4")
    spread = trained(folder, GOOD, "train.seeds=4", jobs=2)
    for label, history in together.items():
        assert_same_bits(history, spread[label])
    alone = trained(folder, GOOD, "train.seeds=[2]", "trace.params=[]")["mine2"]
    assert_same_bits(alone, together["mine2"])


def test_a_plugin_that_is_a_builtin_rule_has_its_bits(folder):
    """SGDM with lr outside the velocity, in another order of the same operations."""
    histories = trained(folder, GOOD, "mine.lr=0.001", "train.clip_norm=0.5")
    for name, values in histories["sgdm"].metrics.items():
        np.testing.assert_allclose(histories["mine"].metrics[name], values, rtol=1e-12)


def test_workers_run_what_was_loaded_even_if_the_file_changes(folder, undisturbed):
    (folder / "own.yaml").write_text(EXPERIMENT)
    mine = plugins.load(write(folder, GOOD).relative_to(folder))
    runs = config.load(folder / "own.yaml", plugins=[mine]).runs
    write(folder, "syntax error")
    histories = [h for news in train_runs([*runs, *runs], jobs=2) for h in news.finished]
    assert len(histories) == 6
    for history in histories:
        assert_same_bits(undisturbed[history.label], history)


def test_long_messages_are_cut(folder):
    failure = trained(folder, misbehaving("raise ValueError('x' * 10_000_000)"))["mine"].failure
    assert failure is not None
    assert len(failure.message) < 500
    assert 9_000 < len(failure.log) < 11_000
    assert failure.log.startswith("Traceback")


def test_the_log_quotes_the_lines_that_ran_even_if_the_file_changes(folder):
    code = misbehaving("import pathlib\npathlib.Path('mine.py').write_text('#\\n' * 99)\n1 / 0")
    failure = trained(folder, code)["mine"].failure
    assert failure is not None
    assert "in update\n    1 / 0\n" in failure.log
    assert (folder / "mine.py").read_text() == "#\n" * 99


def test_failures_come_back_from_workers(folder):
    code, words = MISDEEDS["raises KeyboardInterrupt"]
    histories = trained(folder, code, "train.seeds=2", jobs=2)
    for label in ("mine", "mine1"):
        failure = histories[label].failure
        assert failure is not None
        assert words in failure.message
        assert "raise KeyboardInterrupt" in failure.log
    assert histories["adam1"].status is Status.FINISHED


def test_a_guarded_rule_can_be_pickled_with_its_code(folder):
    path = write(folder, GOOD)
    rule = plugins.load(path).rule({"lr": 0.5, "beta": 0.5, "turbo": False})
    again = pickle.loads(pickle.dumps(rule))
    path.unlink()
    assert again == rule
    params = np.ones((1, LAYOUT.size))
    state = again.init(params, LAYOUT)
    step = Step(1, 0.5, params, LAYOUT, *(np.empty_like(params) for _ in range(3)))
    np.testing.assert_array_equal(again.update(params, state, step), -0.5)
    np.testing.assert_array_equal(state["m"], 1)


def test_an_averaging_plugin_is_evaluated_where_it_says(folder, undisturbed):
    zero = trained(
        folder, misbehaving(rest="def evaluated(self, params, state):\n    return params*0")
    )
    assert zero["mine"].status is Status.FINISHED
    assert all(not values.any() for values in zero["mine"].params.values())
    assert_same_bits(undisturbed["adam"], zero["adam"])


def test_what_is_loaded_names_file_hash_and_settings(folder):
    plugin = plugins.load(write(folder, GOOD))
    assert (plugin.name, plugin.path) == ("mine", folder / "mine.py")
    assert plugin.sha256 == hashlib.sha256(GOOD.encode()).hexdigest()
    kinds = [(s.name, s.kind, s.default, s.range) for s in settings_of(plugin.rule_class)]
    assert kinds == [
        ("lr", float, 0.05, ""),
        ("beta", float, 0.9, "0 <= x < 1"),
        ("turbo", bool, False, ""),
    ]
    assert plugin.rule_class.panels == ()
    assert plugin.rule_class().trace({}, np.ones(3), np.ones(3)) == {}
    assert plugin.fact == "Momentum of my own."


def test_panels_may_be_plain_pairs(folder):
    code = GOOD.replace("    lr:", "    panels = [('m', ['grad', 'm'])]\n    lr:")
    assert plugins.load(write(folder, code)).panels == (Panel("m", ("grad", "m")),)


@pytest.mark.parametrize("case", UNUSABLE)
def test_what_cannot_be_used_is_refused_with_its_line(case, folder):
    name, code, words = UNUSABLE[case]
    path = folder / f"{name}.py"
    path.write_bytes(code.encode("utf-8", "surrogateescape"))
    shared = shared_state()
    with pytest.raises(PluginError) as caught:
        plugins.load(path.relative_to(folder))
    message = str(caught.value)
    assert caught.value.exit_code == 2
    assert words in message
    assert ". Fix: " in message
    assert f", {name}.py" in message
    if "# here" in code:
        assert f", {name}.py:{marked(code)}. Fix: " in message
    assert shared_state() == shared


@pytest.mark.parametrize("name", ["gone.py", ".", "mine.txt", "pipe.py", "large.py"])
def test_what_is_no_file_is_refused_at_once(name, folder):
    os.mkfifo(folder / "pipe.py")
    write(folder, "#" * (2**20 + 1), "large")
    (folder / "mine.txt").write_text(GOOD)
    with pytest.raises(PluginError, match="Fix: "):
        plugins.load(Path(name))


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("turbo", "decay", "the plug-in has a setting decay, a word that has another meaning"),
        ("turbo", "label", "the plug-in has a setting label, "),
        ("turbo", "copy", "the plug-in has a setting copy, "),
        ("turbo", "model_x", "the plug-in has a setting model_x, "),
        ("setting(0.9", "setting(1.5", "the plug-in's default of beta is not in its own range"),
        ("= 0.05", "= float('nan')", "the plug-in's default of lr is not in its own range"),
    ],
)
def test_settings_that_no_experiment_could_have_are_refused(before, after, words, folder):
    (folder / "own.yaml").write_text(EXPERIMENT)
    code = "\n".join(
        f"{line.replace(before, after)}  # here" if before in line else line
        for line in GOOD.splitlines()
    )
    mine = plugins.load(write(folder, code).relative_to(folder))
    with pytest.raises(PluginError) as caught:
        config.load(folder / "own.yaml", plugins=[mine])
    assert str(caught.value).startswith(words)
    assert f", mine.py:{marked(code)}. Fix: " in str(caught.value)


@pytest.mark.parametrize(
    "path", sorted((ROOT / "configs/plugins").glob("*.py")), ids=lambda p: p.stem
)
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_shipped_plugins_train_on_any_number_of_rows(path, dtype):
    rule = plugins.load(path).rule_class()
    params = np.random.default_rng(0).normal(size=(3, LAYOUT.size)).astype(dtype)
    grads = params * 2
    state, alone = rule.init(params, LAYOUT), rule.init(params[[1]], LAYOUT)
    for t in range(1, 4):
        update = rule.update(grads, state, _step(t, params))
        own = rule.update(grads[[1]], alone, _step(t, params[[1]]))
        assert update.dtype == params.dtype
        np.testing.assert_array_equal(update[[1]], own)
    assert ((update * grads) < 0).all()


def _step(t: int, params: np.ndarray) -> Step:
    return Step(t, 0.1, params, LAYOUT, *(np.empty_like(params) for _ in range(3)))


def test_a_rule_error_names_its_place():
    error = RuleError("step 1: update returned None", where="mine.py:3", fix="return it", log="x")
    assert str(error) == "step 1: update returned None, mine.py:3. Fix: return it"
    assert (error.exit_code, error.log) == (3, "x")
