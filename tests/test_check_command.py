"""The command `check`: what it prints where, every exit code, damaged folders, one's own files."""

from __future__ import annotations

import json
import re
import shutil
import signal
from pathlib import Path
from types import SimpleNamespace

import mutants
import numpy as np
import pytest
from conftest import ROOT
from rich.cells import cell_len
from test_checks import CASES, OFFERED, REFERENCE, off_by
from test_tables import HOSTILE, shown

from adamcli import plugins
from adamcli.checks import Finding, Outcome, tally
from adamcli.optimizers import RULES
from adamcli.tables import properties_table, replay_table, rules_table
from adamcli.text import safe


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGHUP)}
    yield tmp_path
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def damaged(tmp_path):
    """A copy of the recorded trajectories, to be damaged."""
    return Path(shutil.copytree(REFERENCE, tmp_path / "damaged"))


@pytest.fixture
def unexamined(monkeypatch):
    """Rules have one property, so that what is recorded of all of them is told in a second."""
    finding = Finding("adam", "descends", "pass", "it does")
    monkeypatch.setattr("adamcli.checks.examine", lambda subject: [finding])


def document(text: str) -> dict:
    """Strict JSON: neither NaN nor infinities."""
    return json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))


# Damage


def rewritten(change):
    """Damage that changes the index."""

    def damage(path):
        index = json.loads((path / "index.json").read_text())
        change(index, index["cases"][0])
        (path / "index.json").write_text(json.dumps(index))

    return damage


def resaved(change, name="cases.npz"):
    """Damage that changes the arrays of a file."""

    def damage(path):
        with np.load(path / name) as archive:
            arrays = dict(archive)
        change(arrays)
        np.savez(path / name, **arrays)

    return damage


def cut(name, size):
    """Damage that leaves the beginning of a file."""
    return lambda path: (path / name).write_bytes((path / name).read_bytes()[:size])


def as_folder(path):
    """Damage that leaves a folder in a file's place."""
    (path / "cases.npz").unlink()
    (path / "cases.npz").mkdir()


FIRST = CASES[0]["keys"]["W"]
DAMAGE = {
    "no index": lambda path: (path / "index.json").unlink(),
    "empty index": cut("index.json", 0),
    "half an index": cut("index.json", 9000),
    "index of another kind": lambda path: (path / "index.json").write_text("[1, 2]"),
    "deep index": lambda path: (path / "index.json").write_text("[" * 100_000),
    "no cases": rewritten(lambda index, case: index.update(cases=[])),
    "a case that is a number": rewritten(lambda index, case: index["cases"].append(3)),
    "a case twice": rewritten(lambda index, case: index["cases"].append(case)),
    "no id": rewritten(lambda index, case: case.pop("id")),
    "an id that is a number": rewritten(lambda index, case: case.update(id=3)),
    "no hyper": rewritten(lambda index, case: case.pop("hyper")),
    "no keys": rewritten(lambda index, case: case.update(keys=None)),
    "no tolerance": rewritten(lambda index, case: case.pop("tol_replay")),
    "a tolerance of NaN": rewritten(lambda index, case: case.update(tol_replay=float("nan"))),
    "a tolerance of zero": rewritten(lambda index, case: case.update(tol_replay=0)),
    "a file elsewhere": rewritten(lambda index, case: case.update(file="../cases.npz")),
    "a problem elsewhere": rewritten(lambda index, case: case.update(problem="../x")),
    "an unknown problem": rewritten(lambda index, case: case.update(problem="other")),
    "a closed case without a problem": rewritten(lambda index, case: case.update(tol_closed=1.0)),
    "too few learning rates": rewritten(lambda index, case: case["hyper"].update(lr_scale=[1])),
    "a learning rate in words": rewritten(lambda index, case: case["hyper"].update(lr_scale="a")),
    "no arrays": lambda path: (path / "cases.npz").unlink(),
    "arrays cut": cut("cases.npz", 200_000),
    "arrays empty": cut("cases.npz", 0),
    "arrays of another kind": lambda path: (path / "cases.npz").write_text("hello"),
    "a folder for arrays": as_folder,
    "no such array": resaved(lambda arrays: arrays.pop(FIRST)),
    "a step less": resaved(lambda arrays: arrays.update({FIRST: arrays[FIRST][:-1]})),
    "another shape": resaved(lambda arrays: arrays.update({FIRST: arrays[FIRST][:, :, :2]})),
    "no steps": resaved(lambda arrays: arrays.update({FIRST: arrays[FIRST][:0]})),
    "a number": resaved(lambda arrays: arrays.update({FIRST: np.array(1.0)})),
    "words": resaved(lambda arrays: arrays.update({FIRST: np.array(["a"])})),
    "whole numbers": resaved(lambda arrays: arrays.update({FIRST: arrays[FIRST].astype(int)})),
    "no gradients": resaved(lambda arrays: arrays.pop("G_W"), "problem_fixed.npz"),
    "other gradients": resaved(lambda a: a.update(G_w=a["G_w"][:3]), "problem_fixed.npz"),
    "other curvature": resaved(lambda a: a.update(H=a["H"][:3]), "problem_quad.npz"),
    "no minimum": resaved(lambda arrays: arrays.pop("xstar"), "problem_quad.npz"),
}  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE.keys())
def test_a_damaged_folder_is_one_error_and_no_result(cli, damaged, damage):
    damage(damaged)
    code, out, err = cli("check", "--all", "--reference", damaged, "--json")
    assert (code, out) == (2, "")
    assert re.fullmatch(r"error: .*damaged.*\. Fix: give a whole folder of .*\n", err)


