"""A large answer that an instance sends: read in turns, so that it keeps nobody else waiting."""

from __future__ import annotations

import asyncio
import socket
import threading
from typing import Any, cast

import pytest
import uvloop

from edgefn_runtime.calls.answers import AnswerMemory
from edgefn_runtime.wire.frames import GULP_BYTES
from edgefn_runtime.wire.messages import Answer
from edgefn_runtime.workers.incoming import LargeAnswer

READ = 256_000
"""What one read of the event loop brings at most."""


class Reader(asyncio.Protocol):
    """Collects an answer from a socket; `turns` are the bytes that each turn of the event loop read."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.turns = [0]
        self.body: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        reply = Answer(1, "application/octet-stream", 0.0, 0.0, 0.0)
        memory = AnswerMemory(2 * self.size)
        self.large = LargeAnswer("f", memory, reply, self.size, cast("asyncio.Transport", transport), lambda _: None)

    def data_received(self, data: bytes) -> None:
        self.turns[-1] += len(data)
        assert self.large.take(data) == b""
        if not self.large.missing:
            self.body.set_result(cast("Any", self.large.finish().body))


@pytest.mark.parametrize("size", [100_000, 3_000_001, 20 << 20])
def test_others_have_a_turn_after_half_a_mebibyte(size: int) -> None:
    """However fast it comes: no turn of the event loop reads more, and the answer is whole."""
    sent = bytes(range(256)) * (size // 256 + 1)

    async def main() -> None:
        loop = asyncio.get_running_loop()
        ours, theirs = socket.socketpair()
        theirs.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4 << 20)
        writer = threading.Thread(target=theirs.sendall, args=(sent[:size],))
        with theirs:
            transport, reader = await loop.connect_accepted_socket(lambda: Reader(size), ours)
            writer.start()
            while not reader.body.done():
                reader.turns.append(0)
                await asyncio.sleep(0)
            writer.join()
            transport.close()
        assert reader.body.result() == sent[:size]
        assert max(reader.turns) < GULP_BYTES + READ

    uvloop.run(main())
