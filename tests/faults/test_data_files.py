"""Damaged and odd data files: refused in words, or read as exactly the numbers they hold."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import typer

from adamcli.problems.datafile import read_table
from faults.campaign import Campaign, within
from faults.judging import faults_of

pytestmark = pytest.mark.faults

SEED = 20_241
LONGEST = 10.0
EXPERIMENT = """
dataset: {{name: file, path: {path}}}
model: {{hidden: [2]}}
train: {{epochs: 1, batch_size: 2}}
optimizers: [{{name: adam}}]
"""
X = np.random.default_rng(SEED).normal(size=(8, 2)).round(3)
Y = np.arange(8) % 2
CSV = "\n".join(["a,b,target", *(f"{a},{b},{k}" for (a, b), k in zip(X, Y, strict=True)), ""])


def npz(**arrays: object) -> bytes:
    """The bytes of an NPZ file."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def members(**contents: bytes) -> bytes:
    """A zip file with these members."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in contents.items():
            archive.writestr(f"{name}.npy", content)
    return file.getvalue()


def bomb() -> bytes:
    """A small zip file that is 300 MB when unpacked, as its header says."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        with archive.open("X.npy", "w") as member:
            member.write(claiming("(20000000, 2)"))
            for _ in range(320):
                member.write(bytes(10**6))
        archive.writestr("y.npy", claiming("(20000000,)"))
    return file.getvalue()


def claiming(shape: str) -> bytes:
    """An array that claims a shape and holds nothing."""
    header = f"{{'descr': '<f8', 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + len(header).to_bytes(2, "little") + header.encode()


GOOD = npz(X=X, y=Y)
PICKLED = np.array([{"a": 1}] * 8, dtype=object)

# Name of the file, its content, and whether it must be refused.
ODD: dict[str, tuple[str, bytes | Callable[[], bytes], bool]] = {
    "empty": ("e.csv", b"", True),
    "a header only": ("h.csv", b"a,b,target\n", True),
    "one row": ("o.csv", b"a,target\n1,0\n", True),
    "one class": ("c.csv", b"a,target\n1,0\n2,0\n", True),
    "one column": ("k.csv", b"target\n1\n2\n", True),
    "text in numbers": ("t.csv", b"a,target\nx,0\n2,1\n", True),
    "NaN": ("n.csv", b"a,target\nnan,0\n2,1\n", True),
    "infinity": ("i.csv", b"a,target\n1e999,0\n2,1\n", True),
    "digits grouped": ("g.csv", b"a,target\n1_000,0\n2,1\n", True),
    "a decimal comma": ("d.csv", b'a,target\n"1,5",0\n2,1\n', True),
    "an empty cell": ("m.csv", b"a,target\n,0\n2,1\n", True),
    "an empty target": ("y.csv", b"a,target\n1,\n2,1\n", True),
    "ragged": ("r.csv", b"a,target\n1,0,3\n2,1\n", True),
    "semicolons": ("s.csv", b"a;target\n1;0\n2;1\n", True),
    "tabs": ("b.csv", b"a\ttarget\n1\t0\n2\t1\n", True),
    "a column twice": ("w.csv", b"a,a,target\n1,1,0\n2,2,1\n", True),
    "an open quote": ("q.csv", b'a,target\n"1,0\n2,1\n', True),
    "UTF-16": ("u.csv", CSV.encode("utf-16"), True),
    "Latin-1": ("l.csv", "é,target\n1,0\n2,1\n".encode("latin-1"), True),
    "NUL": ("z.csv", b"a,target\n1\x00,0\n2,1\n", True),
    "a million columns": ("v.csv", b"," * 1_000_000, True),
    "another ending": ("x.txt", b"hello", True),
    "a byte order mark": ("bom.csv", CSV.encode("utf-8-sig"), False),
    "CRLF": ("crlf.csv", CSV.replace("\n", "\r\n").encode(), False),
    "blank lines": ("blank.csv", CSV.replace("\n", "\n\n").encode(), False),
    "no last newline": ("last.csv", CSV.strip().encode(), False),
    "blanks around": ("spaces.csv", CSV.replace(",", " , ").encode(), False),
    "not a zip file": ("1.npz", b"hello", True),
    "an empty file": ("2.npz", b"", True),
    "a plain array": ("3.npz", claiming("(8, 2)") + X.tobytes(), True),
    "no y": ("4.npz", npz(X=X), True),
    "no X": ("5.npz", npz(y=Y), True),
    "members of text": ("6.npz", members(X=b"hello", y=b"hello"), True),
    "pickled objects": ("7.npz", npz(X=X, y=PICKLED), True),
    "pickled inputs": ("8.npz", npz(X=PICKLED, y=Y), True),
    "complex": ("9.npz", npz(X=X.astype(complex), y=Y), True),
    "structured": ("10.npz", npz(X=X.view([("a", float), ("b", float)]), y=Y), True),
    "0-d": ("11.npz", npz(X=np.array(1.0), y=Y), True),
    "5-d": ("12.npz", npz(X=X.reshape(8, 2, 1, 1, 1), y=Y), True),
    "rows that differ": ("13.npz", npz(X=X[:7], y=Y), True),
    "NaN in X": ("14.npz", npz(X=np.where(X > 1, np.nan, X * np.nan), y=Y), True),
    "NaN in y": ("15.npz", npz(X=X, y=np.full(8, np.nan)), True),
    "a shape of 10^12": ("16.npz", members(X=claiming("(10**12, 2)"), y=claiming("(8,)")), True),
    "a large shape": ("17.npz", members(X=claiming("(999999999, 2)"), y=claiming("(8,)")), True),
    "a negative shape": ("18.npz", members(X=claiming("(-8, 2)"), y=claiming("(8,)")), True),
    "too little data": ("19.npz", members(X=claiming("(8, 2)"), y=claiming("(8,)")), True),
    "no rows": ("20.npz", npz(X=X[:0], y=Y[:0]), True),
    "no columns": ("21.npz", npz(X=X[:, :0], y=Y), True),
    "101 classes": ("22.npz", npz(X=np.ones((101, 2)), y=np.arange(101)), True),
    "a zip bomb": ("23.npz", bomb, True),
    "column order": ("f.npz", npz(X=np.asfortranarray(X), y=Y), False),
    "big-endian": ("be.npz", npz(X=X.astype(">f8"), y=Y.astype(">i4")), False),
    "another array": ("more.npz", npz(X=X, y=Y, z=PICKLED), False),
    "classes as text": ("text.npz", npz(X=X, y=Y.astype(str)), False),
}  # fmt: skip


