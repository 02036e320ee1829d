"""A client's connection, bounded: how many there are, and how long each may take to ask and to take its answer.

uvicorn bounds only the pause between two requests. A client that sends half a head, or a body byte by byte, or never
reads its answer would keep its connection, and what is buffered for it, for ever. Times are the event loop's, which no
change of the wall clock moves. Never looks at what is asked; that is the application's.

It also ignores an offer to change the protocol, as RFC 9110 (7.8) lets it: the parser takes what follows such a head
for another protocol, so it is given the head without the offer (`gateway.invoke.upgrade`).
"""

from __future__ import annotations

import array
import asyncio
import ctypes
import fcntl
import gc
import os
import resource
import termios
from http import HTTPStatus
from typing import Any, ClassVar, TypeVar, cast

import httptools
from starlette.exceptions import HTTPException
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from edgefn.errors import InputError, Unavailable
from edgefn_runtime.access import socket
from edgefn_runtime.access.caller import is_socket
from edgefn_runtime.gateway.invoke import upgrade
from edgefn_runtime.gateway.problems import problem

SLOWEST_BODY_BYTES_PER_S = 4096
"""A body may take the patience and, on top, as long as this rate gives it: a slow uplink is no attack."""

MOST_HEAD_BYTES = 1 << 17
"""Of a head or a trailer that has not ended, up to one read more; the parser keeps all of it. A target has 64 KiB."""
_STOPPED = (httptools.HttpParserUpgrade, httptools.HttpParserError)
_MOST_TARGET_BYTES = (1 << 16) - 1  # of httptools.parse_url

LARGEST_KEPT_BYTES = 1 << 20
_M_MMAP_THRESHOLD = -3

LARGE_BYTES = 1 << 18
COLLECT_AFTER_S = 0.5

MOST_DESCRIPTORS = 1 << 20
"""Enough for any box; some containers have a hard limit of a billion."""


