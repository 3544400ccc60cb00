"""Optimizers of the user's own on the command line: runs, failures, saved runs, nothing unasked."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time

import jsonschema
import numpy as np
import pytest
from conftest import ROOT
from directories import save
from plugin_files import GOOD, TINY, marked, misbehaving, write

from adamcli import config
from adamcli.store import RunDirectory

OWN = f"{TINY}plugins: [mine.py]\noptimizers: [{{name: adam, lr: 0.01}}, {{name: mine}}]\n"
FAILING = misbehaving("if step.t == 7:\n    raise ValueError('[red]no\\x1b[31m')  # here")
LINE = marked(FAILING)
CANARY = GOOD.replace("@data", "open('canary', 'a').close()\n\n@data", 1)
BARE = ("--no-figures", "--json")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(f"{TINY}optimizers: [{{name: adam, lr: 0.01}}]\n")
    (tmp_path / "own.yaml").write_text(OWN)
    write(tmp_path, GOOD)
    return tmp_path


@pytest.fixture
def document(cli):
    """The JSON document of a command line that ends with a certain code."""

    def call(*args, code=0):
        got, out, err = cli(*args, *BARE)
        assert got == code, err
        return json.loads(out)

    return call


def latest(folder) -> RunDirectory:
    return RunDirectory((folder / "outputs/latest").resolve())


def test_compare_takes_a_plugin_by_its_name(document, folder):
    got = document("compare", "mine", "adam", "--config", "tiny.yaml", "--plugin", "mine.py")
    assert [(r["optimizer"], r["status"], r["error"]) for r in got["results"]] == [
        ("mine", "finished", None),
        ("adam", "finished", None),
    ]
    assert (folder / got["run"] / "mine.py").read_text() == GOOD
    assert "\nplugins: [mine.py]\n" in (folder / got["run"] / "config.yaml").read_text()
    (entry,) = json.loads((folder / got["run"] / "manifest.json").read_text())["plugins"]
    assert entry["name"] == "mine"
    assert entry["settings"] == ["lr", "beta", "turbo"]


def test_the_option_and_the_file_name_the_same_experiment(document, folder):
    (folder / "other.yaml").write_text(OWN.replace("plugins: [mine.py]\n", ""))
    assert document("run", "other.yaml", "--plugin", "mine.py") == document("run", "own.yaml")
    assert document("run", "own.yaml", "--plugin", "mine.py") == document("run", "own.yaml")


def test_a_shipped_plugin_is_found_from_any_folder(document):
    plain = "configs/plugins/plain_sign.py"
    got = document("compare", "plain_sign", "--config", "tiny.yaml", "--plugin", plain)
    assert got["results"][0]["status"] == "finished"


def test_the_content_of_the_file_decides_the_directory_and_its_place_does_not(document, folder):
    first = document("run", "own.yaml")["run"]
    write(folder, f"{GOOD}# a word more\n")
    assert document("run", "own.yaml")["run"] != first
    (folder / "elsewhere").mkdir()
    write(folder / "elsewhere", GOOD)
    os.chdir(folder / "elsewhere")
    (folder / "elsewhere/own.yaml").write_text(OWN)
    again = document("run", folder / "elsewhere/own.yaml", "--out", folder / "outputs")["run"]
    assert again.endswith(first)


def test_a_saved_experiment_gives_the_same_directory_and_numbers(document, folder):
    first = document("run", "own.yaml")
    saved = folder / first["run"]
    write(folder, "gone")
    assert document("run", saved / "config.yaml") == first
    again = document("run", saved / "config.yaml", "--out", "again")
    assert again["run"] == first["run"].replace("outputs", "again")
    for name in ("metrics.csv", "params.npz", "mine.py", "config.yaml"):
        assert (folder / again["run"] / name).read_bytes() == (saved / name).read_bytes()


def test_settings_of_a_plugin_are_set_swept_and_checked(document, cli, folder):
    swept = ["--set", "mine.beta=0.5", "--set", "sweep={mine.lr: [0.1, 0.2]}"]
    got = document("run", "own.yaml", *swept)
    assert [r["label"] for r in got["results"]] == ["adam", "mine lr=0.1", "mine lr=0.2"]
    resolved = json.loads(cli("config", "show", "own.yaml", "--json", *swept)[1])["config"]
    assert (resolved["optimizers"][1]["beta"], resolved["optimizers"][1]["turbo"]) == (0.5, False)
    assert [h.label for h in latest(folder).load().histories][1:] == ["mine lr=0.1", "mine lr=0.2"]
    code, _, err = cli("config", "check", "own.yaml", "--set", "mine.beta=1", "--set", "mine.bta=1")
    assert code == 2
    assert "expected a number with 0 <= x < 1, got 1, --set #1" in err
    assert "unknown key 'bta' for mine, --set #2 (mine.bta=1). Fix: did you mean 'beta'?" in err


def test_names_of_plugins_are_suggested(cli):
    compare = ["compare", "mien", "--plugin", "mine.py", "--config", "tiny.yaml"]
    assert "unknown optimizer 'mien', OPT. Fix: did you mean 'mine'?" in cli(*compare)[2]
    check = ["config", "check", "own.yaml", "--set", "optimizers=[{name: mien}]"]
    assert "Fix: did you mean 'mine'?" in cli(*check)[2]
    _, _, err = cli("config", "check", "tiny.yaml", "--set", "optimizers=[{name: my_own_thing}]")
    assert "; name the file of your own with --plugin" in err


def test_config_show_says_where_a_plugin_comes_from(cli, folder):
    (folder / "other.yaml").write_text(OWN.replace("plugins: [mine.py]\n", ""))
    for config_file, origin in (("own.yaml", "own.yaml:6"), ("other.yaml", "--plugin")):
        given = ["--plugin", "mine.py"] * (config_file == "other.yaml")
        _, out, _ = cli("config", "show", config_file, *given)
        (line,) = (line for line in out.splitlines() if line.startswith("plugins:"))
        assert line.split() == ["plugins:", f"[{folder}/mine.py]", "#", origin]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["run", "tiny.yaml", "--plugin", "mine.py"], "no optimizer of the experiment is mine"),
        (["run", "tiny.yaml", "--plugin", "mien.py"], "no such plug-in, mien.py. Fix: did you"),
        (["run", "tiny.yaml", "--plugin", "broken.py"], "SyntaxError: invalid syntax, broken.py:1"),
        (["run", "own.yaml", "--plugin", "x/mine.py"], "two plug-ins called mine, x/mine.py and "),
        (["run", "own.yaml", "--set", "plugins=[a.py]"], "no plug-in '"),
        (["run", "own.yaml", "--set", "plugins=mine.py"], "expected a list, got 'mine.py'"),
        (["run", "own.yaml", "--set", "plugins=[1]"], "expected a string, got 1"),
        (["run", "own.yaml", "--set", "sweep={plugins: [[mine.py]]}"], "cannot be swept"),
    ],
)
def test_mistakes_about_plugins_are_exit_2(args, words, cli, folder):
    (folder / "broken.py").write_text("def")
    (folder / "x").mkdir()
    write(folder / "x", f"{GOOD}#")
    code, out, err = cli(*args)
    assert (code, out) == (2, "")
    assert words in err
    assert "Fix: " in err
    assert not (folder / "outputs").exists()


def test_a_failed_run_is_shown_saved_and_exit_3(cli, folder):
    write(folder, FAILING)
    code, out, err = cli("run", "own.yaml", "--seeds", "2")
    assert code == 3
    assert re.search(r"mine +2 of 2 failed +1 +inf", out)
    what = r"step 7: update raised ValueError: [red]no\x1b[31m"
    reason = f"{what}, mine.py:{LINE}. Fix: mend the plug-in"
    assert f"mine failed: {reason}" in " ".join(out.split())
    path = latest(folder).path
    assert err.endswith(
        f"error: 2 of 4 runs failed, outputs/{path.name}/error.log. "
        "Fix: mend the optimizer and run the command again\n"
    )
    assert "epoch 3/3  adam 0." in err
    assert "  mine failed  (" in err
    log = (path / "error.log").read_text()
    assert log.count(f"{reason}; error.log has the traceback\nTraceback") == 2
    assert log.count(f'  File "mine.py", line {LINE}, in update\n') == 2
    assert "\x1b" not in out + err + log
    names = {figure.name for figure in (path / "figures").iterdir()}
    drawn = {"boundary.png", "curves.png", "seeds.png", "targets.png"}
    assert names == drawn | {"trace-adam.png", "trace-mine.png"}


def test_a_failed_run_is_not_trained_again_and_fails_the_command_again(cli, folder):
    write(folder, FAILING)
    _, first, _ = cli("run", "own.yaml", "--no-figures")
    before = (folder / "outputs/latest/metrics.csv").stat().st_mtime_ns
    code, second, err = cli("run", "own.yaml", "--no-figures")
    assert (code, second) == (3, first)
    assert "all 2 runs are done already" in err
    assert "error: 1 of 2 runs failed" in err
    assert (folder / "outputs/latest/metrics.csv").stat().st_mtime_ns == before
    assert cli("show")[:2] == (0, first)


def test_a_failed_run_is_in_every_document(document, folder):
    write(folder, FAILING)
    compare = ["compare", "adam", "mine", "--config", "own.yaml", "--seeds", "2"]
    got = document(*compare, code=3)
    mine = [r for r in got["results"] if r["label"] == "mine"]
    assert {(r["status"], r["epochs"], r["test_loss"]) for r in mine} == {("failed", 1, None)}
    assert all(f"mine.py:{LINE}" in r["error"] for r in mine)
    assert [(s["finished"], s["diverged"], s["failed"]) for s in got["summaries"]] == [
        (2, 0, 0),
        (0, 0, 2),
    ]
    assert [wins["alone"] for wins in got["wins"]] == [2, 0]
    manifest = json.loads((folder / got["run"] / "manifest.json").read_text())
    assert [r["status"] for r in manifest["runs"]] == ["finished"] * 2 + ["failed"] * 2
    assert "mine,mine,0,1," in (folder / got["run"] / "metrics.csv").read_text()
    assert "failed" in (folder / got["run"] / "summary.csv").read_text().splitlines()[0]


def test_quiet_says_nothing_but_that_runs_failed(cli, folder):
    assert cli("run", "own.yaml", "--quiet") == (0, "", "")
    write(folder, FAILING)
    code, out, err = cli("run", "own.yaml", "--quiet", "--no-figures")
    assert (code, out) == (3, "")
    assert re.fullmatch(r"error: 1 of 2 runs failed, outputs/.*/error\.log\. Fix: .*\n", err)


def test_a_mended_optimizer_leaves_no_error_log(cli, folder):
    flag = "import pathlib\nif pathlib.Path('flag').exists():\n    raise ValueError"
    write(folder, misbehaving(flag))
    (folder / "flag").touch()
    assert cli("run", "own.yaml", *BARE)[0] == 3
    assert (folder / "outputs/latest/error.log").exists()
    (folder / "flag").unlink()
    assert cli("run", "own.yaml", "--fresh", *BARE)[0] == 0
    assert not (folder / "outputs/latest/error.log").exists()
    assert cli("show")[0] == 0


@pytest.mark.parametrize("code", [misbehaving(init="1 / 0"), misbehaving("1 / 0"), FAILING])
@pytest.mark.parametrize("others", ["{name: adam}, ", ""])
def test_figures_are_drawn_with_failed_runs_and_with_nothing_else(cli, folder, code, others):
    write(folder, code)
    (folder / "own.yaml").write_text(OWN.replace("{name: adam, lr: 0.01}, ", others))
    code, out, err = cli("run", "own.yaml", "--seeds", "2")
    assert code == 3
    assert "warning" not in err
    assert "2 of 2 failed" in out
    assert {"boundary.png", "curves.png"} <= set(os.listdir(folder / "outputs/latest/figures"))
    assert cli("plot")[0] == 0


def test_the_curves_of_others_stay_when_a_run_fails_before_any_evaluation(document, folder):
    from adamcli import figures

    write(folder, misbehaving(init="1 / 0"))
    document("run", "own.yaml", code=3)
    plans, notes = figures.plan(latest(folder).load())
    curves = next(plan for plan in plans if plan.name == "curves").draw()
    assert notes == []
    panels = [axes for axes in curves.axes if axes.get_title("left")]
    assert len(panels) == 4
    for axes in panels:
        assert any(len(line.get_xdata()) == 3 for line in axes.lines)
        assert any(line.get_marker() == "x" for line in axes.lines)


def test_looking_at_saved_runs_executes_nothing(cli, folder):
    write(folder, CANARY)
    assert cli("run", "own.yaml", "--quiet")[0] == 0
    assert (folder / "canary").exists()
    (folder / "canary").unlink()
    for command in (
        ["show"],
        ["show", "--json"],
        ["runs"],
        ["plot", "--format", "svg"],
        ["plot-trace"],
        ["plot-trace", "--json", "--log"],
    ):
        code, out, err = cli(*command)
        assert (code, err.startswith("error")) == (0, False), command
        assert out
        assert not (folder / "canary").exists(), command
    code, _, err = cli("plot-trace", "--optimizer", "mine", "--param", "b1[2]")
    assert code == 2
    assert "error: mine is a plug-in, whose code does not run unasked. Fix: add --plugin " in err
    assert not (folder / "canary").exists()


def test_plot_trace_executes_the_plugin_that_it_is_given(cli, folder):
    write(folder, CANARY)
    cli("run", "own.yaml", *BARE)
    (folder / "canary").unlink()
    args = ["plot-trace", "--optimizer", "mine", "--json"]
    recorded = json.loads(cli(*args, "--param", "W1[0,0]")[1])["traces"][0]["series"]
    assert recorded.keys() == {"grad", "update", "m"}
    code, out, err = cli(*args, "--param", "b1[2]", "--plugin", "mine.py")
    assert (code, err) == (0, "")
    assert (folder / "canary").exists()
    again = json.loads(out)["traces"][0]["series"]
    assert len(again["m"]) == 12
    np.testing.assert_allclose(again["update"], -0.05 * np.array(again["m"]))


@pytest.mark.parametrize("changed", ["mine.py", "other.py"])
def test_plot_trace_refuses_another_file_and_does_not_execute_it(cli, folder, changed):
    cli("run", "own.yaml", *BARE)
    write(folder, CANARY, changed.removesuffix(".py"))
    code, out, err = cli("plot-trace", "--param", "b1[2]", "--plugin", changed)
    assert (code, out) == (2, "")
    words = {"mine.py": "not the plug-in that the run was trained with (SHA-256 differs), mine.py"}
    assert words.get(changed, "no plug-in other in this run") in err
    assert not (folder / "canary").exists()


def test_plot_trace_passes_over_what_failed_before_the_first_step(cli, folder):
    write(folder, misbehaving(init="1 / 0"))
    cli("run", "own.yaml", *BARE)
    code, out, err = cli("plot-trace")
    assert (code, err) == (0, "mine, seed 0: failed before the first step\n")
    assert [line.rsplit("/", 1)[1] for line in out.splitlines()] == ["trace-adam.png"]
    assert cli("plot-trace", "--optimizer", "mine")[0] == 2


def test_a_changed_copy_is_damage(cli, folder):
    cli("run", "own.yaml", *BARE)
    copy = folder / "outputs/latest/mine.py"
    copy.write_text(CANARY)
    code, _, err = cli("show")
    assert code == 6
    assert "mine.py" in err


def test_missing_runs_are_trained_and_failed_ones_kept(cli, document, folder):
    write(folder, FAILING)
    document("run", "own.yaml", "--seeds", "3", code=3)
    directory = latest(folder)
    whole = (directory.path / "metrics.csv").read_bytes()
    log = (directory.path / "error.log").read_bytes()
    result = directory.load()
    save(directory, result.experiment, [h for h in result.histories if h.seed != 1])
    assert json.loads(cli("show", "--json")[1])["status"] == "interrupted"
    assert document("run", "own.yaml", "--seeds", "3", code=3)["status"] == "finished"
    assert (directory.path / "metrics.csv").read_bytes() == whole
    assert (directory.path / "error.log").read_bytes() == log


def test_jobs_change_nothing(document, folder):
    write(folder, FAILING)
    alone = document("run", "own.yaml", "--seeds", "4", code=3)
    shared = document("run", "own.yaml", "--seeds", "4", "--jobs", "2", "--fresh", code=3)
    assert shared == alone


def test_prints_leave_stdout_to_the_document(cli, folder):
    write(folder, misbehaving("print('hello', step.t)"))
    code, out, err = cli("run", "own.yaml", *BARE)
    assert code == 0
    assert json.loads(out)["status"] == "finished"
    assert err.splitlines() == [f"hello {t}" for t in range(1, 13)]


def test_ctrl_c_during_the_users_code_stops_the_training(folder):
    write(folder, misbehaving("import time\nprint('now', flush=True)\ntime.sleep(60)"))
    command = [sys.executable, "-m", "adamcli", "run", "own.yaml"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stderr=subprocess.PIPE, env=environment) as process:
        assert process.stderr is not None
        assert process.stderr.readline() == b"now\n"
        process.send_signal(signal.SIGINT)
        start = time.monotonic()
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert time.monotonic() - start < 5
    assert b"interrupted: saved 0 of 2 runs" in err


def test_the_schema_lets_a_file_with_plugins_name_other_optimizers():
    validator = jsonschema.Draft7Validator(config.schema())
    mine = {"optimizers": [{"name": "mine", "lr": 1}]}
    assert validator.is_valid({**mine, "plugins": ["mine.py"]})
    assert not validator.is_valid(mine)
    assert not validator.is_valid({**mine, "plugins": []})
    assert not validator.is_valid({"plugins": ["a.py"], "optimizers": [{"name": "sgd", "x": 1}]})
