"""Each kind of input, in each way, by each client: the right answer or a clear refusal, and never a wrong answer."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import pytest

from tests.clients.calls import CLIENTS, Call, Reply
from tests.clients.catalogue import FUNCTIONS
from tests.clients.documented import DocumentedClient, Value
from tests.clients.samples import SAMPLES, Sample, base64_of, kind_of, told_image
from tests.clients.table import BEGIN, END, GUIDE, NPY, Cell, cells, outcome, table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.e2e.box import RunningBox

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
    replies = sent_by(client, kinds_box, tool, [cell.call for cell in CELLS])
    wrong = []
    for cell, reply in zip(CELLS, replies, strict=True):
        expected = outcome(cell.call)
        told = json.loads(reply.body)["value"] if reply.status == 200 else None
        if (reply.status, told) != (expected.status, expected.told):
            wrong.append((cell.kind.function, cell.way, reply, expected))
    assert not wrong, "\n".join(map(str, wrong))


@pytest.mark.parametrize("client", CLIENTS)
def test_every_client_calls_every_function(kinds_box: RunningBox, tool: Callable[[str], str], client: str) -> None:
    """In each way that /openapi.json has for it: the answer is the right one."""
    document = kinds_box.http.get("/openapi.json").json()
    made = [(sample, sent) for sample in SAMPLES for sent in calls_of(sample, document)]
    assert {sample.function for sample, _ in made} == FUNCTIONS.keys()
    replies = sent_by(client, kinds_box, tool, [call for _, (_, call) in made])
    wrong = [
        (sample.function, media, reply)
        for (sample, (media, _)), reply in zip(made, replies, strict=True)
        if reply.status != 200 or told_by(sample, reply.body) != sample.answer
    ]
    assert not wrong, "\n".join(map(str, wrong))


def sent_by(client: str, box: RunningBox, tool: Callable[[str], str], calls: list[Call]) -> list[Reply]:
    program, send = CLIENTS[client]
    if program:
        tool(program)
    replies = send(box.url, calls)
    assert len(replies) == len(calls)
    return replies


def calls_of(sample: Sample, document: dict[str, Any]) -> Iterator[tuple[str, Call]]:
    """Each POST that the document has for a sample, with its content type."""
    item = document["paths"][f"/fn/{sample.function}"]
    follower = DocumentedClient(item, document["components"]["schemas"])
    given = {name: value_of(kind_of(sample.function, name), value) for name, value in sample.given.items()}
    for sent in follower.requests(given):
        if sent.media != "GET":
            query = parse_qsl(sent.request.query, keep_blank_values=True)
            body = bytes(sent.request.body) or None
            yield sent.media, Call(sample.function, query, sent.request.content_type or None, body)


def value_of(kind: str, value: Any) -> Value:
    """An argument of a sample, as a client that follows the document holds it."""
    if kind == "tensor":
        return Value(value, value, [json.dumps(value)], [NPY], value)
    listed = value if isinstance(value, list) and not any(isinstance(one, dict) for one in value) else [value]
    texts = [
        base64_of(one) if isinstance(one, bytes) else one if isinstance(one, str) else json.dumps(one) for one in listed
    ]
    files = [one if isinstance(one, bytes) else text.encode() for one, text in zip(listed, texts, strict=True)]
    return Value(base64_of(value), value, texts, files, value)


def told_by(sample: Sample, body: bytes) -> Any:
    if isinstance(sample.answer, bytes):
        return body
    return told_image(body) if sample.function == "give_image" else json.loads(body)
