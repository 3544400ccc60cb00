"""The command line: what it prints where, and every exit code."""

from __future__ import annotations

import json
import math
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

import jsonschema
import pytest
from conftest import ROOT, SHIPPED
from directories import save

TINY = """
name: tiny
dataset: {name: moons, samples: 60, test_samples: 30}
model: {hidden: [6]}
train: {epochs: 3, batch_size: 16}
optimizers: [{name: sgdm, lr: 0.05}, {name: adam, lr: 0.01}]
"""
SHORT = ["--set", "train.epochs=2", "--seeds", "2", "--no-figures"]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tiny.yaml").write_text(TINY)
    return tmp_path


def process(*args, **options):
    """Start a command line as a process of its own."""
    command = [sys.executable, "-m", "adamcli", *map(str, args)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)} | options.pop("env", {})
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment, **options
    )


def test_run_leaves_the_documented_files_and_says_where(cli, folder):
    code, out, err = cli("run", "tiny.yaml")
    (directory,) = (path for path in (folder / "outputs").iterdir() if not path.is_symlink())
    assert code == 0
    assert re.fullmatch(r"tiny-[0-9a-f]{8}", directory.name)
    names = {str(p.relative_to(directory)) for p in directory.rglob("*") if p.is_file()}
    assert names - {".lock"} == {
        *("config.yaml", "metrics.csv", "summary.csv", "summary.json", "traces.npz"),
        *("params.npz", "manifest.json", "figures/curves.png", "figures/boundary.png"),
        *("figures/trace-sgdm.png", "figures/trace-adam.png"),
    }
    assert (folder / "outputs/latest").resolve() == directory
    assert out.startswith("tiny\n")
    assert "sgdm" in out
    assert "epoch 3/3" in err
    assert f"saved outputs/{directory.name}\n" in err
    assert "next: adamcli plot-trace" in err


def test_what_it_says_to_try_next_works(cli):
    for hidden in ("[2]", "[1, 1]", "[8, 8]"):
        _, _, err = cli("run", "tiny.yaml", "--set", f"model.hidden={hidden}", "--no-figures")
        hint = re.search(r"next: adamcli (.*)  \(", err)[1]
        assert cli(*shlex.split(hint))[0] == 0


def test_run_again_trains_nothing_and_prints_the_same(cli, folder):
    _, first, _ = cli("run", "tiny.yaml", "--no-figures")
    before = (folder / "outputs/latest/metrics.csv").stat().st_mtime_ns
    code, second, err = cli("run", "tiny.yaml", "--no-figures")
    assert (code, second) == (0, first)
    assert "all 2 runs are done already" in err
    assert (folder / "outputs/latest/metrics.csv").stat().st_mtime_ns == before


def test_fresh_trains_anew_with_the_same_numbers(cli, folder):
    cli("run", "tiny.yaml", "--no-figures")
    metrics = folder / "outputs/latest/metrics.csv"
    before, content = metrics.stat().st_mtime_ns, metrics.read_bytes()
    code, _, err = cli("run", "tiny.yaml", "--no-figures", "--fresh")
    assert code == 0
    assert "epoch 3/3" in err
    assert metrics.stat().st_mtime_ns > before
    assert metrics.read_bytes() == content


def test_missing_runs_are_trained_and_finished_ones_are_not(cli, folder):
    cli("run", "tiny.yaml", "--seeds", "2", "--no-figures")
    path = (folder / "outputs/latest").resolve()
    whole = (path / "metrics.csv").read_bytes()
    from adamcli.store import RunDirectory

    result = RunDirectory(path).load()
    save(RunDirectory(path), result.experiment, result.histories[:3])
    assert json.loads(cli("show", "--json")[1])["status"] == "interrupted"
    _, out, _ = cli("run", "tiny.yaml", "--seeds", "2", "--no-figures", "--json")
    assert json.loads(out)["status"] == "finished"
    assert (path / "metrics.csv").read_bytes() == whole


