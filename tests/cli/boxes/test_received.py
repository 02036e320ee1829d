"""Whatever answers at a URL, the command ends with a line that says so, soon and within bounds."""

from __future__ import annotations

import contextlib
import json
import zlib
from collections.abc import Iterator

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.responses import Response, StreamingResponse

from edgefn.api.audit import AuditRecord
from edgefn_cli.boxes import received
from edgefn_cli.boxes.received import Strange
from tests.cli.conftest import Edgefn, StandIn

LIES: dict[str, Response] = {
    "arrays for ever": Response("[" * 100_000),
    "objects for ever": Response('{"name":' * 100_000),
    "a number of 6000 figures": Response('{"name":' + "9" * 6000 + "}"),
    "no object": Response('["name"]'),
    "nothing in it": Response("{}"),
    "other types": Response('{"name": {"a": 1}, "scopes": 5}'),
    "no scopes": Response('{"name": "x", "scopes": null}'),
    "no UTF-8": Response(b"\xff\xfe{"),
    "a redirect": Response(status_code=302, headers={"location": "http://attacker.example/"}),
    "a coding": Response(zlib.compress(b" " * 10**6), headers={"content-encoding": "deflate"}),
    "a coding that is none": Response(b"{}", headers={"content-encoding": "gzip"}),
    "a wait that is none": Response(
        '{"error": "Unavailable", "detail": "x"}', 503, {"retry-after": "²"}, "application/problem+json"
    ),
    "a wait of 5000 figures": Response(
        '{"error": "Unavailable", "detail": "x"}', 503, {"retry-after": "9" * 5000}, "application/problem+json"
    ),
    "forms that are none": Response(
        '{"error": "NotAcceptable", "detail": "x", "available": 5}', 406, media_type="application/problem+json"
    ),
    "a deep problem": Response('{"detail":' + "[" * 100_000, 400, media_type="application/problem+json"),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_box_that_lies_is_told_in_a_line(edgefn: Edgefn, box: StandIn, lie: str) -> None:
    """No lie is a fault of the command, and none is followed or kept."""
    box.answers["GET /admin/token"] = LIES[lie]
    result = edgefn("login", box.url, stdin=b"correct-horse\n")
    assert result.code > 1, result.stderr
    assert "internal error of edgefn" not in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert json.loads(edgefn("login", "--list", "--json").stdout) == {"logins": []}


@pytest.mark.parametrize("charset", ["rot13", "idna", "hex", "none"])
def test_no_character_set_is_the_boxs_choice(edgefn: Edgefn, box: StandIn, charset: str) -> None:
    """Python has codecs that decode no text, and fail in ways of their own."""
    kind = f"application/json; charset={charset}"
    box.answers["GET /admin/token"] = Response(
        '{"name": "a", "scopes": ["admin"]}', headers={"content-type": kind}, media_type=kind
    )
    assert edgefn("login", box.url, stdin=b"correct-horse\n").code == 0


@pytest.mark.parametrize("line", [("login",), ("list", "--box"), ("invoke", "f", "--box"), ("logs", "f", "--box")])
def test_an_answer_without_an_end_is_cut(
    edgefn: Edgefn, box: StandIn, line: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command holds as much of an answer as a box may send, and no more."""
    monkeypatch.setattr(received, "MAX_BYTES", 2**20)
    monkeypatch.setattr(received, "MAX_JSON_BYTES", 2**20)

    def endless() -> Iterator[bytes]:
        while True:
            yield b"x" * 2**16

    for route in ("GET /admin/token", "GET /admin/functions", "POST /fn/f", "GET /admin/functions/f/logs"):
        box.answers[route] = lambda body: StreamingResponse(endless(), media_type="application/json")
    result = edgefn(*line, box.url, stdin=b"correct-horse\n")
    assert (result.code, "over 1048576 bytes" in result.stderr) == (5, True), result.stderr


def test_an_answer_that_trickles_is_not_waited_for() -> None:
    """Each byte comes within the time for one, and all of them never."""

    def trickle() -> Iterator[bytes]:
        while True:
            yield b" "

    with pytest.raises(Strange, match="without finishing"):
        received.whole(httpx.Response(200, stream=_Stream(trickle())), 0.05, 0.0)


@given(
    st.one_of(st.binary(max_size=200), st.text('[]{}":,0123456789eE-.ntfalsru\\ud800 ', max_size=60).map(str.encode))
)
def test_any_bytes_are_an_answer_or_a_stranger(content: bytes) -> None:
    """Whatever comes, there is a struct of it and the JSON as it came, or a reason."""
    with contextlib.suppress(Strange):
        found = received.answer(content.decode("utf-8", "replace"), AuditRecord)
        assert found.value.at == found.json.get("at", "")


@given(st.lists(st.binary(min_size=1, max_size=9).map(lambda piece: piece.replace(b"\xff", b"\n")), max_size=12))
def test_lines_are_the_same_in_any_pieces(pieces: list[bytes]) -> None:
    """Where the network cuts an answer is no end of a line."""
    found = list(received.lines(httpx.Response(200, stream=_Stream(iter(pieces)))))
    text = b"".join(pieces).split(b"\n")
    assert found == [line.decode("utf-8", "replace") for line in (text if text[-1] else text[:-1])]


class _Stream(httpx.SyncByteStream):
    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces

    def __iter__(self) -> Iterator[bytes]:
        return self._pieces