class Connection(HttpToolsProtocol):
    """uvicorn's connection with a deadline for whatever the client owes: a head, a body, or the reading of its answer.

    A request that comes in one piece, as nearly all do, starts no timer.
    """

    patience_s: ClassVar[float]
    most: ClassVar[int]
    most_unread_bytes: ClassVar[int]
    waiting: ClassVar[dict[Connection, None]]
    """Whose answers are more than the kernel takes; first who has taken nothing for longest."""
    collection: ClassVar[asyncio.TimerHandle | None] = None

    is_owners = False
    """Whether it came by the owner's socket, which is there when the network's connections are all taken."""

    _request_timer: asyncio.TimerHandle | None = None
    _answer_timer: asyncio.TimerHandle | None = None
    _idle_timer: asyncio.TimerHandle | None = None
    _idle_since: float | None = None
    """When the last answer was complete, on the event loop's clock; None while a request is on its way."""
    _received = 0
    _unread = 0
    _unended = 0
    """Bytes since the parser last had a whole head, a piece of a body, or the end of one."""
    _last_words: Exception | None = None
    """What is told when the requests before have their answers."""
    _upgrade_offered = False
    """Whether the head that has just been parsed offers another protocol."""
    _websocket = False
    """Whether the head that is being parsed offers a websocket."""

    # ── how many ─────────────────────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.is_owners = is_socket(self.server)
        if self.is_owners:
            self._await_request() if socket.is_owner(transport) else transport.abort()
        elif len(self.connections) > self.most:
            self._refuse(Unavailable(f"the box holds {self.most} connections and takes no more now; try again"))
        else:
            self._await_request()

    def connection_lost(self, exc: Exception | None) -> None:
        self._request_came()
        for timer in (self._answer_timer, self._idle_timer):
            if timer is not None:
                timer.cancel()
        self.waiting.pop(self, None)
        super().connection_lost(exc)
        if self._unread > LARGE_BYTES:
            self._collect_soon()

    def _collect_soon(self) -> None:
        """A connection with an unread answer ends as a cycle of references: the collector would let it lie for long."""
        bounded = type(self)
        if bounded.collection is None:
            bounded.collection = self.loop.call_later(COLLECT_AFTER_S, bounded.collect)

    @classmethod
    def collect(cls) -> None:
        """What ended connections held is free. A few milliseconds: the box's own objects are frozen (gc.freeze)."""
        cls.collection = None
        gc.collect()

    # ── asking ───────────────────────────────────────────────────────────────────────────────────────────────

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing() or self._last_words is not None:
            return
        self._idle_since = None
        self._unended += len(data)
        try:
            self.parser.feed_data(data)
        except _STOPPED as error:
            self._parse_on(data, error)
        if self._unended > MOST_HEAD_BYTES:
            self._refuse_in_turn(HTTPException(431, f"a head, or a trailer, has over {MOST_HEAD_BYTES} bytes"))
        if self._last_words is not None:
            self._request_came()
            return
        cycle = self.cycle
        if cycle is not None and not cycle.more_body and not cycle.response_complete:
            if self._request_timer is not None:
                self._request_came()
        elif self._request_timer is None:
            self._await_request()
        elif cycle is not None and cycle.more_body:
            self._received += len(data)

    def _parse_on(self, data: bytes | memoryview, error: Exception) -> None:
        """Parse what the parser left of `data` when it stopped with `error`; refuse what is not to be read."""
        while isinstance(error, httptools.HttpParserUpgrade):
            if self.parser.get_method() == b"CONNECT":
                self._refuse_in_turn(HTTPException(405, "this box is no proxy: it takes no CONNECT"))
                return
            data = memoryview(data)[error.args[0] :]
            self._parse_without_upgrade()
            try:
                self.parser.feed_data(data)
            except _STOPPED as next_error:
                error = next_error
            else:
                return
        self._unended = 0
        self._refuse_in_turn(self._fault(error))

    def _fault(self, error: Exception) -> Exception:
        if not isinstance(error, httptools.HttpParserCallbackError):
            return InputError(f"the request is not HTTP/1.1 that can be read: {error}")
        if len(self.url) > _MOST_TARGET_BYTES:
            return HTTPException(414, f"path and query have over {_MOST_TARGET_BYTES} bytes; send a body by POST")
        return InputError("the request's target is no path, e.g. /fn/name")

    def _parse_without_upgrade(self) -> None:
        """Parse the head that was just parsed once more, by a parser that is offered no other protocol."""
        head = upgrade.without(self.parser, self.url, self.headers)
        self._websocket, self._upgrade_offered = upgrade.asks_websocket(self.headers), False
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own
        self.parser.feed_data(head)

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            self._upgrade_offered = True  # the head comes once more
            return
        if self._websocket:
            self.scope["extensions"] = {"websocket": {}}
            self._websocket = False
        self._unended = 0
        super().on_headers_complete()
        self.headers = []  # a trailer's fields are no headers (RFC 9110, 6.5.1)

    def on_body(self, body: bytes) -> None:
        self._unended = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unended = 0
        if not self._upgrade_offered:
            super().on_message_complete()

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        app = upgrade.refuse if "extensions" in cycle.scope else app
        super()._start_asgi_task(cycle, _closing(cycle, app) if cycle.waiting_for_100_continue else app)

    def _await_request(self) -> None:
        self._received = 0
        self._request_timer = self.loop.call_later(self.patience_s, self._late, self.loop.time())

    def _request_came(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _late(self, since: float) -> None:
        allowed_s = self.patience_s + self._received / SLOWEST_BODY_BYTES_PER_S
        left_s = since + allowed_s - self.loop.time()
        if self.flow.read_paused:  # the box does not read: it is not the client who is late
            self._await_request()
        elif left_s > 0:
            self._request_timer = self.loop.call_later(left_s, self._late, since)
        elif self.cycle is not None and self.cycle.response_started:
            self.timeout_keep_alive_handler()  # it has its answer: nothing more to say
        else:
            what = "head" if self.cycle is None else "body"
            self._refuse(HTTPException(408, f"the request's {what} took over {allowed_s:.3g} s; send it again, faster"))

    def _refuse_in_turn(self, error: Exception) -> None:
        """End the connection with `error`, behind the answers to the requests before the one that it is about."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            self._refuse(error)
        elif not cycle.more_body:
            self._last_words = error
        elif self.pipeline and self.pipeline[0][0] is cycle:
            self.pipeline.popleft()
            self._last_words = error
        else:
            self._refuse(error)

    def on_response_complete(self) -> None:
        """Go on with the next request, say the last words, or wait: uvicorn's, which makes a timer for each answer."""
        self.server_state.total_requests += 1
        if self.transport.is_closing():
            return
        self.flow.resume_reading()
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._last_words is not None:
            self._refuse(self._last_words)
        else:
            self._idle_since = self.loop.time()
            if self._idle_timer is None:
                self._idle_timer = self.loop.call_later(self.timeout_keep_alive, self._still_idle)

    def _still_idle(self) -> None:
        """End the connection if it has been idle for its time, else wait for the rest: the timer is no answer's own."""
        self._idle_timer = None
        if self._idle_since is None:
            return
        left_s = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left_s > 0:
            self._idle_timer = self.loop.call_later(left_s, self._still_idle)
        else:
            self.timeout_keep_alive_handler()

    def _refuse(self, error: Exception) -> None:
        """The last words on this connection."""
        self._request_came()
        status, headers, body = problem(error)
        lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode()]
        lines += [name + b": " + value for name, value in [*headers, (b"connection", b"close")]]
        self.transport.write(b"\r\n".join(lines) + b"\r\n\r\n" + body)
        self.transport.close()

    # ── taking the answer ────────────────────────────────────────────────────────────────────────────────────

    def pause_writing(self) -> None:
        super().pause_writing()
        self._await_reading()
        self._make_room()

    def resume_writing(self) -> None:
        super().resume_writing()
        self.waiting.pop(self, None)

    def timeout_keep_alive_handler(self) -> None:
        super().timeout_keep_alive_handler()  # closes, which takes as long as there is something left to send
        self._await_reading()

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
        """All unread answers together are within their bound; who has read nothing for longest is cut off for it."""
        unread = {one: one.transport.get_write_buffer_size() for one in self.waiting}
        held = sum(unread.values())
        for one, size in unread.items():
            if held <= self.most_unread_bytes:
                return
            if one is not self:
                held -= size
                one.transport.abort()

    def _unacknowledged(self) -> int:
        """Bytes of answers that have not reached the client, those in the kernel too (SIOCOUTQ, tcp(7)).

        The transport's buffer alone shrinks only when a third of the kernel's is free: over a minute on a slow link.
        """
        queued = array.array("i", [0])
        fcntl.ioctl(self.transport.get_extra_info("socket").fileno(), termios.TIOCOUTQ, queued)
        return self.transport.get_write_buffer_size() + queued[0]


