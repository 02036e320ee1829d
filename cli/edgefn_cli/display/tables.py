"""Tables that stay readable on a narrow terminal: what does not fit side by side is written one below the other.

No name is cut and no column is one word wide. Import it to draw, not before: it imports rich.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

_ENDLESS = 1 << 20
_NOTHING = ("", "-")
"""Cells that say nothing: left out where their column's heading is not above them."""


class RowTable(Table):
    """A table without lines. Where it is wider than the console, each row is a title and its other cells below.

    titles   leading columns that name a row
    grouped  trailing columns that many rows share: written once below consecutive rows that have the same there
    """

    def __init__(self, *headings: str, titles: int = 1, grouped: int = 0, right: Sequence[str] = ()) -> None:
        super().__init__(box=None, pad_edge=False, show_header=any(headings), padding=(0, 2, 0, 0))
        self._titles, self._grouped = titles, grouped
        for heading in headings:
            self.add_column(heading, justify="right" if heading in right else "left", no_wrap=True)

    def add(self, *cells: str) -> None:
        """Add a row of plain texts, which may come from a box or a bundle."""
        self.add_row(*map(Text, cells))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table where it fits, else its rows one below the other."""
        whole = super().__rich_measure__(console, options.update(max_width=_ENDLESS)).maximum
        if whole <= options.max_width:
            yield from super().__rich_console__(console, options)
        else:
            yield from self._stacked()

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Return the width that it takes: all of its own where that fits, else all there is."""
        whole = super().__rich_measure__(console, options.update(max_width=_ENDLESS)).maximum
        return Measurement(min(whole, options.max_width), min(whole, options.max_width))

    def _stacked(self) -> Iterator[Padding | Table | Text]:
        headings = [str(column.header) for column in self.columns]
        rows = list(zip(*([_text(cell) for cell in column.cells] for column in self.columns), strict=True))
        if not self._grouped:
            for row in rows:
                yield Text(" ".join(row[: self._titles]), style="bold")
                yield from _below(_pairs(headings[self._titles :], row[self._titles :]))
            return
        own = len(headings) - self._grouped
        yield Text("  ".join(headings[:own]))
        for shared, group in itertools.groupby(rows, key=lambda row: row[own:]):
            yield self._names(headings[:own], [row[:own] for row in group])
            for heading, cell in zip(headings[own:], shared, strict=True):
                if cell not in _NOTHING:
                    yield from _below([f"{heading.lower()}: {cell}"])

    def _names(self, headings: list[str], rows: list[tuple[str, ...]]) -> Table | Text:
        if len(headings) == 1:
            return Text(", ".join(name for (name,) in rows), style="bold")
        table = RowTable(*[""] * len(headings), titles=self._titles)
        for row in rows:
            table.add(*row)
        return table


def _pairs(headings: Iterable[str], cells: Iterable[str]) -> list[str]:
    pairs = zip(headings, cells, strict=True)
    return [f"{heading.lower()} {cell}".strip() for heading, cell in pairs if cell not in _NOTHING]


def _below(parts: Sequence[str]) -> Iterator[Padding]:
    """Yield `parts` as one indented paragraph: a part goes into the next line as a whole where it fits there."""
    if parts:
        yield Padding(_Parts(parts), (0, 0, 0, 2), expand=False)


class _Parts:
    """Parts of a paragraph, two spaces between them."""

    def __init__(self, parts: Sequence[str]) -> None:
        self._parts = parts

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the paragraph's lines."""
        line = Text()
        for part in map(Text, self._parts):
            if line.cell_len and line.cell_len + 2 + part.cell_len > options.max_width:
                yield line
                line = Text()
            line = line + Text("  ") + part if line.cell_len else part
        yield line


def _text(cell: object) -> str:
    return cell.plain if isinstance(cell, Text) else str(cell)
