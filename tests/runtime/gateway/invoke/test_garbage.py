"""A connection that has ended is freed at once: nothing of it waits for Python's collector of garbage.

Answers that nobody read, bodies and what was still to be parsed hang on it: a crowd would fill the memory meanwhile.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
from collections import Counter
from collections.abc import Iterator
from typing import Any, cast

import pytest

from edgefn_runtime.calls.call import Call
from edgefn_runtime.gateway.invoke.cycle import Cycle
from edgefn_runtime.gateway.invoke.direct import Direct
from tests.e2e import hostile
from tests.runtime.gateway.typed import Echo, Wire, connected, of_kind, settle

READ = 1 << 18
ESCAPED = b"GET /fn/%66?n=1 HTTP/1.1\r\nhost: localhost\r\n\r\n"
POST = b"POST /fn/f HTTP/1.1\r\nhost: localhost\r\ncontent-length: 3\r\n\r\nabc"

Sent = dict[str, bytes]


class Typist:
    """Writes down what a hostile client would send; nobody answers it."""

    def __init__(self) -> None:
        self.typed = bytearray()

    def write(self, data: bytes) -> None:
        self.typed += data

    async def drain(self) -> None:
        if len(self.typed) >= READ:
            raise ConnectionResetError

    async def read(self, _size: int = -1) -> bytes:
        return b""

    async def readuntil(self, _end: bytes) -> bytes:
        return b""


def _of(kind: hostile.Kind) -> bytes:
    typist: Any = Typist()

    async def main() -> None:
        with contextlib.suppress(ConnectionResetError, TimeoutError):
            async with asyncio.timeout(0.2):
                await kind(typist, typist)

    asyncio.run(main())
    return bytes(typist.typed[:READ])


@pytest.fixture
def left() -> Iterator[Counter[str]]:
    """Keep what of ended connections only the collector finds; return the counter that `_count` fills, by kind."""
    found: Counter[str] = Counter()
    gc.disable()
    gc.freeze()  # what was there before is not looked at: of a process with PyTorch, a second each time
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        yield found
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.unfreeze()
        gc.enable()


def _count(found: Counter[str]) -> None:
    gc.collect()
    found.update(type(one).__name__ for one in gc.garbage if isinstance(one, Direct | Cycle | Call))


async def _one(kind: type[Direct], sent: bytes, piece: int, pool: Echo) -> None:
    connection = of_kind(kind)
    wire = cast("Wire", connection.transport)
    for at in range(0, len(sent), piece):
        if not wire.reads or wire.closed:
            break
        connection.data_received(sent[at : at + piece])
        await settle()
    for _ in range(100):
        await asyncio.sleep(0)
        wire.said = b""
    connection.connection_lost(None)
    del connection
    pool.kept.clear()
    pool.calls.clear()
    await settle()


@pytest.mark.parametrize("kind", hostile.KINDS)
def test_what_hostile_clients_leave(left: Counter[str], kind: hostile.Kind) -> None:
    """Each kind of them, whose function has answered or not, in one piece or in many."""
    _leave(left, _of(kind).replace(b"/fn/echo", b"/fn/f").replace(b"/fn/generous", b"/fn/f"))


@pytest.mark.parametrize("sent", [POST, POST * 9, ESCAPED, ESCAPED * 9, POST + ESCAPED + POST, POST[:-1]])
def test_what_calls_leave(left: Counter[str], sent: bytes) -> None:
    """On the short way and through ASGI, one and many, answered or not, whole or not."""
    _leave(left, sent)


def _leave(left: Counter[str], sent: bytes) -> None:
    async def main() -> None:
        for slow, piece in itertools.product((False, True), (READ, 4000)):
            pool = Echo(slow=slow)
            first = connected(pool)
            kind = type(first)
            first.connection_lost(None)
            for _ in range(2):
                await _one(kind, sent, piece, pool)
        await asyncio.sleep(0.01)
        _count(left)

    asyncio.run(main())
    assert not left