def _closing(cycle: RequestResponseCycle, app: Any) -> Any:
    """Return `app`, its connection closed where it answers before it has asked for the body that the client holds back.

    Some clients then send that body and others do not: what comes next could be either.
    """

    async def closing(scope: Any, receive: Any, send: Any) -> None:
        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start" and cycle.waiting_for_100_continue:
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            await send(message)

        await app(scope, receive, sending)

    return closing


C = TypeVar("C", bound=Connection)


def bounded(kind: type[C], patience_s: float, most_unread_bytes: int = 0, **more: object) -> type[C]:
    """The `kind` of connection of a server whose clients have `patience_s`; `more` are further members of it.

    Answers that they do not read take at most `most_unread_bytes` together (0: an eighth of the machine's memory).

    Three quarters of the process's descriptors are for clients. The rest is the box's own: instances, logs, the
    database. So no crowd of clients keeps a function from starting.
    """
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0] * 3 // 4
    members = {
        "patience_s": patience_s,
        "most": most,
        "most_unread_bytes": most_unread_bytes or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 8,
        "waiting": {},
    }
    return cast("type[C]", type(f"Bounded{kind.__name__}", (kind,), members | more))


def return_large_memory() -> None:
    """Blocks of LARGEST_KEPT_BYTES and more go back to the machine when they are freed (mallopt(3)).

    Left to itself, malloc raises that to 32 MiB with the first large body that is freed, and keeps the next.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc's; another C library may have none
    if mallopt is not None:
        mallopt(_M_MMAP_THRESHOLD, LARGEST_KEPT_BYTES)


def raise_descriptor_limit() -> None:
    """The process may open as many files as its hard limit lets it: a login shell's soft limit is 1024."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    most = MOST_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, MOST_DESCRIPTORS)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
