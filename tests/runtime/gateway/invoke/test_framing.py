"""Where a request ends is read in one way, and in the same way whatever its pieces (RFC 9112)."""

from __future__ import annotations

import asyncio
import itertools
import json
from typing import cast

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefn_runtime.gateway.invoke.direct import Direct
from tests.runtime.gateway.typed import Echo, Wire, connected, ended, of_kind, typed

REQUESTS = {
    "length": (b"POST /fn/f HTTP/1.1\r\nhost: box\r\ncontent-length: 5\r\n\r\nabcde", (200, b"abcde")),
    "nothing": (b"POST /fn/f HTTP/1.1\r\nhost: box\r\ncontent-length: 0\r\n\r\n", (200, b"")),
    "query": (b"GET /fn/f?n=1 HTTP/1.1\r\nhost: box\r\n\r\n", (200, b"n=1")),
    "chunked": (
        b"POST /fn/f HTTP/1.1\r\nhost: box\r\ntransfer-encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
        (200, b"abcde"),
    ),
    "trailer": (
        b"POST /fn/f HTTP/1.1\r\nhost: box\r\ntransfer-encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\nx: y\r\n\r\n",
        (200, b"abc"),
    ),
    "offer": (
        b"POST /fn/f HTTP/1.1\r\nhost: box\r\nconnection: upgrade\r\nupgrade: h2c\r\ncontent-length: 3\r\n\r\nabc",
        (200, b"abc"),
    ),
    "expect": (
        b"POST /fn/f HTTP/1.1\r\nhost: box\r\nexpect: 100-continue\r\ncontent-length: 3\r\n\r\nabc",
        (200, b"abc"),
    ),
    "absolute": (b"GET http://box/fn/f?n=2 HTTP/1.1\r\nhost: box\r\n\r\n", (200, b"n=2")),
    "nobody": (b"POST /fn/nobody HTTP/1.1\r\nhost: box\r\ncontent-length: 5\r\n\r\nabcde", (404, None)),
    "method": (b"DELETE /fn/f HTTP/1.1\r\nhost: box\r\n\r\n", (405, None)),
}
"""Requests, each with the status of its answer and what the function echoes."""


def found(answers: list[tuple[int, dict[str, str], bytes]]) -> list[tuple[int, bytes | None]]:
    return [(status, body if status == 200 else None) for status, _, body in answers]


@pytest.mark.parametrize("first", REQUESTS)
def test_two_requests_in_any_two_pieces(first: str) -> None:
    """Every cut of two pipelined requests: both have their own answers, in order, and the connection stays."""

    async def main() -> None:
        kind = type(connected())
        for second in ("length", "chunked", "offer", "expect", "nobody"):
            (head, one), (tail, other) = REQUESTS[first], REQUESTS[second]
            sent = head + tail
            for cut in range(len(sent)):
                connection = of_kind(kind)
                got = await typed(connection, [sent[:cut], sent[cut:]] if cut else [sent])
                assert found(got) == [one, other], (second, cut)
                assert not ended(connection)

    asyncio.run(main())


@given(
    st.lists(st.sampled_from(sorted(REQUESTS)), min_size=1, max_size=6),
    st.lists(st.integers(0, 900), max_size=8),
)
@settings(max_examples=150, deadline=None)
def test_requests_in_any_pieces(names: list[str], cuts: list[int]) -> None:
    """However many are pipelined, and however they are cut."""
    sent = b"".join(REQUESTS[name][0] for name in names)
    edges = sorted({0, len(sent), *(cut for cut in cuts if cut < len(sent))})

    async def main() -> None:
        pieces = [sent[a:b] for a, b in itertools.pairwise(edges)]
        assert found(await typed(connected(), pieces)) == [REQUESTS[name][1] for name in names]

    asyncio.run(main())


