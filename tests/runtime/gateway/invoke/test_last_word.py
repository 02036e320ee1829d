"""A refusal reaches its client, who may be slow and still sending."""

from __future__ import annotations

import asyncio
import json
import time

import pytest

from edgefn_runtime.gateway.invoke import outgoing
from tests.runtime.gateway.listener import Run, answer
from tests.runtime.gateway.typed import MAX_BODY, connected, settle
from tests.runtime.pool.bench import Bench

SECONDS = 1.2


@pytest.mark.parametrize(
    "framing", ["content-length: 500000", "transfer-encoding: chunked", "content-length: 5\r\ncontent-length: 6"]
)
def test_a_refusal_reaches_a_slow_uplink(run: Run, monkeypatch: pytest.MonkeyPatch, framing: str) -> None:
    """A client that sends for longer than the box waits for a silent one, and looks for its answer only then."""
    monkeypatch.setattr(outgoing, "LINGER_S", 0.3)

    async def test(_bench: Bench, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"POST /fn/f HTTP/1.1\r\nhost: box\r\n{framing}\r\n\r\n".encode())
        piece = b"2710\r\n" + bytes(10_000) + b"\r\n" if "chunked" in framing else bytes(10_000)
        began = time.monotonic()
        while time.monotonic() - began < SECONDS:
            for _ in range(5):
                writer.write(piece)
            await writer.drain()  # a connection that was reset fails here
            await asyncio.sleep(0.05)
        status, headers, body = await answer(reader)
        assert status == (400 if "6" in framing else 413)
        assert json.loads(body)["status"] == status
        assert headers["connection"] == "close"
        assert await reader.read() == b"", "and its end is told"
        writer.close()

    run(test)


def test_a_refused_client_that_is_silent_is_let_go(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its connection does not stay."""
    monkeypatch.setattr(outgoing, "LINGER_S", 0.1)

    async def test(_bench: Bench, port: int) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"nonsense\r\n\r\n")
        assert (await answer(reader))[0] == 400
        assert await reader.read() == b""
        for _ in range(100):
            await asyncio.sleep(0.05)
            try:
                writer.write(b"x")
                await writer.drain()
            except ConnectionError:
                break
        else:
            pytest.fail("the connection is still there")
        writer.close()

    run(test)


@pytest.mark.parametrize("target", ["/fn/f", "/fn/nobody"])
def test_who_is_still_listened_to_holds_nothing(target: str) -> None:
    """A refused client may send on for minutes; what it had sent before the refusal is not kept so long."""

    async def main() -> None:
        connection = connected()
        size = MAX_BODY + 1
        head = f"POST {target} HTTP/1.1\r\nhost: box\r\ncontent-length: {size}\r\n\r\n".encode()
        for piece in (head + bytes(100_000), bytes(100_000)):
            connection.data_received(piece)
        await settle()
        if target == "/fn/nobody":  # answered, and its body is still coming: somebody asks the connection to end
            connection.close()
        assert connection._lingering
        assert not connection.cycle.body
        connection.data_received(bytes(100_000))
        assert not connection.cycle.body
        connection.connection_lost(None)

    asyncio.run(main())
