"""Connections whose TLS handshake is not over: bounded in number and in time.

A connection is the gateway's only when its handshake is over, and is counted there. Until then it is counted here: a
client that connects and sends nothing holds a descriptor for HANDSHAKE_S and no longer. Their number is bounded. A new
one takes the place of the one that has taken longest, of the address that has most: so a crowd of silent clients keeps
nobody else out.

Handshakes are begun one after the other, with pauses, and only with clients that have sent something: a crowd's would
take all of the event loop.
"""

from __future__ import annotations

import array
import asyncio
import errno
import fcntl
import functools
import logging
import socket
import ssl
import termios
from collections.abc import Callable
from contextlib import suppress

HANDSHAKE_S = 10.0
MAX_AT_ONCE = 512
"""At some 60 kB each."""
_AT_ONCE = 8
"""Connections that are accepted in one turn of the loop."""
_TURNS = 3
"""Turns of the loop until a handshake that is begun has been answered."""
_FORGET_EACH = 64

_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PAUSE_S = 0.2
_log = logging.getLogger("edgefn.access")


class TlsServer:
    """Accepts connections of `listener`, at most `most` of them in their handshake; `make` makes the protocol after it.

    Each gets the current `context`: the files of TLS may be read again.

    It has the methods that uvicorn wants of a server: `close` and `wait_closed`.
    """

    def __init__(
        self,
        listener: socket.socket,
        context: Callable[[], ssl.SSLContext],
        make: Callable[[], asyncio.Protocol],
        most: int,
        address_of: Callable[[str], str] = str,
    ) -> None:
        """Accept connections on `listener` from now on.

        `address_of` returns the key that connections of an address are counted under.
        """
        self._listener = listener
        self._context = context
        self._make = make
        self._most = most
        self._address_of = address_of
        self._pending: dict[str, dict[asyncio.Task[None], None]] = {}
        """Handshakes by address, the oldest first."""
        self._count = 0
        self._encrypted: dict[socket.socket, asyncio.BaseTransport] = {}
        self._turn = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        listener.setblocking(False)
        self._loop.add_reader(listener, self._accept)

    def close(self) -> None:
        """Accept no more; end pending handshakes, and each connection when all is sent on it.

        TLS waits for the other end's close as well; a client that is idle does not send it for long.
        """
        self._loop.remove_reader(self._listener)
        for task in self._tasks():
            task.cancel()
        self._sweep()

    async def wait_closed(self) -> None:
        """Wait until no handshake goes on."""
        if tasks := self._tasks():
            await asyncio.wait(tasks)

    def _tasks(self) -> list[asyncio.Task[None]]:
        return [task for tasks in self._pending.values() for task in tasks]

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                client, peer = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise
                _log.warning("cannot accept connections: %s", error)
                self._loop.remove_reader(self._listener)
                self._loop.call_later(_PAUSE_S, self._accept_again)
                return
            if self._count >= self._most:
                self._end_slowest()
            address = self._address_of(str(peer[0])) if peer else ""
            task = self._loop.create_task(self._encrypt(client))
            self._pending.setdefault(address, {})[task] = None
            self._count += 1
            task.add_done_callback(functools.partial(self._ended, client, address))

    def _end_slowest(self) -> None:
        """End the handshake that has taken longest, of those of the address that has most."""
        address, tasks = max(self._pending.items(), key=lambda item: len(item[1]))
        slowest = next(iter(tasks))
        self._forget(address, slowest)
        slowest.cancel()

    def _forget(self, address: str, task: asyncio.Task[None]) -> None:
        tasks = self._pending.get(address, {})
        if task in tasks:
            del tasks[task]
            self._count -= 1
        if not tasks:
            self._pending.pop(address, None)

    def _ended(self, client: socket.socket, address: str, task: asyncio.Task[None]) -> None:
        """Close a client that did not become a connection of the gateway, its handshake begun or not."""
        self._forget(address, task)
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or error is not None:
            client.close()
        if error is not None and not isinstance(error, OSError):
            _log.error("a TLS handshake failed", exc_info=error)

    def _accept_again(self) -> None:
        if self._listener.fileno() >= 0:
            self._loop.add_reader(self._listener, self._accept)

    async def _encrypt(self, client: socket.socket) -> None:
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        async with asyncio.timeout(HANDSHAKE_S):
            await self._spoken(client)
            handshake = await self._begun(client)
        transport, _ = await handshake
        self._forget_ended()
        self._encrypted[client] = transport

    async def _spoken(self, client: socket.socket) -> None:
        """Wait until the client has sent something."""
        said = asyncio.Event()
        self._loop.add_reader(client, said.set)
        try:
            await said.wait()
        finally:
            self._loop.remove_reader(client)

    async def _begun(self, client: socket.socket) -> asyncio.Task[tuple[asyncio.Transport, asyncio.Protocol]]:
        """Begin the handshake in a turn of its own, then leave the same time to other work.

        It costs half a millisecond and more: those of a crowd, all in one turn of the event loop, would keep everybody
        waiting.
        """
        async with self._turn:
            began = self._loop.time()
            handshake = self._loop.create_task(self._handshake(client))
            try:
                for _ in range(_TURNS):
                    await asyncio.sleep(0)
                await asyncio.sleep(self._loop.time() - began)
            except asyncio.CancelledError:
                handshake.cancel()
                raise
        return handshake

    async def _handshake(self, client: socket.socket) -> tuple[asyncio.Transport, asyncio.Protocol]:
        return await self._loop.connect_accepted_socket(
            self._make, client, ssl=self._context(), ssl_handshake_timeout=HANDSHAKE_S
        )

    def _forget_ended(self) -> None:
        if len(self._encrypted) % _FORGET_EACH == 0:
            self._encrypted = {one: transport for one, transport in self._encrypted.items() if one.fileno() >= 0}

    def _sweep(self) -> None:
        """End each closing connection that has nothing left to send; repeat until the loop ends."""
        for client, transport in self._encrypted.items():
            if transport.is_closing() and client.fileno() >= 0 and not _unsent(client):
                transport.abort()  # type: ignore[attr-defined]  # each of asyncio's transports of a stream has it
        self._loop.call_later(_PAUSE_S, self._sweep)


def _unsent(client: socket.socket) -> int:
    """Return the bytes that the kernel has sent or will, and the other end has not acknowledged.

    By SIOCOUTQ, tcp(7).
    """
    queued = array.array("i", [0])
    with suppress(OSError):
        fcntl.ioctl(client.fileno(), termios.TIOCOUTQ, queued)
    return queued[0]
