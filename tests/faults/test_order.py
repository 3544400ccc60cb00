"""What a power failure leaves depends on the order: data, then its name, then the manifest."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

import pytest
from conftest import ROOT

from faults.campaign import Campaign

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed"),
]

CALLS = "openat,write,fsync,rename,unlink,rmdir"
OPENED = re.compile(r'openat\([^,]+, "([^"]+)", \S*O_CREAT')
OF_FILE = re.compile(r"(write|fsync)\(\d+<([^>]+)>")
RENAMED = re.compile(r'rename\("([^"]+)", "([^"]+)"\)')
REMOVED = re.compile(r'(?:unlink|rmdir)\("([^"]+)"\)')


def operations(laboratory):
    """What a run does to files of its outputs, in order: (what, path) or (rename, from, to)."""
    laboratory.clear()
    log = laboratory.out.parent / "trace"
    strace = ["strace", "-y", "-s", "0", "-o", str(log), "-e", f"trace={CALLS}"]
    command = [sys.executable, "-m", "adamcli", *map(str, laboratory.command)]
    done = subprocess.run([*strace, *command], capture_output=True, text=True, cwd=ROOT)
    if not log.exists() or "ptrace" in done.stderr:
        pytest.skip(f"processes cannot be traced here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    found = []
    for line in log.read_text().splitlines():
        if match := OPENED.search(line):
            found.append(("open", match[1]))
        elif match := OF_FILE.search(line):
            found.append((match[1], match[2]))
        elif match := RENAMED.search(line):
            found.append(("rename", match[1], match[2]))
        elif match := REMOVED.search(line):
            found.append(("remove", match[1]))
    return [each for each in found if str(laboratory.out) in each[1]]


def test_data_is_on_disk_before_its_name_and_all_of_it_before_the_manifest(laboratory):
    renames = [name for what, name in laboratory.operations if what == "rename"]
    planned = len(renames) - renames.count("latest")
    log = operations(laboratory)
    published = [each for each in log if each[0] == "rename" and "/tiny-" in each[2]]
    with Campaign("files put in place", planned) as campaign:
        for each in published:
            _, temporary, path = each
            of_data = [k for k, (what, name, *_) in enumerate(log) if name == temporary]
            kinds = [log[k][0] for k in of_data]
            renamed = log.index(each)
            after = log[renamed + 1 :]
            folder = path.rpartition("/")[0]
            right = (
                kinds[0] == "open"
                and kinds[-2:] == ["fsync", "rename"]
                and {*kinds[1:-2]} == {"write"}
                and after[0] == ("fsync", folder)
            )
            campaign.tried("in order", "" if right else f"{path}: {kinds}, then {after[0]}")
        in_place = {"open", "write"} & {
            each[0] for each in log if not each[1].endswith((".tmp", ".lock"))
        }
        assert not in_place
        names = [path.rpartition("/")[2] for _, _, path in published]
        assert names[-1] == names[1] == "manifest.json"
        assert names.count("manifest.json") == 2
        manifest = max(k for k, each in enumerate(log) if each == published[-1])
        removed = [k for k, each in enumerate(log) if each[0] == "remove"]
        parts = [k for k in removed if log[k][1].endswith((".part", "/parts"))]
        assert len(parts) == 3
        assert min(parts) > manifest
