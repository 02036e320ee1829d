"""What many connections hold together; tests/e2e/test_bad_clients.py has what one client may do."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from typing import Any, cast
from unittest import mock

import uvicorn
import uvloop
from hypothesis import given
from hypothesis import strategies as st
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


class Clock:
    """An event loop's clock and timers, moved by hand; what it is given to do is done at once."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[tuple[float, asyncio.TimerHandle]] = []

    def time(self) -> float:
        return self.now

    def call_later(self, delay: float, act: Callable[..., object], *args: object) -> asyncio.TimerHandle:
        handle = asyncio.TimerHandle(self.now + delay, act, args, cast("asyncio.AbstractEventLoop", self))
        self.timers.append((self.now + delay, handle))
        return handle

    def _timer_handle_cancelled(self, handle: asyncio.TimerHandle) -> None:
        """asyncio's own counts those."""

    def get_debug(self) -> bool:
        return False

    def create_task(self, work: Coroutine[Any, Any, None]) -> asyncio.Future[None]:
        with suppress(StopIteration):
            work.send(None)
        return cast("asyncio.Future[None]", mock.create_autospec(asyncio.Future, instance=True))

    def move_to(self, moment: float) -> None:
        while due := [one for one in self.timers if one[0] <= moment]:
            first = min(due, key=lambda one: one[0])
            self.timers.remove(first)
            self.now, handle = first
            if not handle.cancelled():
                handle._run()
        self.now = moment


@given(st.lists(st.tuples(st.integers(0, 100), st.integers(0, 100)), min_size=1, max_size=12))
def test_a_connection_ends_when_it_has_been_idle_for_its_time(pauses: list[tuple[int, int]]) -> None:
    """However requests are spread, and however long each takes to come: counted from the last answer.

    No timer stays.
    """
    clock, closed = Clock(), list[float]()
    transport = mock.create_autospec(asyncio.Transport, instance=True)
    transport.is_closing.side_effect = lambda: bool(closed)
    transport.close.side_effect = lambda: closed.append(clock.now)
    transport.get_write_buffer_size.return_value = 0
    transport.get_extra_info.return_value = None
    config = uvicorn.Config(short, http=Connection, log_config=None, timeout_keep_alive=50)
    config.load()
    kind: Any = bounded(Connection, 1000.0)
    connection = kind(config=config, server_state=ServerState(), app_state={}, _loop=clock)
    connection.connection_made(transport)
    for took, pause in pauses:
        connection.data_received(b"GET / HTTP/1.1\r\nho")
        clock.move_to(clock.now + took)
        connection.data_received(b"st: box\r\n\r\n")
        answered = clock.now
        clock.move_to(answered + pause)
        assert closed == ([answered + 50] if pause >= 50 else [])
        if closed:
            break
    connection.connection_lost(None)
    assert all(handle.cancelled() for _, handle in clock.timers)


async def short(scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
    """An application that answers with nothing."""
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
    await send({"type": "http.response.body", "body": b""})
