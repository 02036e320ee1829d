"""Clients that mean harm before there is a request: `python -m tests.e2e.hostile_handshakes HOST PORT SECONDS`.

Many of each kind at once, as fast as one process can, against a box that speaks TLS. What it prints at its end is a
line of JSON: how often each kind came to its end.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import ssl
import sys
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import TypeAlias

from tests.e2e import trust

CONNECTIONS = 64
SILENT_S = 0.5
PATIENCE_S = 5.0

Kind: TypeAlias = Callable[[str, int], Awaitable[None]]


def hello() -> bytes:
    """Return what begins a handshake."""
    said, saying = ssl.MemoryBIO(), ssl.MemoryBIO()
    with contextlib.suppress(ssl.SSLWantReadError):
        trust.anybody().wrap_bio(said, saying, server_hostname="box").do_handshake()
    return saying.read()


CONTEXT, HELLO = trust.anybody(), hello()


async def handshakes(host: str, port: int) -> None:
    """Finish one, and leave."""
    _, writer = await asyncio.open_connection(host, port, ssl=CONTEXT)
    writer.transport.abort()


async def hellos(host: str, port: int) -> None:
    """Have the box make its keys, and leave."""
    await _say(host, port, HELLO)


async def garbage(host: str, port: int) -> None:
    """Say what is no TLS."""
    await _say(host, port, b"\x16\x03\x01\xff\xff" + b"a" * 60_000)


async def silent(host: str, port: int) -> None:
    """Say nothing."""
    _, writer = await asyncio.open_connection(host, port)
    await asyncio.sleep(SILENT_S)
    writer.transport.abort()


async def _say(host: str, port: int, words: bytes) -> None:
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(words)
    await reader.read(1)
    writer.transport.abort()


KINDS: tuple[Kind, ...] = (handshakes, hellos, garbage, silent)


async def attack(kind: Kind, host: str, port: int, ended: Counter[str], until: float) -> None:
    """Make one connection after the other, of one kind, until the event loop's clock shows `until`."""
    while asyncio.get_running_loop().time() < until:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            async with asyncio.timeout(PATIENCE_S):
                await kind(host, port)
            ended[kind.__name__] += 1
        await asyncio.sleep(0)


async def crowd(host: str, port: int, seconds: float) -> Counter[str]:
    """Have all kinds, on CONNECTIONS connections, for so long; return how often each came to its end."""
    ended: Counter[str] = Counter()
    until = asyncio.get_running_loop().time() + seconds
    kinds = KINDS * (CONNECTIONS // len(KINDS))
    await asyncio.gather(*(attack(kind, host, port, ended, until) for kind in kinds))
    return ended


if __name__ == "__main__":
    print(json.dumps(asyncio.run(crowd(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))))
