"""The view of a training: plain lines, the live table, what they cost and what they leave."""

# ruff: noqa: RUF001  (ranges are written with an en dash)
from __future__ import annotations

import io
import re
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from rich.cells import cell_len
from rich.console import Console
from rich.file_proxy import FileProxy
from rich.text import Text

from adamcli.history import METRICS, VALIDATION, Failure
from adamcli.tables import LiveView
from adamcli.tables.board import CURVE_POINTS, Board
from adamcli.tables.standing import StandingTable, standing_line

HIDE, SHOW = "\x1b[?25l", "\x1b[?25h"
EPOCHS = 20
REPORTED = tuple(name for name in METRICS if name not in VALIDATION)


@dataclass(frozen=True)
class Run:
    label: str
    seed: int
    task: SimpleNamespace
    optimizer: str = "adam"
    cell: str = ""


def runs_of(labels: Sequence[str], seeds: int = 1, epochs: int = EPOCHS) -> list[Run]:
    return [
        Run(label, seed, SimpleNamespace(epochs=epochs, metrics=REPORTED))
        for label in labels
        for seed in range(seeds)
    ]


def progress(
    block: Sequence[int],
    epoch: int,
    losses: Sequence[float],
    *,
    test: bool = True,
    last: int = EPOCHS,
    failed: Sequence[int] = (),
) -> Any:
    """News of a block as the runner gives it.

    A loss that is NaN stands for a diverged run, or a failed one where its row is in `failed`.
    """
    loss = np.array(losses, dtype=float)
    names = [name for name in REPORTED if test or not name.startswith("test")]
    metrics = {name: 1 - loss if name.endswith("accuracy") else loss * 1.0 for name in names}
    diverged_at = np.where(np.isnan(loss), 37, 0)
    diverged_at[list(failed)] = 0
    snapshot = SimpleNamespace(
        epoch=epoch,
        metrics=metrics,
        diverged_at=diverged_at,
        failed={row: Failure(37, "why") for row in failed},
    )
    done = epoch == last or bool(diverged_at.all())
    return SimpleNamespace(block=tuple(block), snapshot=snapshot, finished=(1,) if done else ())


def training(runs: Sequence[Run], epochs: int = EPOCHS) -> Iterator[Any]:
    """All runs as one block; the loss of run k after epoch e is 1 / (e + k)."""
    block = range(len(runs))
    for epoch in range(1, epochs + 1):
        yield progress(block, epoch, [1 / (epoch + k) for k in block], last=epochs)


class Terminal(io.StringIO):
    """What is written to a terminal, with the means to read it as a person would."""

    def console(self, width: int = 80, height: int = 24, *, live: bool = True) -> Console:
        return Console(
            file=self,
            width=width,
            height=height,
            force_terminal=live,
            legacy_windows=False,
            color_system="truecolor" if live else None,
            _environ={"TERM": "xterm"},
        )

    @property
    def plain(self) -> str:
        return Text.from_ansi(self.getvalue()).plain


