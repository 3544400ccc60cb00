"""Every file cut at every length and with flipped bits: refused or listed, never other numbers."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from adamcli import store
from adamcli.cli.main import run
from adamcli.errors import DamagedError
from faults.campaign import Campaign
from faults.laboratory import Laboratory

pytestmark = pytest.mark.faults

SEED = 20_243
SMALL = 4096  # bytes of a file that is cut at every length
DAMAGED = 6


@pytest.fixture
def finished(laboratory):
    """A finished directory with two figures."""
    directory = laboratory.directory
    picture = random.Random(SEED).randbytes(700)
    directory.add_figures(directory.load(), {"curves.png": picture, "boundary.svg": b"<svg/>"})
    return laboratory


@pytest.fixture
def unfinished(laboratory):
    """A directory with a part and a checkpoint of the other stack."""
    renamed = [k for k, (what, _) in enumerate(laboratory.operations) if what == "rename"]
    *_, last = (k for k in renamed if laboratory.operations[k][1].endswith(".checkpoint"))
    laboratory.clear()
    laboratory.run(f"KILL:{last + 3}")
    kinds = sorted(path.suffix for path in laboratory.directory.parts.path.iterdir())
    assert kinds == [".checkpoint", ".part"]
    laboratory.hash = laboratory.directory.hashed()[1]  # of what is there
    return laboratory


def damages(
    content: bytes, cuts: int, flips: int, draw: random.Random
) -> Iterator[tuple[str, bytes]]:
    """A file cut at many lengths, and with a bit flipped in many places."""
    size = len(content)
    lengths = range(size) if size <= max(SMALL, cuts) else sorted(draw.sample(range(size), cuts))
    for length in lengths[:: max(1, len(lengths) // cuts)]:
        yield f"cut at {length}", content[:length]
    for _ in range(flips):
        place, bit = draw.randrange(size), draw.randrange(8)
        flipped = bytearray(content)
        flipped[place] ^= 1 << bit
        yield f"bit {bit} of byte {place} flipped", bytes(flipped)


def saved_files(directory: Path) -> list[Path]:
    """All files of a run directory but its lock."""
    return sorted(p for p in directory.rglob("*") if p.is_file() and p.name != ".lock")


def judged(laboratory: Laboratory, file: str) -> tuple[str, str]:
    """What became of a damage, and what is wrong with that."""
    found = store.verify(laboratory.directory)
    listed = {each.file: each.state for each in found.findings}
    is_listed = file in listed and (found.harmed or file.endswith(".checkpoint"))
    try:
        digest = laboratory.directory.hashed()[1]
    except DamagedError:
        return "refused", "" if is_listed else f"not listed: {found}"
    if file == "manifest.json" and not listed and digest == laboratory.hash:
        return "without a meaning", ""  # such as a blank between two values
    harmless = file.startswith("figures/") or file.endswith(".checkpoint")
    right = is_listed and harmless and digest == laboratory.hash
    return "listed", "" if right else f"read as numbers, hash {digest}, {found}"


@pytest.mark.parametrize("state", ["finished", "unfinished"])
def test_damage_is_listed_and_never_read_as_a_number(state, request, scaled, capfd):
    laboratory = request.getfixturevalue(state)
    draw = random.Random(SEED)
    paths = saved_files(laboratory.directory.path)
    cuts, flips = scaled(5, SMALL), scaled(12, 600)
    planned = sum(min(len(p.read_bytes()), cuts) + flips for p in paths)
    with Campaign(f"damage to {len(paths)} files of a {state} run", planned) as campaign:
        for path in paths:
            name = path.relative_to(laboratory.directory.path).as_posix()
            content = path.read_bytes()
            for what, damaged in damages(content, cuts, flips, draw):
                path.write_bytes(damaged)
                end, wrong = judged(laboratory, name)
                campaign.tried(end, wrong and f"{name} {what}: {wrong}")
            path.write_bytes(content)
        assert laboratory.directory.hashed()[1] == laboratory.hash
        assert not store.verify(laboratory.directory).findings


@pytest.mark.parametrize("state", ["finished", "unfinished"])
def test_every_command_refuses_damage_in_a_sentence(state, request, scaled, capfd):
    laboratory = request.getfixturevalue(state)
    draw = random.Random(SEED)
    commands = [["show"], ["show", "--json"], ["show", "--hash"], ["show", "--verify"], ["plot"]]
    commands = commands[:: scaled(2, 1)]
    paths = [p for p in saved_files(laboratory.directory.path) if p.suffix != ".checkpoint"]
    paths = [p for p in paths if p.parent.name != "figures"]
    tries = scaled(1, 20)
    with Campaign(
        f"commands on a damaged {state} run", len(paths) * tries * len(commands)
    ) as campaign:
        for path in paths:
            content = path.read_bytes()
            for _ in range(tries):
                what, damaged = draw.choice(list(damages(content, 3, 3, draw)))
                path.write_bytes(damaged)
                harmless = path.name == "manifest.json" and damaged.strip() == content.strip()
                for command in commands:
                    code = run([*command, "--out", str(laboratory.out)])
                    err = capfd.readouterr().err
                    in_a_sentence = err.count("error: ") == 1 == err.count("\n")
                    right = code == 0 if harmless else code == DAMAGED and in_a_sentence
                    told = f"{command} {path.name} {what}: exit {code}, {err}"
                    campaign.tried(f"exit {code}", "" if right else told)
            path.write_bytes(content)


def test_a_run_goes_on_from_damage_with_the_same_bits(laboratory, request, scaled):
    expected = laboratory.hash
    request.getfixturevalue("unfinished")
    laboratory.hash = expected
    draw = random.Random(SEED)
    state = laboratory.kept(laboratory.out.parent / "state")
    names = [path.relative_to(laboratory.out) for path in saved_files(laboratory.directory.path)]
    tries = scaled(1, 25)
    with Campaign("`run` on damage", tries * len(names)) as campaign:
        for name in names * tries:
            laboratory.become(state)
            content = (laboratory.out / name).read_bytes()
            what, damaged = draw.choice(list(damages(content, 3, 3, draw)))
            (laboratory.out / name).write_bytes(damaged)
            ended = laboratory.run()
            wrong = str(ended) if ended.code else laboratory.unequal()
            campaign.tried(f"exit {ended.code}", wrong and f"{name} {what}: {wrong}")
