"""What many connections hold together; tests/road/test_bad_clients.py has what one client may do."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable
from typing import Any

import uvicorn
import uvloop
from uvicorn.server import ServerState

from edgefn_runtime.gateway.invoke.connection import Connection, bounded

ANSWER = bytes(8 * 2**20)
ROOM = 3 * len(ANSWER)


async def generous(scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
    """An application that answers everybody with ANSWER."""
    headers = [(b"content-length", b"%d" % len(ANSWER))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": ANSWER})


async def served(kind: type[Connection], clients: int) -> list[bool]:
    """Which of `clients`, who ask one after the other and only then read, get their whole answer."""
    loop, state = asyncio.get_running_loop(), ServerState()
    config = uvicorn.Config(generous, http=kind, log_config=None)
    config.load()
    make: Any = lambda: kind(config=config, server_state=state, app_state={}, _loop=loop)  # noqa: E731
    server = await loop.create_server(make, "127.0.0.1", 0)
    sockets = []
    for _ in range(clients):
        client = socket.create_connection(server.sockets[0].getsockname())
        client.setblocking(False)
        sockets.append(client)
        await loop.sock_sendall(client, b"GET / HTTP/1.1\r\nhost: box\r\nconnection: close\r\n\r\n")
        async with asyncio.timeout(10):
            assert await loop.sock_recv(client, 1), "the answer is written"
        assert sum(one.transport.get_write_buffer_size() for one in kind.waiting) <= ROOM
    got = [await read_all(client) > len(ANSWER) for client in sockets]
    server.close()
    await server.wait_closed()
    return got


async def read_all(client: socket.socket) -> int:
    """How many bytes came until the connection ended."""
    size = 0
    try:
        async with asyncio.timeout(10):
            while piece := await asyncio.get_running_loop().sock_recv(client, 1 << 20):
                size += len(piece)
    except ConnectionError:
        pass
    finally:
        client.close()
    return size


def test_unread_answers_are_bounded_together() -> None:
    """More unread than there is room for: who has waited longest is cut off, and the last ones are served."""
    got = uvloop.run(served(bounded(Connection, 30.0, ROOM), 12))
    assert not got[0]
    assert got[-2:] == [True, True]
    assert got == sorted(got), "the ones cut off are the oldest"


def test_whoever_fits_is_served() -> None:
    """Within the room nobody is cut off, however late they read."""
    assert uvloop.run(served(bounded(Connection, 30.0, ROOM), 3)) == [True] * 3
