"""Bytes that go out on a client's connection: answers that it may read late, and the last answer before the end.

A client that never reads its answer would keep its connection, and the answer's buffer, for ever: unread answers
together have a bound. A connection that is closed over bytes that nobody read is reset, and the answer is lost with it
(RFC 9112, 9.6): so the box sends its last answer, and goes on reading and throwing away for a while.
"""

from __future__ import annotations

import array
import asyncio
import fcntl
import termios
from http import HTTPStatus
from typing import ClassVar

from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from edgefn_runtime.gateway.limits.discards import Discards
from edgefn_runtime.gateway.problems import problem

SLOWEST_BODY_BYTES_PER_S = 4096
"""The rate at which a client must send in each of the last seconds: a slow uplink is not an attack."""

LINGER_S = 5.0
"""The box stops reading from a refused client that sends too slowly for this long; nginx's lingering_timeout."""
LONGEST_LINGER_S = 300.0

NOSNIFF = (b"x-content-type-options", b"nosniff")


class Flow(FlowControl):
    """uvicorn's flow control, which does not read on while there is something to parse."""

    held = False

    def resume_reading(self) -> None:
        if not self.held:
            super().resume_reading()


class Outgoing(HttpToolsProtocol):
    """A connection with a bound for unread answers, which ends so that its last answer arrives."""

    patience_s: ClassVar[float]
    most_unread_bytes: ClassVar[int]
    discards: ClassVar[Discards]
    waiting: ClassVar[dict[Outgoing, None]]
    """Connections whose answers exceed the kernel's buffer; the one that has read nothing for longest is first."""

    flow: Flow
    _answer_timer: asyncio.TimerHandle | None = None
    _linger_timer: asyncio.TimerHandle | None = None
    _ended = False
    """Whether the last word has been said."""
    _lingering = False
    _unread = 0
    _received = 0
    """Bytes since the time began that the client is judged by."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = Flow(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        for timer in (self._answer_timer, self._linger_timer):
            if timer is not None:
                timer.cancel()
        self.waiting.pop(self, None)
        self.discards.forget(self)
        super().connection_lost(exc)

    # ── the last word ────────────────────────────────────────────────────────────────────────────────────────

    def refuse(self, error: Exception) -> None:
        """Answer with `error`, whatever the client still sends, and end the connection."""
        status, headers, body = problem(error)
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
        lines += [name + b": " + value for name, value in [*headers, NOSNIFF, (b"connection", b"close")]]
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        self.linger()

    def linger(self) -> None:
        """Say that nothing more comes, and close when the client has done so, or does not go on sending."""
        if self._lingering or self.transport.is_closing():
            return
        self._ended = self._lingering = True
        self._received = 0
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.held = False
        self.flow.resume_reading()
        self._linger_timer = self.loop.call_later(LINGER_S, self._still_lingering, self.loop.time() + LONGEST_LINGER_S)

    def throw_away(self, size: int) -> None:
        """Count `size` bytes that came after the last answer."""
        self._received += size
        self.discards.add(self, size)

    def stop_reading(self) -> None:
        """Pause reading from a client that still sends."""
        self.flow.pause_reading()

    def go_on(self) -> None:
        """Read on, where the connection is still there."""
        if not self.transport.is_closing():
            self.flow.resume_reading()

    def _still_lingering(self, until: float) -> None:
        goes_on = self._received >= SLOWEST_BODY_BYTES_PER_S * LINGER_S
        self._received = 0
        if goes_on and self.loop.time() < until:
            self._linger_timer = self.loop.call_later(LINGER_S, self._still_lingering, until)
        else:
            self.end()

    def end(self) -> None:
        """Close the connection, which takes as long as there is something left to send."""
        self._ended = True
        if not self.transport.is_closing():
            self.transport.close()
        self._await_reading()

    # ── taking the answer ────────────────────────────────────────────────────────────────────────────────────

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reading()
        self._make_room()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.waiting.pop(self, None)

    def timeout_keep_alive_handler(self) -> None:
        self.end()

    def _await_reading(self) -> None:
        if not self.transport.get_write_buffer_size():
            return
        self.waiting[self] = None
        if self._answer_timer is None:
            self._unread = self._unacknowledged()
            self._answer_timer = self.loop.call_later(self.patience_s, self._still_unread)

    def _still_unread(self) -> None:
        self._answer_timer = None
        self.waiting.pop(self, None)
        if self._unacknowledged() < self._unread:
            self._await_reading()
        else:
            self.transport.abort()  # what was buffered for the client is free again

    def _make_room(self) -> None:
        """Keep all unread answers within their bound: cut off the clients that have read nothing for longest."""
        unread = {one: one.transport.get_write_buffer_size() for one in self.waiting}
        held = sum(unread.values())
        for one, size in unread.items():
            if held <= self.most_unread_bytes:
                return
            if one is not self:
                held -= size
                one.transport.abort()

    def _unacknowledged(self) -> int:
        """Return the bytes of answers that have not reached the client.

        Those in the kernel count, too (SIOCOUTQ, tcp(7)). The transport's buffer alone shrinks only when a third of the
        kernel's is free: over a minute on a slow link.
        """
        queued = array.array("i", [0])
        fcntl.ioctl(self.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, queued)
        return self.transport.get_write_buffer_size() + queued[0]
