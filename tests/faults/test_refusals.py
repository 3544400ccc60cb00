"""The operating system refuses an operation: one message, exit code 4, and nothing is lost."""

from __future__ import annotations

import re
import resource
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

from adamcli.store import faults
from faults.campaign import Campaign
from faults.processes import Child, adamcli

pytestmark = pytest.mark.faults

ERRORS = ("ENOSPC", "EIO", "EACCES")
STORAGE = 4
MESSAGE = re.compile(
    r"(interrupted: saved \d of 8 runs; .*\n)?error: (cannot write \(.*\)|removed meanwhile), .*\n"
)


def impolite(ended, allowed=(STORAGE,)):
    """What is wrong with how a refused command ended; empty if nothing is."""
    if ended.code in allowed and (not ended.code or MESSAGE.fullmatch(ended.err)):
        return ""
    return str(ended)


@pytest.mark.parametrize("lasting", ["", "+"], ids=["once", "for ever"])
def test_every_operation_may_be_refused(laboratory, lasting, scaled):
    numbers = range(1, len(laboratory.operations) + 1, scaled(61, 1))
    name = f"refused {'for ever' if lasting else 'once'}"
    with Campaign(name, len(numbers) * scaled(1, len(ERRORS))) as campaign:
        for number in numbers:
            for error in (
                ERRORS[: scaled(1, len(ERRORS))] if not lasting else ERRORS[-scaled(1, 3) :]
            ):
                laboratory.clear()
                ended = laboratory.run(f"{error}:{number}{lasting}")
                what, file = laboratory.operations[number - 1]
                # A file takes the place of a link that is refused.
                allowed = (STORAGE, 0) if file == "latest" and not lasting else (STORAGE,)
                least = laboratory.saved_before(number)
                wrong = impolite(ended, allowed) or laboratory.wrong(least)
                campaign.tried(f"exit {ended.code}", wrong and f"{error} {what} {file}: {wrong}")


def test_files_may_be_limited_in_size(laboratory, scaled):
    limits = range(700, 8000, scaled(3500, 40))
    with Campaign("limits of file size", len(limits)) as campaign:
        for limit in limits:
            laboratory.clear()

            def task(limit=limit):
                resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
                return adamcli(laboratory.command)()

            ended = Child(task).end()
            campaign.tried(
                f"exit {ended.code}", impolite(ended, (STORAGE, 0)) or laboratory.wrong()
            )
        assert campaign.ends["exit 4"]


def test_outputs_that_are_removed_meanwhile_do_not_come_back_half(laboratory, scaled):
    numbers = range(4, len(laboratory.operations) + 1, scaled(67, 1))
    with Campaign("outputs removed meanwhile", len(numbers)) as campaign:
        for number in numbers:
            laboratory.clear()
            ended = Child(lambda number=number: removing(laboratory, number)).end()
            back = [str(path) for path in laboratory.out.rglob("*")]
            campaign.tried(f"exit {ended.code}", impolite(ended) or ", ".join(back))


def removing(laboratory, number):
    """Run, and lose the outputs before an operation."""
    left = number

    def before(operation, path):
        nonlocal left
        left -= 1
        if not left:
            shutil.rmtree(laboratory.out)

    faults.before = before
    return adamcli(laboratory.command)()


MOUNTED = """
mount -t tmpfs -o size={size} none {out} || exit 77
{run}; echo "code $?"
mount -o remount,size=16m {out} || exit 77
{run}; echo "code $?"
{show}
"""
READ_ONLY = """
mount --bind {out} {out} && mount -o remount,ro,bind {out} || exit 77
{run}; echo "code $?"
"""


def in_own_mounts(laboratory, script, **values):
    """Run a shell script that may mount what only it sees."""
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed")
    laboratory.clear()
    laboratory.out.mkdir()
    program = f"{sys.executable} -m adamcli"
    run = f"{program} {' '.join(map(str, laboratory.command))}"
    show = f"{program} show tiny --hash --out {laboratory.out}"
    text = script.format(out=laboratory.out, run=run, show=show, **values)
    done = subprocess.run(
        ["unshare", "-Urm", "sh", "-c", text], capture_output=True, text=True, cwd=ROOT
    )
    if done.returncode == 77 or "unshare" in done.stderr:
        pytest.skip(f"nothing can be mounted here: {done.stderr.strip()}")
    return done


def test_a_full_disk_costs_nothing_but_time(laboratory, scaled):
    sizes = ["32k"] if scaled(1, 2) == 1 else ["4k", "8k", "12k", "20k", "32k", "48k", "64k"]
    with Campaign("a full disk", len(sizes)) as campaign:
        for size in sizes:
            done = in_own_mounts(laboratory, MOUNTED, size=size)
            right = ["code 4", "code 0", laboratory.hash]
            polite = MESSAGE.fullmatch(done.stderr)
            wrong = "" if done.stdout.splitlines() == right and polite else f"{size}: {done}"
            campaign.tried("exit 4", wrong)


def test_a_read_only_directory_is_refused_before_training(laboratory):
    with Campaign("a read-only directory", 1) as campaign:
        done = in_own_mounts(laboratory, READ_ONLY)
        right = done.stdout == "code 4\n" and re.fullmatch(r"error: .*\n", done.stderr)
        campaign.tried("exit 4", "" if right else str(done))