class Clock:
    """A clock that goes on only when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def table(board: Board, width: int = 100, height: int = 24, encoding: str = "utf-8") -> str:
    """The live table as plain text."""
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, newline="\n")
    console = Console(
        file=file, width=width, height=height, color_system=None, legacy_windows=False
    )
    console.print(StandingTable(board, {}, 4.0))
    file.flush()
    text: str = file.buffer.getvalue().decode(encoding)  # type: ignore[attr-defined]
    return "\n".join(line.rstrip() for line in text.split("\n"))


def board_of(runs: Sequence[Run], news: Sequence[Any]) -> Board:
    board = Board(runs)
    for each in news:
        board.note(each)
    return board


def test_lines_are_printed_at_every_tenth():
    terminal, clock = Terminal(), Clock()
    runs = runs_of(["sgdm", "adam"])
    with LiveView(runs, terminal.console(live=False), "lines", clock=clock, work=clock) as view:
        for news in training(runs):
            clock.now += 0.1
            view.update(news)
    lines = terminal.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[0] == "epoch 2/20  sgdm 0.500  adam 0.333  (0.2 s, about 1.8 s left)"
    assert lines[-1] == "epoch 20/20  sgdm 0.0500  adam 0.0476  (2.0 s)"


def test_lines_are_few_however_many_blocks_there_are():
    terminal, clock = Terminal(), Clock()
    runs = runs_of([f"label {k}" for k in range(60)], seeds=17)
    with LiveView(runs, terminal.console(live=False), "lines", clock=clock, work=clock) as view:
        for start in range(0, len(runs), 15):
            for epoch in range(1, EPOCHS + 1):
                clock.now += 1
                view.update(progress(range(start, start + 15), epoch, [0.5] * 15))
    lines = terminal.getvalue().splitlines()
    assert len(lines) == 10
    assert lines[4].startswith("50% done  label 0 0.500  ")
    assert "label 59" not in lines[4]
    assert "  ... 52 more  (" in lines[4]


def test_lines_say_what_diverged_and_what_waits():
    terminal, clock = Terminal(), Clock()
    runs = runs_of(["a", "b"], seeds=2)
    runs.append(Run("c", 0, SimpleNamespace(epochs=EPOCHS, metrics=REPORTED)))
    with LiveView(runs, terminal.console(live=False), "lines", clock=clock, work=clock) as view:
        clock.now += 1
        view.update(progress([0, 1, 2, 3], EPOCHS, [np.nan, np.nan, np.nan, 0.5]))
    assert "  a diverged  b inf (1 of 2 diverged)  c waits  (" in terminal.getvalue()


def test_a_training_that_is_over_in_a_moment_has_its_last_line_only():
    terminal = Terminal()
    runs = runs_of("a")
    with LiveView(runs, terminal.console(live=False), "lines", clock=Clock(), work=Clock()) as view:
        for news in training(runs):
            view.update(news)
    assert terminal.getvalue() == "epoch 20/20  a 0.0500  (0.0 s)\n"


def test_lines_are_plain_whatever_the_label_is():
    terminal = Terminal()
    runs = runs_of(["[red]x[/]", "\x1b[31m", ":fire:", "[/]"])
    with LiveView(runs, terminal.console(live=False), "lines") as view:
        view.update(progress(range(4), EPOCHS, [0.5] * 4))
    assert "[red]x[/] 0.500  \\x1b[31m 0.500  :fire: 0.500  [/] 0.500" in terminal.getvalue()
    assert "\x1b" not in terminal.getvalue()


def test_quiet_is_silent():
    terminal = Terminal()
    runs = runs_of(["a"])
    with LiveView(runs, terminal.console(), "quiet") as view:
        for news in training(runs):
            view.update(news)
    assert terminal.getvalue() == ""


def test_the_table_has_a_row_per_label():
    runs = runs_of(["sgdm", "adam without correction"])
    board = board_of(runs, [*training(runs)][:5])
    assert (
        table(board)
        == """\
                                  train     train      test     grad     mean  train loss