@pytest.mark.parametrize("size", range(1, 4096, 331))
def test_arrays_cut_anywhere_are_one_error(cli, damaged, size):
    whole = (damaged / "problem_quad.npz").read_bytes()
    (damaged / "problem_quad.npz").write_bytes(whole[:size])
    code, out, _ = cli("check", "adam", "--reference", damaged)
    assert (code, out) == (2, "")


def test_arrays_that_would_fill_the_memory_are_refused(cli, damaged, monkeypatch):
    monkeypatch.setattr("adamcli.checks.recorded.MAX_BYTES", 100_000)
    code, _, err = cli("check", "adam", "--reference", damaged)
    assert code == 2
    assert "larger than" in err


@pytest.mark.usefixtures("unexamined")
def test_an_optimizer_that_nobody_knows_is_not_offered(cli, damaged):
    rewritten(lambda index, case: case.update(optimizer="new\x1b[31m"))(damaged)
    code, out, _ = cli("check", "--all", "--reference", damaged, "--json")
    (case,) = (case for case in document(out)["cases"] if case["id"] == CASES[0]["id"])
    assert code == 0
    assert (case["status"], case["error"]) == ("not offered", None)
    assert case["reason"] == "no rule for new\x1b[31m"
    code, out, _ = cli("check", "--all", "--reference", damaged)
    assert "no rule for new\\x1b[31m" in out
    assert "\x1b" not in out


# The command


SGD = """\
sgd: 16 pass, 0 fail, 1 n/a
property                     what was found
───────────────────────────────────────────────────────────────────────────────
shapes and dtypes      pass  right in 10 settings and dtypes
inputs untouched       pass  gradient, parameters, NumPy's and Python's state
deterministic          pass  the same bits again, in turn and taken up halfway
rows independent       pass  the same bits alone and stacked, with columns too
learning rate          pass  that of the step, so schedules and sweeps work
zero state at first    pass  there is no state
zero gradient          pass  stays where it is
descends               pass  a quadratic to N in 500 steps, lr 0.316
scale invariance       n/a   not invariant: 1024 g moves 1024 times as far as g
translation            pass  invariant: the same steps wherever theta is
sign symmetry          pass  -g mirrors g, bit for bit
per coordinate         pass  yes: every parameter for itself
float32                pass  within N of a step of float64
huge, tiny gradients   pass  finite at 1e150, 1e-150; in float32 at 1e18, 1e-18
weight decay           pass  decoupled and coupled
cost per step          pass  N times Adam: N us per 1000 parameters
recorded trajectories  pass  3 of 3 cases agree, worst N

                              not    worst
optimizer  cases  passed  offered    error  absolute  in case          at step
──────────────────────────────────────────────────────────────────────────────
sgd            3  3 of 3        0        N         N  torch.lrs.fixed       14

3 recorded cases, 3 offered (100.00%), 0 failed. Error: |a - b| / max(1, |b|).
"""


def without_digits(text: str) -> str:
    """The output of a check without what differs from machine to machine."""
    text = re.sub(r"[\d.]+ times Adam: \S+ us", "N times Adam: N us", text)
    text = re.sub(r"(to|within|worst) \d(\.\d)?e-\d+", r"\1 N", text)
    text = re.sub(r" \d\.\de-\d+", "       N", text)
    return "\n".join(line.rstrip() for line in text.split("\n"))


