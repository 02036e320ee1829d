"""Clients that mean harm, many of each kind at once: `python -m tests.e2e.hostile HOST PORT SECONDS`.

They go as fast as one process can. What it prints at its end is a line of JSON: how often each kind was refused, and by
which status. They call `echo`, and `generous` for answers that nobody reads.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import re
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeAlias

CONNECTIONS = 64

Reader: TypeAlias = asyncio.StreamReader
Writer: TypeAlias = asyncio.StreamWriter
Kind: TypeAlias = Callable[[Reader, Writer], Awaitable[None]]

POST = b"POST /fn/echo HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n"
GET = b"GET /fn/echo?n=1 HTTP/1.1\r\nhost: localhost\r\n"
CHUNKED = POST + b"transfer-encoding: chunked\r\n\r\n"
BLOCK = 1 << 16


async def endless(writer: Writer, begin: bytes, again: bytes, most: int = 64) -> None:
    """`begin`, and then `again` until the box has had enough."""
    writer.write(begin)
    for _ in range(most):
        writer.write(again)
        await writer.drain()


async def endless_header(reader: Reader, writer: Writer) -> None:
    await endless(writer, GET + b"x: ", b"a" * BLOCK)


async def many_fields(reader: Reader, writer: Writer) -> None:
    await endless(writer, GET, b"a:\r\n" * (BLOCK // 4))


async def endless_target(reader: Reader, writer: Writer) -> None:
    await endless(writer, b"GET /fn/echo?", b"a" * BLOCK)


async def endless_trailer(reader: Reader, writer: Writer) -> None:
    await endless(writer, CHUNKED + b"0\r\n", b"a:\r\n" * (BLOCK // 4))


async def empty_lines(reader: Reader, writer: Writer) -> None:
    await endless(writer, b"", b"\r\n" * (BLOCK // 2))


async def tiny_chunks(reader: Reader, writer: Writer) -> None:
    await endless(writer, CHUNKED, b"1\r\n \r\n" * (BLOCK // 6))


async def pipelined(reader: Reader, writer: Writer) -> None:
    """Thousands of requests, their answers read by nobody."""
    await endless(writer, b"", (GET + b"\r\n") * (BLOCK // len(GET)))


async def pipelined_pages(reader: Reader, writer: Writer) -> None:
    await endless(writer, b"", b"GET /healthz HTTP/1.1\r\nhost:localhost\r\n\r\n" * (BLOCK // 50))


async def pipelined_documents(reader: Reader, writer: Writer) -> None:
    """Ask for what the box makes for all functions together: their interface, and its figures."""
    paths = (b"/openapi.json", b"/metrics")
    await endless(writer, b"", b"".join(b"GET %s HTTP/1.1\r\nhost:localhost\r\n\r\n" % one for one in paths) * 100)


async def wrong_tokens(reader: Reader, writer: Writer) -> None:
    """Guess one token after the other, the next without waiting for an answer."""
    for _ in range(100):
        guess = b"authorization: Bearer %032x\r\n" % random.getrandbits(128)
        writer.write(b"GET /admin/functions HTTP/1.1\r\nhost: localhost\r\n" + guess + b"\r\n")
        await writer.drain()


async def idle(reader: Reader, writer: Writer) -> None:
    """Take an answer, and hold the connection."""
    writer.write(GET + b"\r\n")
    await reader.read()


async def unfinished_body(reader: Reader, writer: Writer) -> None:
    """Most of a large body, and then a byte now and then."""
    await endless(writer, POST + b"content-length: 20000000\r\n\r\n", bytes(BLOCK), 300)
    for _ in range(1000):
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.1)


async def slow_head(reader: Reader, writer: Writer) -> None:
    for byte in GET * 20:
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0.05)


async def too_large(reader: Reader, writer: Writer) -> None:
    await endless(writer, POST + b"content-length: 900000000\r\n\r\n", bytes(BLOCK))


async def websocket(reader: Reader, writer: Writer) -> None:
    key = b"connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    await endless(writer, b"", (GET + key) * 20, 8)


async def ambiguous(reader: Reader, writer: Writer) -> None:
    fields = [b"content-length: 5\r\n", b"content-length: 6\r\n", b"transfer-encoding: gzip, chunked\r\n"]
    fields += [b"host: localhost\r\n", b"transfer-encoding: chunked\r\n", b"content-length: +5\r\n"]
    writer.write(POST + b"".join(random.sample(fields, 2)) + b"\r\n0\r\n\r\n" + GET + b"\r\n")


async def strangers(reader: Reader, writer: Writer) -> None:
    """Of a page that may not call the box, and of a name that is not the box's."""
    for _ in range(20):
        writer.write(GET + b"origin: https://attacker.example\r\n\r\n")
        writer.write(GET.replace(b"localhost", b"attacker.example") + b"\r\n")
        await writer.drain()
        await reader.readuntil(b"\r\n\r\n")


async def unread_answers(reader: Reader, writer: Writer) -> None:
    body = b'{"mebibytes": 4}'
    head = POST.replace(b"echo", b"generous") + b"content-length: %d\r\n\r\n" % len(body)
    await endless(writer, b"", (head + body) * 4, 4)
    await asyncio.sleep(2)


async def come_and_go(reader: Reader, writer: Writer) -> None:
    """Connects, and leaves."""


KINDS: tuple[Kind, ...] = (
    *(endless_header, many_fields, endless_target, endless_trailer, empty_lines, tiny_chunks, pipelined),
    *(pipelined_pages, unfinished_body, slow_head, too_large, websocket, ambiguous, strangers, unread_answers),
    *(come_and_go, pipelined_documents, wrong_tokens, idle),
)


async def attack(kind: Kind, host: str, port: int, told: Counter[str], until: float) -> None:
    """One connection after the other, of one kind, until the event loop's clock shows `until`."""
    while asyncio.get_running_loop().time() < until:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            reader, writer = await asyncio.open_connection(host, port)
            try:
                await kind(reader, writer)
            finally:
                with contextlib.suppress(TimeoutError, OSError):
                    async with asyncio.timeout(0.1):
                        said = await reader.read(BLOCK)
                    told.update(f"{kind.__name__} {one.decode()}" for one in re.findall(rb"HTTP/1.1 (\d+)", said))
                writer.transport.abort()
        await asyncio.sleep(0)


async def crowd(host: str, port: int, seconds: float) -> Counter[str]:
    """All kinds, on CONNECTIONS connections, for so long; what they were told."""
    told: Counter[str] = Counter()
    kinds = (KINDS * (CONNECTIONS // len(KINDS) + 1))[:CONNECTIONS]
    until = asyncio.get_running_loop().time() + seconds
    attackers = [asyncio.create_task(attack(kind, host, port, told, until)) for kind in kinds]
    await asyncio.sleep(seconds)
    for one in attackers:
        one.cancel()
    await asyncio.gather(*attackers, return_exceptions=True)
    return told


if __name__ == "__main__":
    print(json.dumps(asyncio.run(crowd(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))))