@pytest.fixture
def check(cli, tmp_path, monkeypatch):
    """Check an experiment on a data file: exit code and what is wrong with how it ended."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(typer.main, "get_command", cache(typer.main.get_command))

    def call(name: str, content: bytes) -> tuple[int, str]:
        Path(name).write_bytes(content)
        Path("x.yaml").write_text(EXPERIMENT.format(path=name), encoding="utf-8")
        with within(LONGEST):
            code, out, err = cli("config", "check", "x.yaml")
        wrong = faults_of(code, out, err)
        if code == 2 and name not in err:
            wrong = f"{wrong} the file is not named"
        return code, f"{wrong}\n{content[:2000]!r}\n{err}" if wrong else ""

    return call


def numbers(name: str) -> tuple[np.ndarray, np.ndarray]:
    """What a data file was read as."""
    table = read_table(str(Path(name).absolute()), "target")
    return table.x, table.y


def flipped(content: bytes, count: int) -> Iterator[bytes]:
    """The content with a bit changed, at places drawn at random."""
    rng = np.random.default_rng(SEED)
    for at, bit in zip(
        rng.integers(len(content), size=count), rng.integers(8, size=count), strict=True
    ):
        yield content[:at] + bytes([content[at] ^ (1 << int(bit))]) + content[at + 1 :]


def test_odd_files_are_refused_or_read_right(check):
    with Campaign("data files, odd ones", len(ODD)) as campaign:
        for what, (name, content, refused) in ODD.items():
            code, wrong = check(name, content if isinstance(content, bytes) else content())
            if (code == 2) != refused:
                wrong = f"{what}: exit {code}"
            elif code == 0:
                x, y = numbers(name)
                wrong = wrong or ("" if (x == X).all() and (y == Y).all() else f"{what}: changed")
            campaign.tried(f"exit {code}", wrong)


@pytest.mark.parametrize(("name", "content"), [("csv", CSV.encode()), ("npz", GOOD)])
def test_a_file_cut_anywhere_is_refused_or_whole(check, scaled, name, content):
    every = scaled(11, 1)
    with Campaign(f"data files, {name} cut", len(content) // every) as campaign:
        for length in range(0, len(content), every):
            file = f"cut{length}.{name}"
            code, wrong = check(file, content[:length])
            if name == "npz" and code == 0:
                wrong = f"an archive of {length} of {len(content)} bytes was read"
            elif code == 0:
                x, y = numbers(file)
                # All rows but the last one must be what they were: in CSV nothing tells an end.
                same = (x[:-1] == X[: len(x) - 1]).all() and (y[:-1] == Y[: len(y) - 1]).all()
                wrong = wrong or ("" if same and np.isfinite(x).all() else f"cut at {length}")
            campaign.tried(f"exit {code}", wrong)


def test_a_changed_bit_of_an_archive_never_changes_a_number(check, scaled):
    with Campaign("data files, npz with a bit changed", scaled(60, 5_000)) as campaign:
        for i, content in enumerate(flipped(GOOD, campaign.planned)):
            code, wrong = check(f"flip{i}.npz", content)
            if code == 0 and not wrong:
                x, y = numbers(f"flip{i}.npz")
                wrong = "" if (x == X).all() and (y == Y).all() else f"other numbers: {content!r}"
            campaign.tried(f"exit {code}", wrong)


def test_a_changed_bit_of_a_csv_is_never_read_as_no_number(check, scaled):
    with Campaign("data files, csv with a bit changed", scaled(60, 3_000)) as campaign:
        for i, content in enumerate(flipped(CSV.encode(), campaign.planned)):
            code, wrong = check(f"flip{i}.csv", content)
            if code == 0 and not wrong:
                x, _ = numbers(f"flip{i}.csv")
                whole = np.isfinite(x).all() and x.shape[1] == 2
                wrong = "" if whole else f"gaps: {content!r}"
            campaign.tried(f"exit {code}", wrong)