def test_figures_that_are_missing_are_drawn_later(cli, folder):
    cli("run", "tiny.yaml", "--no-figures")
    assert not (folder / "outputs/latest/figures").exists()
    _, out, _ = cli("run", "tiny.yaml", "--json")
    assert len(json.loads(out)["figures"]) == 4
    (folder / "outputs/latest/figures/curves.png").unlink()
    _, out, _ = cli("run", "tiny.yaml", "--json", "--format", "svg,png")
    assert len(json.loads(out)["figures"]) == 8
    assert (folder / "outputs/latest/figures/curves.png").exists()


def test_json_is_one_document_and_nothing_else(cli):
    code, out, err = cli("run", "tiny.yaml", "--json", "--seeds", "2", "--no-figures")
    document = json.loads(out)
    assert (code, err) == (0, "")
    assert [*document] == ["run", "status", "results", "figures", "verdicts"]
    assert document["status"] == "finished"
    assert [(r["label"], r["seed"]) for r in document["results"]] == [
        ("sgdm", 0),
        ("sgdm", 1),
        ("adam", 0),
        ("adam", 1),
    ]
    for result in document["results"]:
        assert {"label", "optimizer", "seed", "status", "epochs", "train_loss"} <= result.keys()
        assert {"train_accuracy", "test_loss", "test_accuracy"} <= result.keys()
        assert result["epochs"] == 3


def test_a_diverged_run_is_a_result(cli):
    wild = ["run", "tiny.yaml", "--set", "sgdm.lr=1e300", "--seeds", "2", "--set", "train.epochs=9"]
    code, out, _ = cli(*wild)
    assert code == 0
    assert "2 of 2 diverged" in out
    document = json.loads(cli(*wild, "--json")[1])
    gone = [result for result in document["results"] if result["label"] == "sgdm"]
    assert {(r["status"], r["train_loss"]) for r in gone} == {("diverged", None)}
    assert all(r["diverged_at"] > 0 for r in gone)
    assert "figures/curves.png" in document["figures"][1]


def test_quiet_prints_nothing(cli):
    assert cli("run", "tiny.yaml", "--quiet") == (0, "", "")
    assert cli("compare", "sgd", "adam", "--quiet", "--config", "tiny.yaml") == (0, "", "")


def test_compare_pairs_optimizers_on_the_same_seeds(cli):
    args = ["compare", "adam", "sgd", "--config", "tiny.yaml", "--seeds", "4"]
    code, out, _ = cli(*args)
    assert code == 0
    assert "adam" in out
    document = json.loads(cli(*args, "--json", "--no-figures")[1])
    assert len(document["results"]) == 8
    assert [summary["label"] for summary in document["summaries"]] == ["adam", "sgd"]
    assert sum(w["alone"] + w["shared"] for w in document["wins"]) >= 4
    settings = json.loads(cli("config", "show", document["run"] + "/config.yaml", "--json")[1])
    assert [o["lr"] for o in settings["config"]["optimizers"]] == [0.01, 0.001]


def test_json_has_the_verdict_on_every_pair_and_metric(cli):
    args = ["compare", "adam", "sgd", "rmsprop", "--config", "tiny.yaml", "--no-figures"]
    document = json.loads(cli(*args, "--json", "--seeds", "6")[1])
    verdicts = document["verdicts"]
    pairs = [("adam", "sgd"), ("adam", "rmsprop"), ("sgd", "rmsprop")]
    targets = [f"steps to test_accuracy {value}" for value in (0.9, 0.95, 0.99)]
    assert [(v["metric"], v["a"], v["b"]) for v in verdicts] == [
        (metric, *pair) for metric in ("test_loss", "test_accuracy", *targets) for pair in pairs
    ]
    first = verdicts[0]
    losses = {(r["label"], r["seed"]): r["test_loss"] for r in document["results"]}
    ratios = [math.log(losses["adam", seed] / losses["sgd", seed]) for seed in range(6)]
    assert (first["n"], first["unit"]) == (6, "log ratio")
    assert first["difference"] == pytest.approx(sum(ratios) / 6, rel=1e-12)
    assert first["low"] < first["difference"] < first["high"]
    assert {"p", "p_adjusted", "p_together", "p_better", "detectable"} <= first.keys()
    # No seed shows anything of three pairs at six seeds: infinite, which JSON has not.
    assert verdicts[-1]["detectable"] is None
    words = {"a better", "b better", "not distinguishable"}
    assert {v["verdict"] for v in verdicts} <= words
    assert all(v["reason"] for v in verdicts)
    assert json.loads(cli("show", "--json")[1])["verdicts"] == verdicts


