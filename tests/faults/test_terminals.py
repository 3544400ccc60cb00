"""Terminals of every size, streams that are closed or full, and odd surroundings."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from conftest import ROOT

from faults.campaign import Campaign
from faults.judging import faults_of
from faults.terminal import Size, has_colours, has_escapes, in_terminal, is_live, misprints

pytestmark = pytest.mark.faults

LABEL = "漢字 é [red]"
TINY = {
    "name": "tiny",
    "dataset": {"name": "moons", "samples": 60, "test_samples": 30},
    "model": {"hidden": [6]},
    "train": {"epochs": 400, "batch_size": 16, "eval_every": 10},
    "optimizers": [{"name": "adam", "label": LABEL}, {"name": "sgdm"}],
}
RUN = "run tiny.yaml --fresh --no-figures --jobs 1"
DRAWN = "run tiny.yaml --fresh --jobs 1"


@pytest.fixture
def folder(tmp_path, monkeypatch, cli):
    """A folder with an experiment that has been trained, in the environment of the tests."""
    monkeypatch.chdir(tmp_path)
    Path("tiny.yaml").write_text(json.dumps(TINY), encoding="utf-8")
    assert cli("run", "tiny.yaml")[0] == 0
    return tmp_path


def numbers(out: Path) -> str:
    """A digest of what the latest run has measured."""
    metrics = out / "latest" / "metrics.csv"
    return hashlib.sha256(metrics.read_bytes()).hexdigest() if metrics.is_file() else "none"


def pictures(out: Path) -> dict[str, str]:
    """Digests of the figures."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in out.glob("tiny-*/figures/*.png")
    }


def surroundings(changes: dict[str, str | None]) -> dict[str, str]:
    """The environment of a process: small, with some changes; None takes a variable away."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    plain = {"PYTHONPATH": str(ROOT), "TERM": "xterm-256color", "PYTHONDONTWRITEBYTECODE": "1"}
    merged = {**kept, **plain, **changes}
    return {name: value for name, value in merged.items() if value is not None}


# Terminals.


@dataclass(frozen=True)
class Terminal:
    """A command in a terminal, and what must be true of what it writes there."""

    what: str
    sizes: Sequence[Size] = ((24, 80),)
    line: str = RUN
    changes: dict[str, str | None] = field(default_factory=dict)
    holds: Callable[[str], bool] = lambda written: True


def silent(written: str) -> bool:
    """No table that is renewed, no colours, nothing but text."""
    return not has_escapes(written)


def plain(written: str) -> bool:
    """No colours."""
    return not has_colours(written)


SIZES = {"1x1": (1, 1), "24x20": (24, 20), "80x24": (24, 80), "wide": (24, 10_000), "0x0": (0, 0)}
READERS = ("show", "runs", "optimizers", "optimizers adam", "datasets", "doctor", "--help",
           "config show tiny.yaml", "config check tiny.yaml", "check sgd", "run nothing.yaml",
           "plot", "run tiny.yaml --dry-run")  # fmt: skip

TERMINALS = [
    Terminal("resized", [(24, 80), (1, 1), (50, 200), (3, 10), (24, 10_000), (24, 80)] * 3),
    *(Terminal(f"run in {name}", [size], holds=is_live) for name, size in SIZES.items()),
    Terminal("dumb", changes={"TERM": "dumb"}, holds=silent),
    Terminal("no TERM", changes={"TERM": None}, holds=lambda written: not is_live(written)),
    Terminal("unknown TERM", changes={"TERM": "no-such-terminal"}),
    Terminal("NO_COLOR", changes={"NO_COLOR": "1"}, holds=plain),
    Terminal("FORCE_COLOR", changes={"FORCE_COLOR": "1"}, holds=is_live),
    Terminal("CI", changes={"CI": "true"}, holds=lambda written: not is_live(written)),
    Terminal("COLUMNS=0", changes={"COLUMNS": "0"}),
    Terminal("COLUMNS=abc", changes={"COLUMNS": "abc", "LINES": "-3"}),
    Terminal("--quiet", line=f"{RUN} --quiet", holds=lambda written: written == ""),
    *(
        Terminal(f"{line} in {name}", [size], line)
        for name, size in SIZES.items()
        for line in READERS
    ),
]


def test_terminals_of_every_kind(folder, scaled):
    cases = TERMINALS[:: scaled(12, 1)]
    expected = numbers(folder / "outputs")
    with Campaign("terminals", len(cases)) as campaign:
        for case in cases:
            command = [sys.executable, "-m", "adamcli", *case.line.split()]
            code, written = in_terminal(command, surroundings(case.changes), case.sizes)
            wrong = [] if case.holds(written) else ["not as it should look"]
            wrong += [misprints(written)]
            wrong += [] if code == (2 if "nothing" in case.line else 0) else [f"exit {code}"]
            wrong += ["a bug admitted"] if "internal bug" in written else []
            wrong += ["other numbers"] if numbers(folder / "outputs") != expected else []
            found = ", ".join(filter(None, wrong))
            shown = f"{case.what}: {found}\n{written!r:.3000}"
            campaign.tried(f"exit {code}", shown if found else "")


# Streams and surroundings.


@dataclass(frozen=True)
class Shell:
    """A line of bash in which `adamcli` is the command; it ends with adamcli's exit code.

    Attributes:
        trains: whether what it trains must be there afterwards, with the same numbers.
        told: what must stand on stderr.
    """

    what: str
    line: str
    code: int = 0
    trains: bool = False
    told: str = ""
    changes: dict[str, str | None] = field(default_factory=dict)
    holds: Callable[[str], bool] = lambda written: True


def ascii_only(written: str) -> bool:
    return written.isascii()


def trains(what: str, line: str = RUN, **options) -> Shell:
    """A line that trains."""
    return Shell(what, line.replace("run ", "adamcli run ", 1), trains=True, **options)


FIRST = "; exit ${PIPESTATUS[0]}"
FULL = "cannot print the result"
ASCII = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
GONE = 'mkdir gone && cd gone && rmdir "$PWD" && adamcli'

SHELLS = [
    trains("a reader of one line", f"{RUN} | head -1{FIRST}"),
    trains("a reader of nothing", f"{RUN} | true{FIRST}"),
    trains("a reader of one line of progress", f"{RUN} 2>&1 >/dev/null | head -1{FIRST}"),
    trains("no stdout", f"{RUN} >&-"),
    trains("no stderr", f"{RUN} 2>&-"),
    trains("no stream", f"{RUN} <&- >&- 2>&-"),
    trains("empty stdin", f"{RUN} </dev/null"),
    trains("full stdout", f"{RUN} >/dev/full", code=4, told=FULL),
    trains("full stdout, JSON", f"{RUN} --json >/dev/full", code=4, told=FULL),
    trains("full stderr", f"{RUN} 2>/dev/full"),
    trains("figures without streams", f"{DRAWN} <&- >&- 2>&-"),
    *(Shell(f"{line}, one line", f"adamcli {line} | head -1{FIRST}") for line in READERS[:8]),
    *(Shell(f"{line}, full", f"adamcli {line} >/dev/full", 4, told=FULL) for line in READERS[:9]),
    trains("FORCE_COLOR on a pipe", changes={"FORCE_COLOR": "1"},
           holds=lambda written: not is_live(written)),
    trains("NO_COLOR on a pipe", changes={"NO_COLOR": "1"}, holds=silent),
    trains("a plain pipe", holds=silent),
    trains("COLUMNS=1", changes={"COLUMNS": "1"}),
    trains("the C locale", changes=ASCII, holds=ascii_only),
    trains("ASCII streams", changes={"PYTHONIOENCODING": "ascii"}, holds=ascii_only),
    trains("Latin-1 streams", changes={"PYTHONIOENCODING": "latin-1"}),
    trains("an unknown locale", changes={"LC_ALL": "xx_XX.UTF-8"}),
    trains("figures in the C locale", DRAWN, changes=ASCII),
    Shell("show in the C locale", "adamcli show", changes=ASCII, holds=ascii_only),
    Shell("JSON in the C locale", "adamcli show --json", changes=ASCII, holds=ascii_only),
    trains("no HOME", DRAWN, changes={"HOME": None}),
    trains("HOME that is not there", DRAWN, changes={"HOME": "/nonexistent"}),
    trains("no MPLCONFIGDIR", DRAWN, changes={"MPLCONFIGDIR": "/proc/none"}),
    trains("no folder for temporary files", DRAWN, changes={"TMPDIR": "/nonexistent"}),
    trains("an unknown backend", DRAWN, changes={"MPLBACKEND": "foo"}),
    Shell("an empty environment", f"env -i PYTHONPATH=$PYTHONPATH {sys.executable} -m adamcli "
          f"{DRAWN}", trains=True),
    Shell("a hostile matplotlibrc", "printf 'text.usetex: True\\nbackend: foo\\n' > matplotlibrc; "
          f"adamcli {DRAWN}", trains=True),
    trains("other time zones", changes={"TZ": "Nowhere/At_all"}),
    trains("warnings as errors", DRAWN, changes={"PYTHONWARNINGS": "error"}),
    trains("without assertions", changes={"PYTHONOPTIMIZE": "2"}),
    trains("Python's development mode", changes={"PYTHONDEVMODE": "1"}),
    trains("another hash seed", changes={"PYTHONHASHSEED": "7"}),
    trains("four threads of BLAS", changes={"OPENBLAS_NUM_THREADS": "4", "OMP_NUM_THREADS": "4"}),
    Shell("a deleted folder, run", f"{GONE} run ../tiny.yaml", 2, told="error: "),
    Shell("a deleted folder, show", f"{GONE} show", 2, told="error: "),
    Shell("a deleted folder, runs", f"{GONE} runs"),
    Shell("a deleted folder, config check", f"{GONE} config check ../tiny.yaml", 2, told="error: "),
    Shell("a deleted folder, --help", f"{GONE} --help"),
    Shell("a deleted folder, doctor", f"{GONE} doctor"),
]  # fmt: skip


def test_streams_and_surroundings(folder, scaled):
    cases = SHELLS[:: scaled(9, 1)]
    expected, figures = numbers(folder / "outputs"), pictures(folder / "outputs")
    with Campaign("streams and surroundings", len(cases)) as campaign:
        for case in cases:
            for name in ("outputs", "gone"):
                if case.trains or name == "gone":
                    shutil.rmtree(folder / name, ignore_errors=True)
            function = f'adamcli() {{ "{sys.executable}" -m adamcli "$@"; }}; '
            done = subprocess.run(
                ["bash", "-c", function + case.line],
                env=surroundings(case.changes),
                capture_output=True,
                timeout=120,
                check=False,
            )
            (folder / "matplotlibrc").unlink(missing_ok=True)
            out, err = (stream.decode("utf-8", "replace") for stream in (done.stdout, done.stderr))
            wrong = [faults_of(done.returncode, "", err, (case.code,))]
            wrong += [misprints(out), misprints(err)]
            wrong += [] if case.told in err else [f"{case.told!r} is not told"]
            wrong += [] if case.holds(out + err) else ["not as it should look"]
            if case.trains:
                wrong += [] if numbers(folder / "outputs") == expected else ["other numbers"]
                drawn = pictures(folder / "outputs")
                wrong += [] if drawn == figures or "no-figures" in case.line else ["other figures"]
            found = ", ".join(filter(None, wrong))
            shown = f"{case.what}: {found}\n{case.line}\n{out:.1500}\n{err:.1500}"
            campaign.tried(f"exit {done.returncode}", shown if found else "")