AMBIGUOUS = (
    "content-length: 5",
    "content-length: 44",
    "content-length: 5, 5",
    "content-length: +5",
    "content-length: 0x5",
    "content-length: 5 5",
    "content-length: -5",
    "content-length: 99999999999999999999999",
    "content-length: 000000000000000000000005",
    "content-length:",
    "content-length : 5",
    " content-length: 5",
    "x: y\r\n content-length: 5",
    "transfer-encoding: chunked",
    "transfer-encoding: gzip, chunked",
    "transfer-encoding: chunked, gzip",
    "transfer-encoding: chunked, chunked",
    "transfer-encoding: ,chunked",
    "transfer-encoding: identity",
    "transfer-encoding: xchunked",
    "transfer-encoding: chunked;q=1",
    'transfer-encoding: "chunked"',
    "transfer-encoding: \x0bchunked",
    "transfer-encoding : chunked",
    "transfer-encoding:\r\n chunked",
    "transfer-encoding",
    "x: a\rtransfer-encoding: chunked",
    "x: a\ntransfer-encoding: chunked",
    "x: \x00",
    "host: box",
    "host: other.example",
    "host:",
    "host: a b",
    "host: user@box",
    "host: box/fn",
    "host: box:port",
    "host: [::1",
)
"""Fields that say where a request ends, or to whom it goes, each of which somebody reads in another way."""

SMUGGLED = b"0\r\n\r\nGET /fn/f?smuggled HTTP/1.1\r\nhost: box\r\n\r\n"
LENGTHS = {"content-length: 5", "content-length: 44", "transfer-encoding: chunked"}
HOSTS = {"host: box", "host: other.example"}
"""Of the fields above those that say one thing when one of them stands beside one of the others."""


def head(*fields: str, version: str = "1.1") -> bytes:
    return "\r\n".join([f"POST /fn/f HTTP/{version}", *fields, "", ""]).encode("latin-1")


async def refused(sent: bytes, pool: Echo, connection: Direct) -> None:
    """It gets one answer, which is a refusal as a problem, and the end of the connection; nothing was run."""
    answers = await typed(connection, [sent])
    assert [status for status, _, _ in answers] in ([400], [501], [505]), (sent, answers)
    status, headers, body = answers[0]
    assert (headers["content-type"], headers["connection"]) == ("application/problem+json", "close")
    assert json.loads(body)["status"] == status
    assert pool.calls == [], sent


async def refused_by_a_box(sent: bytes) -> None:
    pool = Echo()
    await refused(sent, pool, connected(pool))


def test_every_ambiguous_pair_is_refused() -> None:
    """Each two of them in one head: 400 or 501, and nothing of what may be a body or a request is run."""

    async def main() -> None:
        pool = Echo()
        kind = type(connected(pool))
        for pair in itertools.product(AMBIGUOUS, repeat=2):
            hosts = [] if any(field.lstrip().startswith("host") for field in pair) else ["host: box"]
            if {*pair} & LENGTHS and {*pair} & HOSTS:
                continue  # this is no ambiguous head
            await refused(head(*hosts, *pair) + SMUGGLED, pool, of_kind(kind))

    asyncio.run(main())


@pytest.mark.parametrize("field", [field for field in AMBIGUOUS if field not in LENGTHS])
@pytest.mark.parametrize("offer", [[], ["connection: upgrade", "upgrade: h2c"]], ids=["", "offer"])
def test_every_ambiguous_field_is_refused_alone(field: str, offer: list[str]) -> None:
    """Beside a Host, or as the Host that is there twice or is none; also in a head that is read twice."""
    hosts = ["host: box"] if field in HOSTS or "host" not in field else []
    asyncio.run(refused_by_a_box(head(*hosts, field, *offer) + SMUGGLED))


@pytest.mark.parametrize(
    "sent",
    [
        head("content-length: 0"),
        head("host: box", "transfer-encoding: chunked", version="1.0") + SMUGGLED,
        head("host: box", "transfer-encoding: chunked") + b"5 \r\nabcde\r\n0\r\n\r\n",
        head("host: box", "transfer-encoding: chunked") + b"0x5\r\nabcde\r\n0\r\n\r\n",
        head("host: box", "transfer-encoding: chunked") + b"+5\r\nabcde\r\n0\r\n\r\n",
        head("host: box", "transfer-encoding: chunked") + b"5\nabcde\r\n0\r\n\r\n",
        head("host: box", "transfer-encoding: chunked") + b"5\r\nabcdef0\r\n\r\n",
        head("host: box", "transfer-encoding: chunked") + b"ffffffffffffffffff\r\nabc",
        b"POST /fn/f HTTP/1.1\nhost: box\ncontent-length: 0\n\n",
        b"POST /fn/f\r\n\r\n",
        b"POST /fn/f HTTP/9.9\r\nhost: box\r\n\r\n",
        b"POST /fn/f HTTP/1.1 \r\nhost: box\r\n\r\n",
        b"POST http://user@box/fn/f HTTP/1.1\r\nhost: box\r\ncontent-length: 0\r\n\r\n",
        b"POST ftp://box/fn/f HTTP/1.1\r\nhost: box\r\ncontent-length: 0\r\n\r\n",
        b"POST /fn/f#g HTTP/1.1\r\nhost: box\r\ncontent-length: 0\r\n\r\n",
        b"POST /fn/f?n=1#/../g HTTP/1.1\r\nhost: box\r\ncontent-length: 0\r\n\r\n",
        b"POST http://box/fn/f#g HTTP/1.1\r\nhost: box\r\ncontent-length: 0\r\n\r\n",
    ],
)
def test_what_is_no_request_of_http_1_1(sent: bytes) -> None:
    """No Host, a coding in HTTP/1.0, chunks that are none, a bare line feed, another request line or target."""
    asyncio.run(refused_by_a_box(sent))