optimizer                epoch     loss  accuracy  accuracy     norm   update  (log)
───────────────────────────────────────────────────────────────────────────────────────────
sgdm                      5/20    0.200    80.00%    80.00%    0.200    0.200  █▅▂
adam without correction   5/20    0.167    83.33%    83.33%    0.167    0.167  █▄▁
25% done, 4.0 s, about 12 s left
"""
    )


def test_several_seeds_show_their_range_while_there_is_room():
    runs = runs_of(["sgdm", "adam"], seeds=3)
    board = board_of(runs, [progress(range(6), 10, [0.1, 0.2, 0.3, 0.5, np.nan, 0.4])])
    text = table(board, 120)
    assert re.search(r"sgdm +10/20 +0.200 ", text)
    assert "0.100–0.300" in text
    assert re.search(r"adam +10/20 +1 of 3 +0.500 ", text)
    assert "0.400–inf" in text
    assert "0.100–0.300" not in table(board, 120, height=8)


def test_the_only_run_that_diverged_has_no_numbers():
    runs = runs_of(["a", "b"])
    text = table(board_of(runs, [progress([0, 1], 10, [np.nan, 0.5])]))
    assert re.search(r"^a +10/20 +yes +█+$", text, re.MULTILINE)


def test_failed_runs_have_a_column_of_their_own_and_count_as_worst():
    runs = runs_of(["a", "b"], seeds=2)
    news = progress([3, 1, 0, 2], 10, [np.nan, np.nan, 0.5, np.nan], failed=[1, 3])
    board = board_of(runs, [news])
    at = board.standings()
    assert (at.diverged.tolist(), at.failed.tolist()) == ([0, 1], [1, 1])
    assert at.metrics["train_loss"].max.tolist() == [np.inf, np.inf]
    text = table(board)
    assert re.search(r"a +10/20 +1 of 2 +inf", text)
    assert re.search(r"b +10/20 +1 of 2 +1 of 2 +inf", text)
    line = standing_line(board, 1.0)
    assert "  a inf (1 of 2 failed)  b inf (1 of 2 diverged, 1 of 2 failed)  (" in line


def test_runs_that_have_not_begun_do_not_count():
    runs = runs_of(["a"], seeds=3)
    at = board_of(runs, [progress([2], 10, [0.5])]).standings()
    assert at.metrics["train_loss"].median == at.metrics["train_loss"].max == 0.5
    assert (at.epoch.min, at.epoch.max) == (0, 10)


def test_medians_are_those_of_numpy():
    rng = np.random.default_rng(0)
    for seeds in range(1, 8):
        runs, losses = runs_of("ab", seeds), rng.random(2 * seeds)
        at = board_of(runs, [progress(range(2 * seeds), 1, losses)]).standings()
        expected = np.median(losses.reshape(2, seeds), axis=1)
        np.testing.assert_allclose(at.metrics["grad_norm"].median, expected, rtol=1e-15)


def test_labels_may_have_different_numbers_of_runs():
    runs = [*runs_of("a", 1), *runs_of("b", 4)]
    at = board_of(runs, [progress(range(5), 1, [0.1, 0.2, 0.3, 0.4, 0.5])]).standings()
    assert at.runs.tolist() == [1, 4]
    assert at.metrics["train_loss"].max.tolist() == [0.1, 0.5]


@pytest.mark.parametrize("every", [1, 7, 20])
def test_curves_have_no_gaps_however_seldom_is_measured(every: int):
    runs = runs_of("a")
    board = Board(runs)
    for epoch in range(every, EPOCHS + 1, every):
        board.note(progress([0], epoch, [1 / epoch]))
    (curve,) = board.standings().curves
    known = round(CURVE_POINTS * (EPOCHS // every * every) / EPOCHS)
    assert np.count_nonzero(~np.isnan(curve)) in (known, known + 1)
    assert not np.isnan(curve[:known]).any()


def test_a_block_that_diverged_early_is_done():
    runs = runs_of("ab")
    board = board_of(runs, [progress([0], 3, [np.nan]), progress([1], 10, [0.5])])
    assert board.progress == 0.75


def test_nothing_to_train_is_shown_as_nothing():
    for mode in ("live", "lines", "quiet"):
        with LiveView([], Terminal().console(), mode):
            pass
    assert Board([]).progress == 1.0
    assert table(Board([]))


def test_a_low_terminal_counts_the_rest():
    runs = runs_of([f"label {k}" for k in range(30)])
    lines = table(board_of(runs, [*training(runs)]), height=12).splitlines()
    assert len(lines) <= 11
    assert lines[-1].startswith("... 23 more   100% done")


@pytest.mark.parametrize("width", [1, 2, 10, 20, 40, 60, 80, 200, 10_000])
@pytest.mark.parametrize("height", [1, 2, 5, 24])
@pytest.mark.parametrize("seeds", [1, 3])
def test_the_table_never_outgrows_the_terminal(width: int, height: int, seeds: int):
    runs = runs_of(["漢字" * 10, "adam", "sgdm noise=0.1 lr=0.001"], seeds)
    lines = table(board_of(runs, [*training(runs)][:7]), width, height).splitlines()
    assert len(lines) <= max(1, height - 1)
    assert max(map(cell_len, lines)) <= width


def test_labels_that_are_cut_keep_both_ends():
    runs = runs_of(["adam without correction noise=0.1", "adam without correction noise=0.2"])
    text = table(board_of(runs, [*training(runs)]), 60)
    assert "noise=0.1" in text
    assert "noise=0.2" in text


def test_a_terminal_without_unicode_gets_ascii():
    runs = runs_of(["漢字"], seeds=2)
    assert table(board_of(runs, [*training(runs)]), encoding="ascii").isascii()


def test_without_test_data_there_is_no_test_column():
    runs = runs_of("a")
    assert "test" in table(Board(runs))
    assert "test" not in table(board_of(runs, [progress([0], 1, [0.5], test=False)]))


def screen(output: str) -> tuple[list[str], int]:
    """What a terminal shows after the little of ANSI that is used here, and the cursor's line."""
    lines, row = [""], 0
    for token in re.findall(r"\x1b\[[?\d;]*[A-Za-z]|\r|\n|[^\x1b\r\n]+", output):
        if token == "\n":
            row += 1
            lines += [""] * (row + 1 - len(lines))
        elif token.endswith("A") and token.startswith("\x1b"):
            row -= int(token[2:-1])
        elif token == "\x1b[2K":
            lines[row] = ""
        elif not token.startswith(("\x1b", "\r")):
            lines[row] += token
    return lines, row


