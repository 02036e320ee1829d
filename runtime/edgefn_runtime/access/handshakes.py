"""Connections whose TLS handshake is not over: bounded in number and in time.

A connection is the gateway's only when its handshake is over, and is counted there. Until then it is counted here: who
connects and says nothing holds a descriptor for HANDSHAKE_S and no longer. At most so many do: the one that has taken
longest makes room for a new one, so a crowd of silent ones keeps nobody out.
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
_AT_ONCE = 64
"""Connections that are accepted in one turn of the loop."""

_NO_ROOM = (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM)
_PAUSE_S = 0.2
_log = logging.getLogger("edgefn.access")


class TlsServer:
    """Accepts connections of `listener`, at most `most` of them in their handshake; `make` makes what comes after it.

    Each gets the `context` of its time: the files of TLS may be read again.

    It has what uvicorn wants of a server: `close` and `wait_closed`.
    """

    def __init__(
        self,
        listener: socket.socket,
        context: Callable[[], ssl.SSLContext],
        make: Callable[[], asyncio.Protocol],
        most: int,
    ) -> None:
        self._listener = listener
        self._context = context
        self._make = make
        self._most = most
        self._pending: dict[asyncio.Task[None], None] = {}
        """First the one that has taken longest."""
        self._encrypted: dict[socket.socket, asyncio.BaseTransport] = {}
        self._loop = asyncio.get_running_loop()
        listener.setblocking(False)
        self._loop.add_reader(listener, self._accept)

    def close(self) -> None:
        """Accept no more; end what is in its handshake, and each connection as soon as all is said on it.

        TLS waits for the other end to say that it closes, too, which a client that is idle does not do for long.
        """
        self._loop.remove_reader(self._listener)
        for task in self._pending:
            task.cancel()
        self._sweep()

    async def wait_closed(self) -> None:
        """Wait until no handshake goes on."""
        if self._pending:
            await asyncio.wait(self._pending)

    def _accept(self) -> None:
        for _ in range(_AT_ONCE):
            try:
                client, _ = self._listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _NO_ROOM:
                    raise
                _log.warning("no connection can be accepted: %s", error)
                self._loop.remove_reader(self._listener)
                self._loop.call_later(_PAUSE_S, self._accept_again)
                return
            if len(self._pending) >= self._most:
                slowest = next(iter(self._pending))
                del self._pending[slowest]
                slowest.cancel()
            task = self._loop.create_task(self._encrypt(client))
            self._pending[task] = None
            task.add_done_callback(functools.partial(self._ended, client))

    def _ended(self, client: socket.socket, task: asyncio.Task[None]) -> None:
        """Close what did not become a connection of the gateway, its handshake begun or not."""
        self._pending.pop(task, None)
        error = None if task.cancelled() else task.exception()
        if task.cancelled() or error is not None:
            client.close()
        if error is not None and not isinstance(error, OSError):
            _log.error("a handshake failed", exc_info=error)

    def _accept_again(self) -> None:
        if self._listener.fileno() >= 0:
            self._loop.add_reader(self._listener, self._accept)

    async def _encrypt(self, client: socket.socket) -> None:
        client.setblocking(False)
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        transport, _ = await self._loop.connect_accepted_socket(
            self._make, client, ssl=self._context(), ssl_handshake_timeout=HANDSHAKE_S
        )
        self._forget_ended()
        self._encrypted[client] = transport

    def _forget_ended(self) -> None:
        if len(self._encrypted) % _AT_ONCE == 0:
            self._encrypted = {one: transport for one, transport in self._encrypted.items() if one.fileno() >= 0}

    def _sweep(self) -> None:
        """End what is closing and has nothing left to send, until the loop ends."""
        for client, transport in self._encrypted.items():
            if transport.is_closing() and client.fileno() >= 0 and not _unsent(client):
                transport.abort()  # type: ignore[attr-defined]  # each of asyncio's transports of a stream has it
        self._loop.call_later(_PAUSE_S, self._sweep)


def _unsent(client: socket.socket) -> int:
    """Return how many bytes the kernel has of what was sent, and the other end has not (SIOCOUTQ, tcp(7))."""
    queued = array.array("i", [0])
    with suppress(OSError):
        fcntl.ioctl(client.fileno(), termios.TIOCOUTQ, queued)
    return queued[0]