@pytest.mark.parametrize(
    "field", ["connection: close", "Connection: x, CLOSE", "connection: keep-alive\r\nconnection: close"]
)
@pytest.mark.parametrize("path", ["/fn/f", "/fn/nobody"])
def test_a_trailer_that_ends_the_connection_does(path: str, field: str) -> None:
    """The parser reads nothing behind it: who is told that the connection stays would wait for an answer in vain."""

    async def main() -> None:
        sent = (
            f"POST {path} HTTP/1.1\r\nhost: box\r\ntransfer-encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n{field}\r\n\r\n"
        )
        for more in (b"", REQUESTS["query"][0]):
            connection = connected()
            ((_, headers, _),) = await typed(connection, [sent.encode() + more])
            assert ended(connection)
            told_before = path == "/fn/nobody" and "connection" not in headers  # a refusal waits for no trailer
            assert told_before or headers["connection"] == "close"

    asyncio.run(main())


def test_http_1_0_is_asked_for_nothing() -> None:
    """No 100 goes to a client that does not know what it is (RFC 9110, 10.1.1)."""

    async def main() -> None:
        connection = connected()
        await typed(connection, [head("expect: 100-continue", "content-length: 3", version="1.0") + b"abc"])
        assert cast("Wire", connection.transport).said.startswith(b"HTTP/1.1 200 OK")

    asyncio.run(main())


def test_http_1_0_wants_no_host() -> None:
    """As load balancers ask; the connection ends with the answer."""

    async def main() -> None:
        connection = connected()
        assert found(await typed(connection, [head("content-length: 3", version="1.0") + b"abc"])) == [(200, b"abc")]
        assert ended(connection)

    asyncio.run(main())


SPLICED = [
    *(b"\r\n", b"\n", b"\r", b"\0", b" ", b":", b",", b";", b"%", b"\xff", b"#", b"//", b"0\r\n\r\n", b"HTTP/1.0"),
    *(b"Connection: close\r\n", b"Content-Length: 0\r\n", b"Transfer-Encoding: chunked\r\n", b"Host: box\r\n"),
    *(b"Expect: 100-continue\r\n", b"Upgrade: websocket\r\n", b"Connection: upgrade\r\nUpgrade: h2c\r\n"),
]
"""Pieces that mean something to a parser."""


@given(
    st.lists(st.sampled_from(sorted(REQUESTS)), min_size=1, max_size=3),
    st.lists(st.tuples(st.integers(0, 600), st.integers(0, 9), st.sampled_from(SPLICED)), max_size=4),
    st.integers(0, 600),
)
@settings(max_examples=150, deadline=None)
def test_no_bytes_are_a_fault_of_the_box(names: list[str], splices: list[tuple[int, int, bytes]], cut: int) -> None:
    """Requests with pieces cut out and put in: each is answered or refused, none as an internal error."""
    sent = b"".join(REQUESTS[name][0] for name in names)
    for at, out, piece in splices:
        sent = sent[: at % len(sent)] + piece + sent[at % len(sent) + out :]

    async def main() -> None:
        answers = await typed(connected(), [piece for piece in (sent[:cut], sent[cut:]) if piece])
        assert all(status < 500 or status in (501, 505) for status, _, _ in answers), (sent, answers)

    asyncio.run(main())
