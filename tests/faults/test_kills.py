"""Killed at every operation on files, and at random: nothing finished is lost."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import time

import pytest

from adamcli import store
from faults.campaign import Campaign
from faults.laboratory import Laboratory
from faults.processes import Child, adamcli

pytestmark = pytest.mark.faults

KILLED = -signal.SIGKILL
SEED = 20_242
TUNED = """
name: tiny
dataset: {name: moons, samples: 40, test_samples: 10}
model: {hidden: [2]}
train: {epochs: 1, batch_size: 8, seeds: 1}
tune: {trials: 2}
optimizers: [{name: adam}]
"""


def places(laboratory, scaled):
    """The operations to be killed at: all, or all but most of the writes."""
    numbered = list(enumerate(laboratory.operations, start=1))
    writes = [number for number, (what, _) in numbered if what == "write"]
    others = [number for number, (what, _) in numbered if what != "write"]
    return sorted([*others[:: scaled(5, 1)], *writes[:: scaled(97, 1)]])


def test_a_run_killed_at_every_operation_goes_on(laboratory, scaled):
    numbers = places(laboratory, scaled)
    with Campaign("killed at an operation of `run`", len(numbers)) as campaign:
        for number in numbers:
            laboratory.clear()
            if laboratory.run(f"KILL:{number}").code == KILLED:
                what, name = laboratory.operations[number - 1]
                wrong = laboratory.wrong(laboratory.saved_before(number))
                campaign.tried(what, wrong and f"{number}, {what} {name}: {wrong}")


def states(laboratory, folder):
    """What there is before a run is continued, by how it came about."""
    operations = laboratory.operations
    parts = [k for k, (what, name) in enumerate(operations) if name.endswith(".part")]
    params = operations.index(("rename", "params.npz"))
    found = {}
    for name, number, options in (
        ("one part", parts[0] + 3, ()),
        ("all parts", parts[-1] + 3, ()),
        ("no manifest", params + 4, ()),
        ("parts remain", params + 9, ()),
        ("finished", 10**9, ()),
    ):
        laboratory.clear()
        laboratory.run(f"KILL:{number}", *options)
        found[name] = laboratory.kept(folder / name)
    laboratory.run(f"KILL:{parts[0] + 3}", "--fresh")
    found["fresh"] = laboratory.kept(folder / "fresh")
    return found


def test_a_continued_run_killed_at_every_operation_goes_on(laboratory, scaled, tmp_path):
    stride = scaled(131, 1)
    every = states(laboratory, tmp_path)
    with Campaign("killed at an operation of the continued `run`", len(every)) as campaign:
        for name, state in every.items():
            options = ("--fresh",) if name == "finished" else ()
            number = 1
            while laboratory.become(state) or (
                laboratory.run(f"KILL:{number}", *options).code == KILLED
            ):
                wrong = laboratory.wrong(4 if laboratory.directory.path.is_dir() else 0)
                campaign.tried(f"from {name}", wrong and f"{name}, {number}: {wrong}")
                number += stride
        assert {*campaign.ends} == {f"from {name}" for name in every}


def test_a_tuned_run_killed_at_some_operations_goes_on(tmp_path, laboratory, scaled):
    folder = tmp_path / "tuned"
    folder.mkdir()
    tuned = Laboratory(folder, TUNED)
    numbers = range(1, len(tuned.operations) + 1, scaled(97, 3))
    with Campaign("killed at an operation of a tuned `run`", len(numbers)) as campaign:
        for number in numbers:
            tuned.clear()
            if tuned.run(f"KILL:{number}").code == KILLED:
                wrong = tuned.wrong()
                campaign.tried("killed", wrong and f"{number}: {wrong}")


def test_chains_of_random_kills_end_with_the_same_bits(laboratory, scaled):
    draw = random.Random(SEED)
    chains = scaled(4, 120)
    start = time.monotonic()
    laboratory.run("", "--fresh")
    lasting = time.monotonic() - start
    kills = 0
    with Campaign("chains of random kills", chains) as campaign:
        while campaign.count < chains:
            laboratory.clear()
            runs = struck = 0
            for _ in range(draw.randint(1, 5)):
                child = Child(adamcli(laboratory.command))
                time.sleep(draw.uniform(0, lasting))
                child.send(signal.SIGKILL)
                struck += child.end().code == KILLED
                found = store.verify(laboratory.directory)
                wrong = "" if found.runs >= runs else f"{runs} runs, then {found.runs}"
                runs = found.runs
            if struck:
                campaign.tried(f"with {struck}", wrong or laboratory.wrong(runs))
                kills += struck
        campaign.notes.append(f"{kills} kills")


SYSCALLS = ("openat", "write", "fsync", "rename", "unlink", "mkdir", "rmdir", "ftruncate")


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed")
def test_a_run_killed_at_every_system_call_on_files_goes_on(laboratory, scaled):
    stride = scaled(89, 1)
    with Campaign("killed at a system call of `run`", scaled(8, 150)) as campaign:
        for name in SYSCALLS:
            number = 1
            while laboratory.clear() or traced_to_death(laboratory, name, number):
                wrong = laboratory.wrong()
                campaign.tried(name, wrong and f"{name} {number}: {wrong}")
                number += stride
        assert {*campaign.ends} == {*SYSCALLS}


def traced_to_death(laboratory, name, number):
    """Whether a run dies before its nth system call of a name.

    strace injects only into calls that it traces, and counts those of each process for itself.
    """
    going, go = os.pipe()

    def task():
        os.close(go)
        os.read(going, 1)
        return adamcli(laboratory.command)()

    child = Child(task)
    os.close(going)
    inject = f"inject={name}:signal=SIGKILL:when={number}"
    strace = subprocess.Popen(
        ["strace", "-o", "/dev/null", "-e", f"trace={name}", "-e", inject, "-p", str(child.pid)],
        stderr=subprocess.PIPE,
        text=True,
    )
    with strace:
        said = strace.stderr.readline()
        os.close(go)
        code = child.end().code
    if "attached" not in said:
        pytest.skip(f"processes cannot be traced here: {said.strip()}")
    return code == KILLED