def test_verdicts_are_printed_below_the_table_where_seeds_are_paired(cli):
    args = ["run", "tiny.yaml", "--no-figures"]
    assert "erdict" not in cli(*args)[1]
    assert cli(*args, "--seeds", "3")[1].endswith("no verdict: 3 seeds, at least 6 are needed\n")
    _, out, _ = cli(*args, "--seeds", "6")
    assert "\nVerdicts over 6 paired seeds\n" in out
    assert out == cli("show")[1]
    alone = cli("compare", "adam", "--config", "tiny.yaml", "--seeds", "6", "--no-figures")
    assert alone[0] == 0
    assert "erdict" not in alone[1]


def test_compare_uses_the_standard_experiment_and_20_seeds(cli):
    args = ["compare", "sgdm", "rmsprop", "adam", "--set", "train.epochs=1", "--no-figures"]
    document = json.loads(cli(*args, "--json")[1])
    assert {result["seed"] for result in document["results"]} == set(range(20))
    settings = json.loads(cli("config", "show", document["run"] + "/config.yaml", "--json")[1])
    assert [o["lr"] for o in settings["config"]["optimizers"]] == [0.05, 0.003, 0.005]


def test_plot_trace_draws_what_was_recorded_and_retrains_the_rest(cli, folder):
    cli("run", "tiny.yaml", "--seeds", "2", "--no-figures")
    code, out, err = cli("plot-trace")
    assert (code, err) == (0, "")
    assert [line.rsplit("/", 1)[1] for line in out.splitlines()] == [
        "trace-sgdm.png",
        "trace-adam.png",
    ]
    code, out, err = cli(
        "plot-trace", "--optimizer", "adam", "--param", "b1[ 2 ]", "--seed", "1", "--log"
    )
    assert code == 0
    assert out.endswith("figures/trace-adam-b1-2-seed1-log.png\n")
    assert err == "adam, seed 1: b1[2] was not recorded, training again\n"
    assert "trace-adam-b1-2-seed1-log.png" in (folder / "outputs/latest/manifest.json").read_text()


def test_a_retrained_trace_has_the_bits_of_a_recorded_one(cli):
    cli("run", "tiny.yaml", "--seeds", "2", "--no-figures")
    _, out, _ = cli("plot-trace", "--json", "--param", "W2[3,0]", "--optimizer", "adam")
    again = json.loads(out)["traces"][0]["series"]
    recorded_params = ["--set", 'trace.params=["W2[3,0]"]', "--no-figures"]
    cli("run", "tiny.yaml", *recorded_params)
    recorded = json.loads(cli("plot-trace", "--json", "--optimizer", "adam")[1])["traces"][0]
    assert recorded["series"] == again
    assert {"m", "m_hat", "v", "v_hat", "effective_lr", "grad", "update"} <= again.keys()


def test_plot_trace_draws_layers_and_retrains_those_that_were_not_recorded(cli, folder):
    cli("run", "tiny.yaml", "--seeds", "2", "--no-figures")
    code, out, err = cli("plot-trace", "--layers", "--optimizer", "adam")
    assert (code, err) == (0, "adam, seed 0: layers were not recorded, training again\n")
    assert out.endswith("figures/layers-adam.png\n")
    _, again, _ = cli("plot-trace", "--layers", "--json")
    recorded = ["run", "tiny.yaml", "--seeds", "2", "--set", "trace.layers=true"]
    assert "layers-sgdm.png" in cli(*recorded)[2]
    assert cli("plot-trace", "--layers")[2] == ""
    document = json.loads(cli("plot-trace", "--layers", "--json")[1])
    assert document["layers"] == json.loads(again)["layers"]
    assert [(one["label"], one["seed"]) for one in document["layers"]] == [("sgdm", 0), ("adam", 0)]
    arrays = document["layers"][1]["arrays"]
    assert [*arrays] == ["W1", "b1", "W2", "b2"]
    assert {name: len(values) for name, values in arrays["W2"].items()} == dict.fromkeys(
        ("weight", "grad", "update", "ratio"), 12
    )
    out = cli("plot-trace", "--layers", "--seed", "1", "--optimizer", "adam", "--log")[1]
    assert out.endswith("figures/layers-adam-seed1-log.png\n")