def test_the_live_table_appears_and_leaves_the_screen_clean():
    terminal, clock = Terminal(), Clock()
    runs = runs_of(["sgdm", "adam"])
    with LiveView(runs, terminal.console(), "live", clock=clock, work=clock) as view:
        for news in training(runs):
            clock.now += 1
            view.update(news)
        lines, _ = screen(terminal.getvalue())
        assert sum("20/20" in line for line in lines) == 2
        assert sum("100% done, 20 s" in line for line in lines) == 1
        assert not any("19/20" in line for line in lines)
    lines, row = screen(terminal.getvalue())
    assert not any(lines)
    assert row == 0


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError, SystemExit])
def test_the_cursor_comes_back_however_the_training_ends(error: type[BaseException]):
    terminal, clock = Terminal(), Clock()

    def interrupted() -> None:
        runs = runs_of(["adam"])
        with LiveView(runs, terminal.console(), "live", clock=clock, work=clock) as view:
            clock.now += 1
            view.update(next(training(runs)))
            assert HIDE in terminal.getvalue()
            raise error

    with pytest.raises(error):
        interrupted()
    assert terminal.getvalue().rindex(SHOW) > terminal.getvalue().rindex(HIDE)
    lines, row = screen(terminal.getvalue())
    assert not any(lines)
    assert row == 0


def test_a_short_training_does_not_touch_the_terminal():
    terminal, clock = Terminal(), Clock()
    runs = runs_of(["adam"])
    with LiveView(runs, terminal.console(), "live", clock=clock, work=clock) as view:
        for news in training(runs):
            clock.now += 0.01
            view.update(news)
    assert terminal.getvalue() == ""


@pytest.mark.parametrize("cost", [0.001, 0.02, 0.5])
def test_tables_take_at_most_a_fiftieth_of_the_time(cost: float, monkeypatch):
    """Every table costs `cost` seconds here; the first is dearer than was expected."""
    clock = Clock()
    shown = []
    runs = runs_of(["adam"], epochs=6000)

    def draw(*_: object, **__: object) -> None:
        shown.append(clock.now)
        clock.now += cost

    view = LiveView(runs, Terminal().console(), "live", clock=clock, work=clock)
    monkeypatch.setattr("rich.live.Live.update", draw)
    for news in training(runs, 6000):
        clock.now += 0.01
        view.update(news)
    elapsed = clock.now - 100
    assert len(shown) * cost <= 0.02 * elapsed + cost
    assert len(shown) >= min(0.9 * elapsed / 0.26, 0.015 * elapsed / cost - 1)
    assert min(np.diff(shown), default=1) >= 0.25


def test_output_that_cannot_be_written_does_not_stop_the_training():
    class Gone(Terminal):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    for mode in ("live", "lines"):
        clock = Clock()
        runs = runs_of(["adam"])
        with LiveView(runs, Gone().console(), mode, clock=clock, work=clock) as view:
            for news in training(runs):
                clock.now += 1
                view.update(news)
            assert not isinstance(sys.stderr, FileProxy)


def test_hostile_labels_reach_the_terminal_as_text():
    terminal, clock = Terminal(), Clock()
    runs = runs_of(["[red]x[/]", "\x1b]0;title\x07", ":fire:", "\x9b31m"])
    with LiveView(runs, terminal.console(120), "live", clock=clock, work=clock) as view:
        clock.now += 1
        view.update(next(training(runs)))
    for text in ("[red]x[/]", "\\x1b]0;title\\x07", ":fire:", "\\x9b31m"):
        assert text in terminal.plain
    assert "\x1b]0" not in terminal.getvalue()
    assert "\x9b" not in terminal.getvalue()
