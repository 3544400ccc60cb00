"""A table that fits its terminal: columns wrap, then the least important ones are left out.

All text that is printed by adamcli's tables passes through `Cell`, which makes it harmless:
no markup, no control characters, and nothing but ASCII where the terminal has no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate, groupby, islice

from rich import box
from rich.cells import cell_len, set_cell_size
from rich.console import (
    Console,
    ConsoleOptions,
    Group,
    JustifyMethod,
    RenderableType,
    RenderResult,
)
from rich.table import Table
from rich.text import Text

from adamcli.tables.words import EN_DASH, listed
from adamcli.text import safe_lines

MAX_ROWS = 100
"""Of more labels, a table has the best: nobody reads more, and they take seconds to print."""

_GAP = 2
_ASCII = {ord(EN_DASH): "-"}


@dataclass(frozen=True)
class Cell:
    """Text in one or more styles; may have several lines."""

    pieces: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, text: str, style: str = "") -> Cell:
        """A cell in one style."""
        return cls(((text, style),))

    def shown(self, ascii_only: bool) -> Text:
        """The text to print; a terminal without Unicode gets visible escapes."""
        return Text.assemble(*((_plain(text, ascii_only), style) for text, style in self.pieces))

    @property
    def style(self) -> str:
        """The style that it begins with."""
        return self.pieces[0][1] if self.pieces else ""


def _plain(text: str, ascii_only: bool) -> str:
    """Text that a terminal shows and never obeys."""
    text = safe_lines(text)
    if not ascii_only:
        return text
    return text.translate(_ASCII).encode("ascii", "backslashreplace").decode()


EMPTY = Cell(())


@dataclass(frozen=True)
class Line:
    """A paragraph of text around a table; with `cut` only as much as fits in one line."""

    cell: Cell
    cut: bool = False

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        text = self.cell.shown(options.ascii_only)
        if self.cut:
            text.truncate(options.max_width)
        yield text


def line(text: str, style: str = "", *, cut: bool = False) -> Line:
    """A paragraph in one style."""
    return Line(Cell.of(text, style), cut)


@dataclass(frozen=True)
class Column:
    """One column of a `Grid`.

    Attributes:
        head: its title; a line break in it is kept.
        cells: one per row.
        rank: which column goes first when the terminal is too narrow: the one with the
            highest rank. Rank 0 always stays.
        right: whether it is aligned to the right, as numbers are.
        least: the width down to which it is wrapped; by default it is never wrapped.
        one_line: whether a cell that is too wide is cut in its middle instead of wrapped.
        floor: the width it has even when its cells are narrower.
    """

    head: str
    cells: Sequence[Cell]
    rank: int = 0
    right: bool = False
    least: int | None = None
    one_line: bool = False
    floor: int = 0


@dataclass(frozen=True)
class Grid:
    """Columns side by side, as many as fit.

    Attributes:
        columns: all of the same number of cells.
        breaks: rows after which a line is drawn.
        note: whether a line names the columns that are left out.
    """

    columns: Sequence[Column]
    breaks: frozenset[int] = field(default_factory=frozenset)
    note: bool = True

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        strips = [_Strip(column, options.ascii_only) for column in self.columns]
        fitted = fit(strips, options.max_width)
        yield self._table(fitted)
        missing = [strip.name for strip in strips if strip not in fitted]
        if missing and self.note:
            yield line(f"too narrow for {listed(missing)}", "dim")

    def _table(self, fitted: Mapping[_Strip, int]) -> Table:
        """The Rich table of some columns of given widths."""
        table = Table(
            box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False, padding=(0, _GAP - 1, 0, 0)
        )
        for strip, width in fitted.items():
            justify: JustifyMethod = "right" if strip.column.right else "left"
            table.add_column(strip.head, width=width, justify=justify, overflow="fold")
        for row in range(len(self.columns[0].cells)):
            cells = [strip.cell(row, width) for strip, width in fitted.items()]
            table.add_row(*cells, end_section=row in self.breaks)
        return table


class _Strip:
    """A column as text for one terminal, and how wide that is."""

    def __init__(self, column: Column, ascii_only: bool) -> None:
        self.column = column
        self.head = Cell.of(column.head).shown(ascii_only)
        self.texts = [cell.shown(ascii_only) for cell in column.cells]
        self.mark = "~" if ascii_only else "…"
        self.width = max(column.floor, *(_width(text) for text in [self.head, *self.texts]))
        self.least = self.width
        if column.least is not None:
            longest_word = max(map(cell_len, self.head.plain.split()), default=0)
            self.least = min(self.width, max(column.least, longest_word))

    @property
    def name(self) -> str:
        """What the column is called where it is not shown."""
        return self.head.plain.replace("\n", " ")

    def cell(self, row: int, width: int) -> Text:
        """One cell, cut in its middle where it may not wrap."""
        text = self.texts[row]
        if not self.column.one_line or text.cell_len <= width:
            return text
        return Text(_cut(text.plain, width, self.mark), self.column.cells[row].style)


def _width(text: Text) -> int:
    """The width of the longest line."""
    return max(map(cell_len, text.plain.split("\n")))


def _cut(text: str, width: int, mark: str) -> str:
    """The beginning and the end of a text, `width` wide together."""
    head = set_cell_size(text, (width - 1) // 2)
    tail = set_cell_size(text[::-1], width - 1 - cell_len(head))[::-1]
    return head + mark + tail


def fit(strips: Sequence[_Strip], width: int) -> dict[_Strip, int]:
    """The columns that fit, in order, with their widths; those of rank 0 in any case.

    Columns that can wrap give way first, then whole columns by their rank. Room that is left
    goes to the first columns that could use it.
    """
    shown = list(strips)
    for strip in sorted(strips, key=lambda strip: strip.column.rank, reverse=True):
        if strip.column.rank and _total(shown) > width:
            shown.remove(strip)
    spare = max(0, width - _total(shown))
    fitted = {}
    for strip in shown:
        more = min(spare, strip.width - strip.least)
        fitted[strip] = max(1, min(width, strip.least + more))
        spare -= more
    return fitted


def _total(strips: Sequence[_Strip]) -> int:
    """The least width of columns side by side."""
    return sum(strip.least for strip in strips) + _GAP * (len(strips) - 1)


def stack(*parts: RenderableType) -> Group:
    """Renderables one under another, an empty line between them."""
    return Group(*_with_blank_lines(parts))


def _with_blank_lines(parts: Sequence[RenderableType]) -> Iterator[RenderableType]:
    """The parts with an empty line between them."""
    for place, part in enumerate(parts):
        if place:
            yield Text()
        yield part


def grouped(cells: Sequence[str], columns: Sequence[Column]) -> Grid:
    """The columns as one table in which each problem has a row of its own above its rows.

    Args:
        cells: the problem of every row, those of one problem together; all empty where there
            is one problem without a name.
        columns: the first of them gets the names.
    """
    sizes = {cell: len(list(group)) for cell, group in groupby(cells)}
    if list(sizes) == [""]:
        return Grid(columns)
    heads = [Cell.of(cell, "bold") for cell in sizes]
    parted = [
        replace(column, cells=_parted(column.cells, sizes.values(), heads if not place else []))
        for place, column in enumerate(columns)
    ]
    ends = list(accumulate(size + 1 for size in sizes.values()))
    return Grid(parted, breaks=frozenset(end - 1 for end in ends[:-1]))


def _parted(cells: Sequence[Cell], sizes: Iterable[int], heads: Sequence[Cell]) -> list[Cell]:
    """The cells of a column in parts of the given sizes, each after its head or a blank."""
    parted, rest = [], iter(cells)
    for place, size in enumerate(sizes):
        parted += [heads[place] if heads else EMPTY, *islice(rest, size)]
    return parted