def test_plot_trace_compares_labels_in_one_figure(cli):
    cli("run", "tiny.yaml", "--seeds", "2", "--no-figures")
    code, out, err = cli("plot-trace", "--compare")
    assert (code, err) == (0, "")
    assert out.endswith("figures/trace-compare.png\n")
    args = ["--compare", "--optimizer", "adam", "--optimizer", "sgdm", "--param", "b2[0]", "--json"]
    document = json.loads(cli("plot-trace", *args)[1])
    assert document["figures"][0].endswith("figures/trace-compare-b2-0-seed0.png")
    assert [trace["label"] for trace in document["traces"]] == ["adam", "sgdm"]
    assert all(len(trace["series"]["update"]) == 12 for trace in document["traces"])


def test_a_comparison_of_too_many_labels_says_which_are_left_out(cli):
    sweep = ["--set", "sweep={sgdm.lr: [1, 2, 3, 4, 5, 6, 7]}", "--set", "train.epochs=1"]
    cli("run", "tiny.yaml", *sweep, "--no-figures")
    code, _, err = cli("plot-trace", "--compare")
    assert (code, err) == (0, "note: the first 6 of 8 labels; --optimizer chooses others\n")
    document = json.loads(cli("plot-trace", "--compare", "--json")[1])
    assert len(document["traces"]) == 6


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--compare", "--optimizer", "adam"], "only 'adam' to compare, --compare. Fix: "),
        (["--layers", "--param", "W1[0,0]"], "--layers is of all parameters of one run, --param"),
        (["--layers", "--compare"], "--layers is of all parameters of one run, --compare"),
        (["--optimizer", "adam", "--optimizer", "sgmd"], "no label or optimizer 'sgmd'"),
        (["--optimizer", "adamm"], "no label or optimizer 'adamm'"),
        (["--seed", "7"], "no seed 7"),
        (["--param", "W9[0,0]"], "no array 'W9'"),
        (["--param", "W1[9,9]"], "W1 has the entries W1[0,0] to W1[1,5]"),
        (["--param", "x"], "not of the form W1[0,0]"),
    ],
)
def test_plot_trace_names_what_there_is(cli, args, words):
    cli("run", "tiny.yaml", "--no-figures", "--quiet")
    code, out, err = cli("plot-trace", *args)
    assert (code, out) == (2, "")
    assert words in err
    assert "Fix: " in err


def test_plot_redraws_every_figure(cli, folder):
    cli("run", "tiny.yaml", "--quiet", "--no-figures")
    code, out, _ = cli("plot", "tiny", "--format", "pdf")
    assert code == 0
    assert len(out.splitlines()) == 4
    assert (folder / "outputs/latest/figures/boundary.pdf").read_bytes().startswith(b"%PDF")


def test_show_and_runs_read_what_is_saved(cli):
    _, table, _ = cli("run", "tiny.yaml", "--no-figures")
    assert cli("show")[1] == cli("show", "tiny")[1] == table
    code, out, _ = cli("runs")
    assert code == 0
    assert "latest" in out
    (entry,) = json.loads(cli("runs", "--json")[1])["runs"]
    assert (entry["status"], entry["labels"]) == ("finished", ["sgdm", "adam"])


@pytest.mark.parametrize("what", ["optimizers", "datasets"])
def test_every_entry_of_a_registry_is_listed_and_explained(cli, what):
    entries = [each for rows in json.loads(cli(what, "--json")[1]).values() for each in rows]
    listed = cli(what)[1]
    for entry in entries:
        assert entry["name"] in listed
        code, page, _ = cli(what, entry["name"])
        assert code == 0
        assert all(setting["name"] in page for setting in entry["settings"])
        if what == "optimizers":
            assert all(word in page for word in ("Rule:", "Slots:", "Source:"))