def test_check_prints_a_row_per_property_and_the_recorded_cases(cli):
    code, out, err = cli("check", "sgd", "--reference", REFERENCE)
    assert (code, err) == (0, "")
    assert without_digits(out) == SGD


def test_a_single_rule_fits_a_terminal_of_80_by_24(cli, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    lines = cli("check", "adam")[1].splitlines()
    assert len(lines) <= 23  # and the prompt
    assert lines[-1].rstrip().endswith("n/a   not replayed; give --reference DIR")


@pytest.mark.usefixtures("unexamined")
def test_check_all_prints_a_row_per_rule_and_per_recorded_optimizer(cli):
    code, out, _ = cli("check", "--all", "--reference", REFERENCE)
    assert code == 0
    for name in RULES:
        assert re.search(rf"^{name} +\d+ +0\b", out, re.MULTILINE)
    for name in {case["optimizer"] for case in CASES}:
        assert re.search(rf"^{name} +{sum(c['optimizer'] == name for c in CASES)}\b", out, re.M)
    assert f"{len(CASES)} recorded cases, {len(OFFERED)} offered" in out


def test_json_is_one_strict_document_with_every_case_and_property(cli):
    code, out, err = cli("check", "--all", "--reference", REFERENCE, "--json")
    found = document(out)
    assert (code, err) == (0, "")
    assert [*found] == ["cases", "properties"]
    assert [case["id"] for case in found["cases"]] == [case["id"] for case in CASES]
    for case in found["cases"]:
        assert [*case] == ["id", "optimizer", "status", "error", "tolerance", "reason"]
        assert (case["error"] is None) == (case["status"] == "not offered")
    assert {row["optimizer"] for row in found["properties"]} == RULES.keys()
    for row in found["properties"]:
        assert [*row] == ["optimizer", "property", "status", "reason"]
        assert row["status"] in ("pass", "not applicable")
        assert row["reason"]


def test_a_name_chooses_the_cases_of_one_optimizer(cli):
    found = document(cli("check", "adam", "--reference", REFERENCE, "--json")[1])
    assert {case["optimizer"] for case in found["cases"]} == {"adam"}
    assert {row["optimizer"] for row in found["properties"]} == {"adam"}


def test_without_reference_there_are_no_cases(cli):
    found = document(cli("check", "adam", "--json")[1])
    assert found["cases"] == []
    (row,) = (row for row in found["properties"] if row["property"] == "recorded trajectories")
    assert row["status"] == "not applicable"


def test_quiet_prints_nothing(cli):
    assert cli("check", "adam", "--quiet") == (0, "", "")


@pytest.mark.parametrize("options", [["--quiet"], ["--json"], []])
def test_a_wrong_rule_exits_with_3(cli, monkeypatch, options):
    monkeypatch.setitem(RULES, "adam", mutants.EpsInRoot)
    code, out, _ = cli("check", "adam", "--reference", REFERENCE, *options)
    assert code == 3
    assert bool(out) == (options != ["--quiet"])


def test_a_wrong_rule_exits_with_3_for_its_recorded_cases_alone(cli, monkeypatch):
    monkeypatch.setitem(RULES, "sgd", off_by(1 + 1e-7, RULES["sgd"]))
    assert cli("check", "sgd")[0] == 0
    code, out, _ = cli("check", "sgd", "--reference", REFERENCE)
    assert code == 3
    assert re.search(r"recorded trajectories +fail  0 of 3 cases agree", out)
    assert re.search(r"^sgd\.torch\.lrs\.fixed  off by \S+ at step \d+, allowed 1e-12$", out, re.M)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "error: nothing to check, adamcli check. Fix: give the name of an optimizer"),
        (["adam", "--all"], "error: a name and --all do not go together, adamcli check. Fix:"),
        (["adm"], "error: no optimizer 'adm', adamcli check. Fix: did you mean 'adam'?"),
        (["a\x1b[31m"], "error: no optimizer 'a\\x1b[31m', adamcli check. Fix: use one of sgd"),
        (["adam", "--reference", "nowhere"], "error: no recorded trajectories, nowhere/index.json"),
    ],
)
def test_what_cannot_be_checked_is_one_error(cli, args, message):
    code, out, err = cli("check", *args)
    assert (code, out) == (2, "")
    assert err.startswith(message)
    assert err.count("\n") == 1


# One's own


