"""Tables at any width: nothing is cut, and what fits side by side stands so."""

from __future__ import annotations

import io

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from edgefn_cli.display.tables import RowTable

WORDS = st.lists(st.text("abcdefgh/@.-0123456789", min_size=1, max_size=12), min_size=1, max_size=8).map(" ".join)
ROWS = st.lists(st.tuples(WORDS, WORDS, WORDS, WORDS), min_size=1, max_size=5)
SHAPES = st.sampled_from([(1, 0), (2, 0), (1, 1), (1, 3), (2, 2)])


def drawn(table: RowTable, width: int) -> list[str]:
    """The lines of the table on a terminal of `width` columns."""
    out = io.StringIO()
    Console(file=out, width=width, highlight=False, color_system=None).print(table)
    return [line.rstrip() for line in out.getvalue().splitlines()]


def made(rows: list[tuple[str, str, str, str]], shape: tuple[int, int]) -> RowTable:
    """A table of four columns."""
    table = RowTable("NAME", "STATE", "SIZE", "REASON", titles=shape[0], grouped=shape[1], right=["SIZE"])
    for row in rows:
        table.add(*row)
    return table


@given(ROWS, SHAPES, st.integers(24, 160))
def test_every_word_is_there_at_every_width(
    rows: list[tuple[str, str, str, str]], shape: tuple[int, int], width: int
) -> None:
    """Each word of each cell stands whole, in no line longer than the terminal; nothing is cut with an ellipsis."""
    lines = drawn(made(rows, shape), width)
    assert max(map(len, lines)) <= width
    shown = " ".join(lines).replace(",", " ").split()
    said = {word for row in rows for cell in row for word in cell.split() if cell != "-"}
    assert said <= set(shown), said - set(shown)
    assert not any("…" in line for line in lines)


@given(ROWS, SHAPES)
def test_what_fits_stands_side_by_side(rows: list[tuple[str, str, str, str]], shape: tuple[int, int]) -> None:
    """On a terminal as wide as the table there is a line for each row, below the headings."""
    lines = drawn(made(rows, shape), 1000)
    assert lines[0].split() == ["NAME", "STATE", "SIZE", "REASON"]
    assert len(lines) == 1 + len(rows)


def test_a_row_below_its_title() -> None:
    """The other cells follow with their headings, several a line; those that say nothing are left out."""
    table = RowTable("MODEL", "TARGET", "BACKEND", "RATIO", "TOP-1", "SIZE", titles=2)
    table.add("digit_reader", "x86-64-v3/fp32@mnn", "mnn", "0.99 × portable", "-", "157.6 kB")
    assert drawn(table, 50) == [
        "digit_reader x86-64-v3/fp32@mnn",
        "  backend mnn  ratio 0.99 × portable",
        "  size 157.6 kB",
    ]


def test_what_many_rows_share_is_told_once() -> None:
    """Consecutive rows with the same trailing cells stand together, with those below."""
    table = RowTable("TARGET", "NEEDS", "WHAT WOULD HELP", grouped=2)
    for target in ("cortex-a72/int8", "cortex-a72/fp32"):
        table.add(target, "a CPU of aarch64", "build it for a target that this box satisfies")
    assert drawn(table, 40) == [
        "TARGET",
        "cortex-a72/int8, cortex-a72/fp32",
        "  needs: a CPU of aarch64",
        "  what would help: build it for a target",
        "  that this box satisfies",
    ]