def test_config_commands(cli):
    code, out, _ = cli("config", "check", "tiny.yaml")
    assert (code, out) == (0, "tiny.yaml is valid: 2 runs of sgdm, adam\n")
    code, out, _ = cli("config", "show", "tiny.yaml", "--set", "adam.lr=1e-3")
    assert "    lr: 0.001" in out
    assert "# --set #1" in out
    schema = json.loads(cli("config", "schema")[1])
    jsonschema.Draft7Validator.check_schema(schema)
    assert json.loads((ROOT / "configs/schema.json").read_text()) == schema


def test_config_show_prints_a_file_that_means_the_same(cli, folder):
    directory = json.loads(cli("config", "check", "tiny.yaml", "--json")[1])["directory"]
    (folder / "again.yaml").write_text(cli("config", "show", "tiny.yaml")[1])
    assert json.loads(cli("config", "check", "again.yaml", "--json")[1])["directory"] == directory


def test_doctor_names_versions_and_blas(cli):
    facts = json.loads(cli("doctor", "--json")[1])
    assert {"adamcli", "python", "packages", "blas", "processor", "fonts", "TERM"} <= facts.keys()
    assert "numpy" in cli("doctor")[1]


@pytest.mark.parametrize("path", SHIPPED)
def test_every_shipped_experiment_runs_and_matches_the_schema(cli, path):
    from adamcli import config

    code, out, _ = cli("run", path, *SHORT, "--json")
    assert (code, json.loads(out)["status"]) == (0, "finished")
    text = path.read_text()
    assert text.startswith("# yaml-language-server: $schema=schema.json\n#\n# ")
    assert re.search(r"\?\n", text), "opens with its question"
    assert re.search(r"[Aa]bout\s+(# )?\d+\s+(# )?seconds", text), "says its running time"
    schema = json.loads((path.parent / "schema.json").read_text())
    jsonschema.validate(config.load(path).resolved, schema)