@pytest.fixture
def own(monkeypatch):
    """Make a class what the file my_opt.py holds."""

    def put(rule_class):
        loaded = SimpleNamespace(name="my_opt", rule_class=rule_class)
        monkeypatch.setattr(plugins, "load", lambda path: loaded)

    return put


def test_the_shipped_examples_are_right(cli):
    for path in sorted((ROOT / "configs" / "plugins").glob("*.py")):
        code, out, err = cli("check", str(path))
        assert (code, err) == (0, "")
        assert out.startswith(f"{path.stem}: ")
        assert " 0 fail" in out


def test_a_file_that_holds_no_rule_is_one_error(cli, tmp_path):
    (tmp_path / "mine.py").write_text("lr = 0.1\n")
    code, out, err = cli("check", str(tmp_path / "mine.py"))
    assert (code, out) == (2, "")
    assert "mine.py" in err
    assert "Fix:" in err


def test_a_right_rule_of_ones_own_is_held_to_what_it_claims(cli, own):
    own(mutants.Copy)
    code, out, err = cli("check", "my_opt.py", "--reference", REFERENCE)
    assert code == 0
    assert out.startswith("my_opt, held to adam: ")
    assert re.search(r"same steps +pass  those of adam, bit for bit in 40 steps", out)
    assert re.search(r"recorded trajectories +pass  3 of 3 cases agree", out)
    assert err.startswith("my_opt has the hyperparameters of adam and is held to its formula;")


def test_a_wrong_rule_of_ones_own_exits_with_3(cli, own):
    own(mutants.BetasSwapped)
    code, out, _ = cli("check", "my_opt.py", "--reference", REFERENCE, "--json")
    found = document(out)
    assert code == 3
    assert {row["optimizer"] for row in found["properties"]} == {"my_opt"}
    assert {case["status"] for case in found["cases"]} == {"fail"}


def test_a_rule_of_ones_own_that_prints_does_not_spoil_the_document(cli, own):
    class Loud(mutants.Copy):
        """Talks."""

        def update(self, grads, state, step):
            print("hello")
            return super().update(grads, state, step)

    own(Loud)
    code, out, _ = cli("check", "my_opt.py", "--reference", REFERENCE, "--json")
    assert code == 0
    assert document(out)["cases"]


def test_a_claim_to_be_nothing_that_there_is_is_an_error(cli, own):
    own(type("Unknown", (mutants.Copy,), {"like": "adamm"}))
    code, _, err = cli("check", "my_opt.py")
    assert code == 2
    assert err == (
        "error: like = 'adamm' names no built-in optimizer, my_opt.py. Fix: did you mean 'adam'?\n"
    )


def test_a_rule_that_claims_nothing_has_no_recorded_cases(cli, own):
    own(type("Free", (mutants.Copy,), {"like": None}))
    code, out, err = cli("check", "my_opt.py", "--reference", REFERENCE)
    assert (code, err) == (0, "")
    assert 'no claim: like = "adam" in the class would be one' in out


# The tables


def hostile_tables(text):
    """The tables of `check` with foreign text wherever it can come from."""
    findings = [Finding(text, text, status, text) for status in ("pass", "fail", "not applicable")]
    outcomes = [
        Outcome(f"{text}.1", text, "fail", 1.0, 1.0, 1e-12, 3, text),
        Outcome(f"{text}.2", text, "not offered", reason=text),
    ]
    yield properties_table(text, findings)
    yield rules_table({text: findings})
    yield replay_table(tally(outcomes), outcomes)


@pytest.mark.parametrize("text", HOSTILE)
def test_foreign_text_is_shown_literally(text):
    for table in hostile_tables(text):
        printed = shown(table, width=1000)
        assert safe(text) in printed
        assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]", printed)


@pytest.mark.parametrize("width", [1, 5, 20, 40, 60, 80, 200])
def test_no_line_is_wider_than_the_terminal(width):
    for table in hostile_tables("word " * 30):
        assert max(map(cell_len, shown(table, width).split("\n"))) <= width


def test_many_failures_are_cut_and_counted():
    outcomes = [
        Outcome(f"adam.torch.{n}.quad", "adam", "fail", n, n, 1e-12, 1, "off") for n in range(25)
    ]
    text = shown(replay_table(tally(outcomes), outcomes), 100)
    assert "5 more failed: --json names them" in text
    assert re.search(
        r"^adam +25 +0 of 25 +0 +2\.4e\+01 +2\.4e\+01  torch\.24\.quad +1$", text, re.M
    )
