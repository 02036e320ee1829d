"""Each kind of input, in each way, by each client: the right answer or a clear refusal, and never a wrong answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.clients.calls import CLIENTS
from tests.clients.table import BEGIN, END, GUIDE, Cell, cells, outcome, table

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.road.box import RunningBox

CELLS = list(cells())


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.kind.function}: {cell.way}")
def test_a_cell_is_right_or_refused_clearly(cell: Cell) -> None:
    """200 is the value that was sent; a refusal names the field, or the content types that can be read."""
    came = outcome(cell.call)
    if came.status == 200:
        assert came.told == cell.right
    else:
        assert came.status in (400, 413, 415)
        assert came.field or "; send " in came.text, came.text


def test_the_guide_has_the_table() -> None:
    """docs/handlers.md shows what is; `python -m tests.clients.table` writes it."""
    shown = GUIDE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]
    assert shown == table()


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_gets_what_the_table_says(kinds_box: RunningBox, tool: Callable[[str], str], client: str) -> None:
    """Over a real box, by each client's own means, as it comes."""
    program, calls = CLIENTS[client]
    if program:
        tool(program)
    replies = calls(kinds_box.url, [cell.call for cell in CELLS])
    assert len(replies) == len(CELLS)
    wrong = []
    for cell, reply in zip(CELLS, replies, strict=True):
        expected = outcome(cell.call)
        told = json.loads(reply.body)["value"] if reply.status == 200 else None
        if (reply.status, told) != (expected.status, expected.told):
            wrong.append((cell.kind.function, cell.way, reply, expected))
    assert not wrong, "\n".join(map(str, wrong))
