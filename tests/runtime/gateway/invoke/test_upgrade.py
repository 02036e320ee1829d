"""Offers of another protocol are ignored: the request that makes one is served as if it had not, in any pieces."""

from __future__ import annotations

import asyncio
import json

import httptools
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefn_runtime.gateway.invoke import upgrade
from tests.runtime.gateway.listener import Run, answer, request
from tests.runtime.pool.bench import Bench

H2C = "connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n"
"""What the JDK's HttpClient and `curl --http2` send with each first request."""
WEBSOCKET = (
    "connection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n"
    "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)


def test_a_body_behind_an_offer_is_read_whatever_its_pieces(run: Run) -> None:
    """Two pipelined requests that offer HTTP/2, cut at every byte: both have their own body, nothing else is read."""
    sent = request(1, body="x" * 30, more=H2C) + request(2, more=H2C)

    async def test(_bench: Bench, port: int) -> None:
        for cut in range(0, len(sent), 3):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(sent[:cut])
            await asyncio.sleep(0)
            writer.write(sent[cut:])
            got = [await answer(reader) for _ in range(2)]
            assert [(status, json.loads(body)["n"]) for status, _, body in got] == [(200, 31), (200, 2)], cut
            writer.close()

    run(test)


@pytest.mark.parametrize(
    "head",
    [
        "GET /fn/f?n=5 HTTP/1.1\r\nhost: box\r\nconnection: upgrade\r\nupgrade: TLS/1.3, h2c\r\n\r\n",
        "GET /fn/f?n=5 HTTP/1.1\r\nhost: box\r\nconnection: keep-alive\r\nconnection: Upgrade\r\nupgrade: x/1\r\n\r\n",
        "POST /fn/f HTTP/1.1\r\nhost: box\r\ncontent-type: application/json\r\nconnection: Upgrade\r\nupgrade: h2c\r\n"
        'transfer-encoding: chunked\r\n\r\n7\r\n{"n":5}\r\n0\r\n\r\n',
        "GET /healthz HTTP/1.1\r\nhost: box\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\nGET /fn/f?n=5 HTTP/1.1\r\n"
        "host: box\r\n\r\n",
    ],
)
def test_every_offer_is_ignored(run: Run, head: str) -> None:
    """Several protocols, several Connection headers, a chunked body, a request that is no invocation."""

    async def test(_bench: Bench, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(head.encode())
        got = [await answer(reader) for _ in range(head.count("HTTP/1.1\r\n"))]
        assert json.loads(got[-1][2])["n"] == 5
        assert got[-1][0] == 200
        writer.close()

    run(test)


def test_a_websocket_is_refused_and_the_next_request_served(run: Run) -> None:
    """426, which names what the box speaks; requests before and behind it have their own answers."""

    async def test(_bench: Bench, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        handshake = f"GET /fn/f HTTP/1.1\r\nhost: box\r\n{WEBSOCKET}\r\n".encode()
        writer.write(request(1) + handshake + request(3))
        (first, _, _), (refused, headers, body), (last, _, _) = [await answer(reader) for _ in range(3)]
        assert (first, refused, last) == (200, 426, 200)
        assert headers["upgrade"] == "HTTP/1.1"
        assert "not support websockets" in json.loads(body)["detail"]
        writer.close()

    run(test)


def test_connect_and_what_is_no_http_are_refused_as_problems(run: Run) -> None:
    """CONNECT would make every byte behind it another protocol's: 405, and the connection ends."""

    async def test(_bench: Bench, port: int) -> None:
        for head, expected in ((b"CONNECT box:80 HTTP/1.1\r\nhost: box\r\n\r\n", 405), (b"\x16\x03\x01 nonsense", 400)):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(head)
            status, headers, body = await answer(reader)
            assert (status, headers["connection"]) == (expected, "close")
            assert headers["content-type"] == "application/problem+json"
            assert json.loads(body)["status"] == expected
            assert await reader.read() == b""
            writer.close()

    run(test)


class Heads:
    """Collects the heads that a parser reads, as a connection does."""

    def __init__(self) -> None:
        self.url = b""
        self.headers: list[tuple[bytes, bytes]] = []

    def on_url(self, url: bytes) -> None:
        self.url += url

    def on_header(self, name: bytes, value: bytes) -> None:
        self.headers.append((name.lower(), value))


NAMES = st.sampled_from(["host", "accept", "x-a", "upgrade", "connection", "content-type"])
OPTIONS = st.lists(st.sampled_from(["Upgrade", "upgrade", "keep-alive", "close", "h2c", "x-a"]), max_size=3).map(
    ", ".join
)


@given(st.lists(st.tuples(NAMES, OPTIONS), max_size=6), st.sampled_from(["GET", "POST", "HEAD"]))
@settings(max_examples=200, deadline=None)
def test_a_head_without_its_offer_is_the_same_head(more: list[tuple[str, str]], method: str) -> None:
    """Whatever the headers: it parses, offers nothing, and all but the offer is there in its order."""
    headers = [("connection", "Upgrade"), ("upgrade", "h2c"), *more]
    lines = [f"{method} /fn/f?a=%20b HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    offered, plain = Heads(), Heads()
    parser, again = httptools.HttpRequestParser(offered), httptools.HttpRequestParser(plain)
    with pytest.raises(httptools.HttpParserUpgrade):
        parser.feed_data("\r\n".join([*lines, "", ""]).encode())
    again.feed_data(upgrade.without(parser, offered.url, offered.headers))
    assert (again.get_method(), again.get_http_version(), plain.url) == (method.encode(), "1.1", offered.url)
    kept = [one for one in offered.headers if one[0] not in (b"upgrade", b"connection")]
    assert [one for one in plain.headers if one[0] != b"connection"] == kept
    assert _options(plain) == [option for option in _options(offered) if option.lower() != b"upgrade"]


def _options(heads: Heads) -> list[bytes]:
    listed = [one.strip() for name, value in heads.headers if name == b"connection" for one in value.split(b",")]
    return [option for option in listed if option]
