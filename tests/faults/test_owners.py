"""Many processes on one directory: one writes, others are told so, readers see whole results."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable

import pytest

from adamcli.cli.main import run
from adamcli.store import faults
from faults.campaign import Campaign
from faults.processes import Child, adamcli

pytestmark = pytest.mark.faults

IN_USE = 5
STARTS = 20


class Gate:
    """Processes wait at it until it is opened."""

    def __init__(self) -> None:
        self._wait, self._open = os.pipe()
        self._is_open = False

    def wait(self) -> None:
        """Wait, in a child; once."""
        if not self._is_open:
            self._is_open = True
            os.close(self._open)
            os.read(self._wait, 1)

    def open(self) -> None:
        """Let everybody pass, in the parent."""
        os.close(self._open)
        os.close(self._wait)


def at(operation: str, name: str, act: Callable[[], None]) -> Callable[[str, object], None]:
    """A hook that does something before an operation on a file of a name."""
    return lambda what, path: act() if (what, path.name) == (operation, name) else None


def test_of_many_that_start_at_once_one_owns_the_directory(laboratory, scaled):
    rounds = scaled(1, 20)
    with Campaign(f"{STARTS} starts at once", rounds * STARTS) as campaign:
        for _ in range(rounds):
            laboratory.clear()
            start, finish = Gate(), Gate()

            def task(start=start, finish=finish):
                faults.before = at("rename", "config.yaml", finish.wait)  # the owner stays
                start.wait()
                return adamcli(laboratory.command)()

            children = [Child(task) for _ in range(STARTS)]
            start.open()
            owner, losers = sorted_out(children)
            finish.open()
            ended = owner.end()
            campaign.tried("exit 0", str(ended) if ended.code or ended.err else "")
            for loser in losers:
                told = f"error: in use by process {owner.pid} on " in loser.err
                right = loser.code == IN_USE and told and loser.err.count("\n") == 1
                campaign.tried(f"exit {loser.code}", "" if right else f"{loser}, not {owner.pid}")
            assert not laboratory.unequal()


def sorted_out(children):
    """The child that goes on, and how all others ended."""
    left, ended = dict.fromkeys(children), []
    while len(left) > 1:
        for child in [*left]:
            if child.is_over():
                del left[child]
                ended.append(child.end())
    return next(iter(left)), ended


def test_a_killed_owner_is_none(laboratory, scaled):
    with Campaign("killed owners", scaled(3, 30)) as campaign:
        for _ in range(campaign.planned):
            laboratory.clear()
            gate = Gate()
            reached, reach = os.pipe()

            def stay(gate=gate, reach=reach):
                os.write(reach, b".")
                gate.wait()

            def task(stay=stay):
                faults.before = at("rename", "manifest.json", stay)
                return adamcli(laboratory.command)()

            owner = Child(task)
            os.read(reached, 1)
            busy = laboratory.run()
            owner.send(signal.SIGKILL)
            assert owner.end().code == -signal.SIGKILL
            gate.open()
            refused = busy.code == IN_USE and f"process {owner.pid} " in busy.err
            campaign.tried("free at once", "" if refused else str(busy) or laboratory.wrong())
            for descriptor in (reached, reach):
                os.close(descriptor)


def test_readers_see_whole_results_while_others_write(laboratory, scaled, capfd):
    options = ([], ["--json"], ["--hash"], ["--verify"])
    commands = [*(["show", *option] for option in options), ["runs"]]
    number = 0
    with Campaign("reads while others write", scaled(10, 1000)) as campaign:
        while campaign.count < campaign.planned:
            number += 1
            writer = Child(lambda number=number: writing(laboratory, number))
            while not writer.is_over():
                command = commands[campaign.count % len(commands)]
                code = run([*command, "--out", str(laboratory.out)])
                err = capfd.readouterr().err
                campaign.tried(command[-1], f"{command}: exit {code}, {err}" if code else "")
            ended = writer.end()
            assert ended.code in (0, -signal.SIGKILL), ended
        assert not laboratory.wrong()


def writing(laboratory, number):
    """Train anew twice and once on top of what a killed process left."""
    for _ in range(2):
        assert adamcli([*laboratory.command, "--fresh"])() == 0
        faults.before = lambda what, path: None
    if number % 2:
        return adamcli([*laboratory.command, "--fresh"], f"KILL:{20 + 7 * number % 60}")()
    return adamcli(laboratory.command)()