def test_shipped_experiments_are_found_from_any_folder(cli):
    code, out, _ = cli("config", "check", "configs/spiral.yaml")
    assert code == 0
    assert out.startswith("configs/spiral.yaml is valid")


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (["rum"], 2, "No such command 'rum'"),
        (["run"], 2, "Missing argument 'CONFIG'"),
        (["run", "tiny.yaml", "--seeds", "0"], 2, "'--seeds'"),
        (["run", "tiny.yaml", "--format", "gif"], 2, "no format 'gif', --format"),
        (["run", "tny.yaml"], 2, "tiny.yaml"),
        (["run", "tiny.yaml", "--set", "train.epoch=1"], 2, "did you mean 'epochs'?"),
        (["run", "tiny.yaml", "--set", "train.epochs"], 2, "--set #1"),
        (["compare", "adamm"], 2, "adamm"),
        (["optimizers", "adm"], 2, "did you mean 'adam'?"),
        (["optimizers", "adma"], 2, "did you mean 'adam'?"),
        (["optimizers", "RMSprop"], 2, "did you mean 'rmsprop'?"),
        (["datasets", "spirals"], 2, "did you mean 'spiral'?"),
        (["show", "nothing"], 2, "no run named 'nothing'"),
        (["plot-trace"], 2, "there is no run yet"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_mistakes_are_one_message_with_a_fix(cli, args, code, words):
    got, out, err = cli(*args)
    assert (got, out) == (code, "")
    assert err.startswith("error: ")
    assert words in err
    assert "Fix: " in err
    assert "Traceback" not in err


def test_all_config_mistakes_are_printed_at_once(cli, folder):
    (folder / "bad.yaml").write_text(
        TINY.replace("lr: 0.05", "lr: -1, momentun: 0.9").replace("epochs: 3", "epochs: yes")
    )
    code, out, err = cli("run", "bad.yaml")
    assert (code, out) == (2, "")
    assert err.count("error: ") == 3
    assert "bad.yaml:5:" in err
    assert "bad.yaml:6:" in err
    assert "did you mean 'momentum'?" in err
    assert not (folder / "outputs").exists()


def test_exit_4_when_the_output_cannot_be_written_before_training(cli, folder):
    (folder / "outputs").write_text("a file")
    code, _, err = cli("run", "tiny.yaml")
    assert code == 4
    assert err.startswith("error: cannot write")
    assert "epoch" not in err


def test_exit_5_when_another_process_owns_the_directory(cli, folder):
    from adamcli import config, store

    directory = store.directory_for(config.load(folder / "tiny.yaml"), folder / "outputs")
    with directory.claimed():
        code, _, err = cli("run", "tiny.yaml")
    assert code == 5
    assert f"in use by process {os.getpid()} on " in err


def test_exit_6_when_saved_data_are_damaged(cli, folder):
    cli("run", "tiny.yaml", "--no-figures", "--quiet")
    path = folder / "outputs/latest/metrics.csv"
    path.write_text(path.read_text().replace("1", "2", 1))
    for args in (["show"], ["run", "tiny.yaml"], ["plot"], ["plot-trace"]):
        code, out, err = cli(*args)
        assert (code, out) == (6, "")
        assert "metrics.csv. Fix: " in err


def test_exit_1_is_for_bugs_and_shows_no_traceback_unless_asked(cli, monkeypatch):
    def broken(*args, **options):
        raise ZeroDivisionError("oops")

    monkeypatch.setattr("adamcli.cli.session.train_runs", broken)
    code, _, err = cli("run", "tiny.yaml", "--no-figures")
    assert code == 1
    assert err.endswith(
        "error: internal bug, ZeroDivisionError: oops. "
        "Fix: run it again with --debug and report what it prints\n"
    )
    assert "Traceback" not in err
    assert "Traceback" in cli("run", "tiny.yaml", "--no-figures", "--debug")[2]


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_interrupts_save_what_is_done_and_say_how_to_go_on(folder, number, code):
    long = ["run", "tiny.yaml", "--set", "train.epochs=20000", "--set", "train.eval_every=100"]
    with process(*long, cwd=folder) as running:
        assert running.stderr is not None
        # An epoch where the blocks are level, a share where they are not.
        assert re.search(rb"epoch|done", running.stderr.readline())
        running.send_signal(number)
        start = time.monotonic()
        out, err = running.communicate(timeout=20)
    assert time.monotonic() - start < 5
    assert (running.returncode, out) == (code, b"")
    assert b"interrupted: saved 0 of 2 runs; run the same command to continue" in err
    assert b"Traceback" not in err


def test_a_reader_that_leaves_early_does_not_stop_the_training(folder):
    command = (
        f"{sys.executable} -m adamcli run tiny.yaml --no-figures | true; exit ${{PIPESTATUS[0]}}"
    )
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert b"Traceback" not in done.stderr
    assert (folder / "outputs/latest/manifest.json").is_file()


@pytest.mark.parametrize(
    ("line", "code", "words"),
    [
        ("run tiny.yaml --no-figures >&-", 0, ""),
        ("run tiny.yaml --no-figures 2>&- >&- <&-", 0, ""),
        ("run tiny.yaml --no-figures 2>/dev/full", 0, ""),
        ("run tiny.yaml --no-figures --json >/dev/full", 4, "error: cannot print the result"),
        ("optimizers >/dev/full", 4, "error: cannot print the result"),
        ("--help >/dev/full", 4, "error: cannot print the result"),
        ("--version | true; exit ${PIPESTATUS[0]}", 0, ""),
        ("--help | true; exit ${PIPESTATUS[0]}", 0, ""),
    ],
)
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
def test_streams_that_are_closed_or_full(folder, line, code, words):
    done = subprocess.run(
        ["bash", "-c", f"{sys.executable} -m adamcli {line}"],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stderr
    assert words in done.stderr
    assert ("error" in done.stderr, "internal bug" in done.stderr) == (bool(words), False)
    assert (folder / "outputs/latest").exists() == ("run" in line)


def test_output_of_a_pipe_has_no_control_bytes(folder):
    with process("run", "tiny.yaml", cwd=folder, env={"FORCE_COLOR": ""}) as running:
        out, err = running.communicate(timeout=60)
    assert running.returncode == 0
    assert not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]", out + err)


def test_every_command_has_one_sentence_and_an_example_that_parses(cli):
    commands = re.findall(r"^  ([a-z-]+)  ", cli("--help")[1].split("Commands:")[1], re.MULTILINE)
    assert len(commands) == 13
    for command in commands:
        names = [f"config {sub}" for sub in ("check", "show", "schema")]
        for name in names if command == "config" else [command]:
            code, text, _ = cli(*name.split(), "--help")
            assert code == 0
            assert f"Example: adamcli {name}" in text, name


def test_usage_lines_name_their_arguments_once(cli):
    for command, arguments in (
        ("run", "{CONFIG}"),
        ("compare", "{OPT}..."),
        ("plot-trace", "[RUN]"),
        ("optimizers", "[NAME]"),
        ("claims", "[FILE]..."),
    ):
        usage, *_ = cli(command, "--help")[1].splitlines()
        assert usage == f"Usage: adamcli {command} [OPTIONS] {arguments}"


def test_config_alone_prints_its_help(cli):
    code, out, err = cli("config")
    assert (code, err) == (0, "")
    assert out == cli("config", "--help")[1]
    assert "..." not in out.split("Commands:")[1]


def test_hostile_text_is_shown_literally(cli, folder):
    label = "[red]x[/] :fire: $\\\\foo$ [link=file:///]"
    (folder / "hostile.yaml").write_text(
        TINY.replace("{name: adam,", f'{{name: adam, label: "{label}",')
    )
    code, out, _ = cli("run", "hostile.yaml", "--no-figures")
    assert code == 0
    joined = "".join(out.split())
    assert "[red]x[/]:fire:$\\foo$[link=file:///]" in joined
    for payload in ("\x1b[31m", "\u202e", "\x9b"):
        code, out, err = cli("run", f"no{payload}.yaml")
        assert code == 2
        assert payload not in out + err


@pytest.mark.parametrize("name", ["n" * 300, "漢" * 300, "x" * 30_000])
@pytest.mark.parametrize(
    "line",
    ["run {}", "config check configs/{}", "show {}", "show --out {}", "runs --out {}"],
)
def test_a_name_longer_than_any_file_s_is_the_name_of_nothing(cli, line, name):
    code, _, err = cli(*(word.format(name) for word in line.split()))
    assert code == (0 if line.startswith("runs") else 2)
    assert "internal bug" not in err


def test_a_current_folder_that_is_gone_is_told(cli, folder, monkeypatch):
    (folder / "gone").mkdir()
    monkeypatch.chdir(folder / "gone")
    (folder / "gone").rmdir()
    code, _, err = cli("config", "check", "../tiny.yaml")
    assert (code, err) == (
        2,
        "error: the current folder is not there any more, ../tiny.yaml. "
        "Fix: change to another folder\n",
    )
    plugin = ROOT / "configs/plugins/plain_sign.py"
    own = ("--plugin", plugin, "--set", "optimizers=[{name: plain_sign}]")
    assert cli("config", "check", folder / "tiny.yaml", *own)[0] == 0


def test_a_line_break_in_a_name_begins_no_message(cli):
    forged = "one\nerror: forged. Fix: nothing"
    for args in (("check", "sgd", "--reference", forged), ("runs", "--out", forged)):
        _, _, err = cli(*args)
        assert len(err.splitlines()) == 1
        assert "one\\nerror: forged. Fix: nothing" in err


def test_an_unknown_name_is_quoted_as_it_was_given(cli):
    for args, words in {
        ("show", "a\u200db"): "no run named 'a\\u200db', outputs",
        ("check", "ad'am"): 'no optimizer "ad\'am", adamcli check',
        ("datasets", "a\\b"): "no dataset 'a\\\\b', adamcli datasets",
    }.items():
        assert f"error: {words}. Fix: " in cli(*args)[2]


def test_shutil_copy_of_a_run_directory_can_be_shown(cli, folder):
    cli("run", "tiny.yaml", "--no-figures", "--quiet")
    shutil.copytree(folder / "outputs/latest", folder / "elsewhere")
    assert cli("show", "elsewhere")[0] == 0


def test_a_long_list_of_what_there_is_is_cut(cli, folder):
    cli("run", "tiny.yaml", "--no-figures", "--quiet")
    for k in range(14):
        shutil.copytree(folder / "outputs/latest", folder / f"outputs/copy-{k}")
    assert ", copy-6, copy-7, 3 more\n" in cli("show", "nosuch")[2]
    assert ", copy-6, copy-7, 2 more\n" in cli("show", "c")[2]
