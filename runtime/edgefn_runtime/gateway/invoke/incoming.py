"""Bytes that come in on a client's connection: parsed a little at a time, and within a deadline.

uvicorn bounds only the pause between two requests. A client that sends half a head, or a body byte by byte, would keep
its connection for ever; one that sends ten thousand requests at once would keep everybody waiting. Times are the event
loop's, which no change of the wall clock moves. Never looks at what is asked.

It also ignores an offer to change the protocol, as RFC 9110 (7.8) lets it: the parser takes what follows such a head
for another protocol, so it is given the head without the offer (`gateway.invoke.upgrade`).
"""

from __future__ import annotations

import asyncio
from typing import ClassVar, TypeVar, cast

import httptools
from starlette.exceptions import HTTPException

from edgefn.errors import EdgefnError, InputError
from edgefn_runtime.gateway.invoke import upgrade
from edgefn_runtime.gateway.invoke.cycle import Cycle
from edgefn_runtime.gateway.invoke.outgoing import SLOWEST_BODY_BYTES_PER_S, Outgoing
from edgefn_runtime.gateway.limits import heads
from edgefn_runtime.gateway.limits.backlog import Backlog
from edgefn_runtime.gateway.limits.heads import MAX_FIELDS, MAX_HEAD_BYTES, MAX_TINY, TINY_BYTES
from edgefn_runtime.wire.frames import GULP_BYTES

PACE_S = 10.0
"""A body is judged by what came in so long, or in the client's patience where that is shorter."""

SMALL_BYTES = 4096
"""A read up to this size, as most requests are, is parsed at once; of a larger one as much, and the body behind it."""

STEP_BYTES = 1024
"""Bytes of waiting input that are parsed at once: two hundred chunks of a byte, or one head."""

_STOPPED = (httptools.HttpParserUpgrade, httptools.HttpParserError)
E = TypeVar("E", bound=Exception)
_HEAD_END = b"\r\n\r\n"
_AT_ONCE = 2
"""A small read with more ends of heads than these is parsed in turns as a large one is."""


class Incoming(Outgoing):
    """uvicorn's connection with a deadline for whatever the client owes: a head, a body, or the reading of its answer.

    A request that comes in one piece, as nearly all do, starts no timer.
    """

    backlog: ClassVar[Backlog]

    url = b""
    _request_timer: asyncio.TimerHandle | None = None
    _idle_timer: asyncio.TimerHandle | None = None
    _idle_since: float | None = None
    """When the last answer was complete, on the event loop's clock; None during a request."""
    _judged_since = 0.0
    _unended = 0
    """Bytes since the parser last had a whole head, a piece of a body, or the end of one."""
    _client = ""
    """The client that a proxy named, as which the connection is counted while it has a request of that client."""
    _left = 0
    """Bytes of a body that are still to come, where its length is known."""
    _rest = b""
    """What was read and is not parsed from `_at` on; nothing is read meanwhile."""
    _at = 0
    _counted = 0
    """Bytes that are counted in `backlog`."""
    _gulp = 0
    _tiny = 0
    """Chunks of the body below TINY_BYTES."""
    _last_words: Exception | None = None
    """The answer to send after those of the earlier requests."""
    _upgrade_offered = False
    """Whether the head that has just been parsed offers another protocol."""
    _websocket = False
    """Whether the head that is being parsed offers a websocket."""

    def connection_lost(self, exc: Exception | None) -> None:
        self._request_came()
        if self._idle_timer is not None:
            self._idle_timer.cancel()
        self._rest, self._unended = b"", 0
        self._count()
        super().connection_lost(exc)
        self.pipeline.clear()  # a cycle holds its connection

    # ── in turns ───────────────────────────────────────────────────────────────────────────────────────────────

    def data_received(self, data: bytes) -> None:
        if self._ended or self._last_words is not None:
            if self._lingering:
                self.throw_away(len(data))
        elif self._rest:
            self._rest, self._at = self._rest[self._at :] + data, 0
            self._count()
        elif len(data) <= self._left or (len(data) <= SMALL_BYTES and data.count(_HEAD_END) <= _AT_ONCE):
            self._parse(data)
            self._judge(len(data))
            if self._left:
                self._swallowed(len(data))
        else:
            end = data.find(_HEAD_END, 0, SMALL_BYTES) + len(_HEAD_END)
            at = end if end >= len(_HEAD_END) else SMALL_BYTES
            self._parse(memoryview(data)[:at])
            if self._left >= len(data) - at > 0:  # a head and its body, as nearly all are
                self._parse(memoryview(data)[at:])
                self._judge(len(data))
            else:
                self._put_off(data, at)

    def _swallowed(self, size: int) -> None:
        """Leave the next turn of the event loop to others, after GULP_BYTES of a body."""
        self._gulp += size
        if self._gulp >= GULP_BYTES:
            self._gulp = 0
            self.transport.pause_reading()
            self.loop.call_soon(self._read_on)

    def _read_on(self) -> None:
        if not (self.flow.read_paused or self.transport.is_closing()):
            self.transport.resume_reading()

    def _put_off(self, data: bytes, at: int) -> None:
        """Parse `data` from `at` on in later turns of the event loop, and read nothing meanwhile."""
        self._judge(at)
        if at >= len(data) or self._ended or self._last_words is not None:
            return
        self._rest, self._at, self.flow.held = data, at, True
        self.flow.pause_reading()
        self._count()
        if self._waits_to_parse():
            self.backlog.add(self)

    def parse_next(self) -> bool:
        """Parse about one head, and the body after it where its length is known.

        Returns whether there is more to parse.
        """
        if not self._waits_to_parse():
            return False
        before = len(self._rest) - self._at
        if not self._left:
            data, at = self._rest, self._at
            empty = data.startswith(_HEAD_END, at)  # the end of no head: thousands of empty lines are parsed in one go
            found = -1 if empty else data.find(_HEAD_END, at, at + STEP_BYTES)
            self._parse_until(found + len(_HEAD_END) if found >= 0 else at + STEP_BYTES)
        if self._left and self._waits_to_parse():
            self._parse_until(self._at + self._left)
        self._judge(before - len(self._rest) + self._at)
        if self._counted:
            self.backlog.hold(self, self._counted)  # it goes on: it is not who has held the same for longest
        return self._waits_to_parse()

    def _parse_until(self, end: int) -> None:
        data, at = self._rest, self._at
        if end >= len(data):
            self._rest, self._at = b"", 0
            if self.flow.held:
                self.flow.held = False
                self.flow.resume_reading()
            self._parse(memoryview(data)[at:] if at else data)
        else:
            self._at = end
            self._parse(memoryview(data)[at:end])

    def _waits_to_parse(self) -> bool:
        """Tell whether there are bytes to parse now.

        There are none while a request waits for the answer to the one before.
        """
        return bool(self._rest) and not (self.pipeline or self._last_words or self._ended)

    def _parse(self, data: bytes | memoryview) -> None:
        self._unended += len(data)
        stopped: Exception | None = None
        try:
            self.parser.feed_data(data)
        except _STOPPED as error:
            stopped = error
        if stopped is not None:  # not within `except`: it would take the place of what a callback raises from here on
            self._parse_on(data, _without_frames(stopped))
        if self._unended > MAX_HEAD_BYTES or (self._unended and len(self.headers or ()) > MAX_FIELDS):
            self._refuse_size()

    def _count(self) -> None:
        """Report the bytes that are still to be parsed to the backlog.

        With those parsed of a large head that has not ended.
        """
        size = len(self._rest) + (self._unended if self._unended > SMALL_BYTES else 0)
        if size != self._counted:
            self._counted = size
            self.backlog.hold(self, size)

    def give_way(self, error: EdgefnError) -> None:
        """Drop the unparsed bytes, and end with `error` after the answers to the requests before."""
        self._counted, self._rest, self._at = 0, b"", 0
        self._refuse_in_turn(error)

    def _judge(self, size: int) -> None:
        """Start, stop or go on with the client's time, `size` bytes having been parsed."""
        if self._counted or self._unended > SMALL_BYTES:
            self._count()
        if self._ended or self._last_words is not None:
            self._request_came()
            return
        cycle = self.cycle
        if self._unended or cycle is None or cycle.more_body:
            if self._request_timer is None:
                self._await_request()
            elif cycle is not None and cycle.more_body:
                self._received += size
        elif self._request_timer is not None:
            self._request_came()

    def _parse_on(self, data: bytes | memoryview, error: Exception) -> None:
        """Parse the rest of `data` after the parser stopped with `error`; refuse what cannot be parsed."""
        while isinstance(error, httptools.HttpParserUpgrade):
            if self.parser.get_method() == b"CONNECT":
                self._refuse_in_turn(HTTPException(405, "this box is not a proxy: it does not accept CONNECT"))
                return
            data = memoryview(data)[error.args[0] :]
            try:
                self._parse_without_upgrade()
                self.parser.feed_data(data)
            except _STOPPED as next_error:
                error = _without_frames(next_error)
            else:
                return
        self._unended = 0
        self._refuse_in_turn(_fault(error))

    def _refuse_size(self) -> None:
        """Refuse a head, or a trailer, that is over the bound before it has ended."""
        try:
            heads.check_size(self.url, self.headers or ())
            heads.refuse_size()
        except HTTPException as error:
            self._refuse_in_turn(error)

    def _parse_without_upgrade(self) -> None:
        """Parse the head that was just parsed once more, by a parser that is offered no other protocol."""
        head = upgrade.without(self.parser, self.url, self.headers)
        self._websocket, self._upgrade_offered = upgrade.asks_websocket(self.headers), False
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own
        self.parser.feed_data(head)

    # ── what the parser finds ────────────────────────────────────────────────────────────────────────────────

    def on_message_begin(self) -> None:
        """Begin a head: uvicorn's, which makes the scope here already."""
        self.url = b""
        self.headers = []
        self.expect_100_continue = False
        self._idle_since = None
        self._tiny = 0
        self._unended = self._unended or 1

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep a field: uvicorn's, which takes as many as a read brings. Raises HTTPException, 431."""
        name = name.lower()
        if name == b"expect" and value.lower() == b"100-continue":
            self.expect_100_continue = True
        self.headers.append((name, value))
        if len(self.headers) > MAX_FIELDS:
            heads.refuse_size()

    def on_body(self, body: bytes) -> None:
        self._unended = 0
        if self._left:
            self._left -= len(body)
        if len(body) < TINY_BYTES and not cast("Cycle", self.cycle).length:
            self._tiny += 1
            if self._tiny == MAX_TINY:
                self._refuse_in_turn(heads.too_many_tiny())
        if not self.cycle.body:
            self.cycle.body = bytearray()
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._unended = self._left = 0
        if self._upgrade_offered:
            return
        if self.headers:
            self._look_at_trailer(cast("Cycle", self.cycle))
        super().on_message_complete()
        self.cycle.more_body = False
        if self.cycle.response_complete and not self.pipeline:  # its answer came before its body was there
            if self.cycle.keep_alive:
                self._become_idle()
            else:
                self.close()

    def _look_at_trailer(self, cycle: Cycle) -> None:
        """End the connection behind a trailer that asks for it: the parser reads nothing after that."""
        cycle.keep_alive = cycle.keep_alive and self.parser.should_keep_alive()

    # ── in time ──────────────────────────────────────────────────────────────────────────────────────────────

    def _await_request(self) -> None:
        self._received = 0
        self._judged_since = self.loop.time()
        self._request_timer = self.loop.call_later(self.patience_s, self._late)

    def _request_came(self) -> None:
        if self._request_timer is not None:
            self._request_timer.cancel()
            self._request_timer = None

    def _late(self) -> None:
        pace_s, cycle = min(self.patience_s, PACE_S), self.cycle
        has_body = cycle is not None and cycle.more_body
        if self.flow.read_paused:  # the box does not read: it is not the client who is late
            self._await_request()
        elif has_body and self._received >= SLOWEST_BODY_BYTES_PER_S * pace_s:
            self._received = 0
            self._judged_since = self.loop.time()
            self._request_timer = self.loop.call_later(pace_s, self._late)
        elif has_body and cycle.response_started:
            self.end()  # it has its answer: nothing more to say
        else:
            self._request_timer = None
            self._refuse_in_turn(self._too_slow(has_body=has_body))

    def _too_slow(self, *, has_body: bool) -> HTTPException:
        after_s = self.loop.time() - self._judged_since
        if has_body:
            least = f"{SLOWEST_BODY_BYTES_PER_S} bytes a second in the last {after_s:.3g} s"
            return HTTPException(408, f"the request's body came too slowly, with under {least}; send it again, faster")
        return HTTPException(408, f"the request's head came too slowly, over {after_s:.3g} s; send it again, faster")

    def _refuse_in_turn(self, error: Exception) -> None:
        """End the connection with `error`, behind the answers to the requests before the one that it is about."""
        cycle = self.cycle
        if cycle is None or cycle.response_complete:
            self.refuse(error)
        elif not cycle.more_body:
            self._last_words = error
        elif self.pipeline and self.pipeline[0][0] is cycle:
            self.pipeline.popleft()
            self._last_words = error
        elif cycle.response_started:
            self.close()
        else:
            self.refuse(error)

    def refuse(self, error: Exception) -> None:
        """Answer with `error`, whatever the client still sends, and end the connection."""
        super().refuse(error)
        self._give_up()

    def _give_up(self) -> None:
        """Drop the client's unfinished requests, and report the disconnect to the request's application."""
        self._request_came()
        self._rest, self._at, self._unended = b"", 0, 0
        self._count()
        self.pipeline.clear()
        cycle = self.cycle
        if cycle is not None:
            cycle.body = b""  # type: ignore[assignment]  # it may be listened to for minutes, and nobody reads that
            if not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()

    def on_response_complete(self) -> None:
        """Start the next request, send the last words, or wait for the client.

        Replaces uvicorn's method, which makes a timer for each answer.
        """
        self.server_state.total_requests += 1
        if self._ended or self.transport.is_closing():
            return
        if self.pipeline:
            self._start_asgi_task(*self.pipeline.pop())
        elif self._last_words is not None:
            self.refuse(self._last_words)
        elif not self.cycle.more_body:
            self._become_idle()
        if self.pipeline or self._ended:
            return
        if self._rest:
            if self._waits_to_parse():
                self.backlog.add(self)
        else:
            self.flow.resume_reading()

    def _count_for_nobody(self) -> None:
        """Forget the client that a proxy named."""

    def _become_idle(self) -> None:
        if self._client:
            self._count_for_nobody()
        self._idle_since = self.loop.time()
        if self._idle_timer is None:
            self._idle_timer = self.loop.call_later(self.timeout_keep_alive, self._still_idle)

    def shutdown(self) -> None:
        """Close as soon as all requests have been answered."""
        if self._ended:
            self.transport.close()
        else:
            super().shutdown()

    def _still_idle(self) -> None:
        """End the connection if it has been idle for its time, else wait for the rest.

        The timer belongs to no single answer.
        """
        self._idle_timer = None
        if self._idle_since is None:
            return
        left_s = self._idle_since + self.timeout_keep_alive - self.loop.time()
        if left_s > 0:
            self._idle_timer = self.loop.call_later(left_s, self._still_idle)
        else:
            self.end()

    # ── what a cycle sees as its transport ───────────────────────────────────────────────────────────────────

    def write(self, data: bytes) -> None:
        """Send `data`, unless the last answer has been sent or the connection is closing."""
        if not (self._lingering or self.transport.is_closing()):
            self.transport.write(data)

    def is_closing(self) -> bool:
        """Tell whether nothing more can be sent."""
        return self._lingering or self.transport.is_closing()

    def close(self) -> None:
        """End the connection, gently where the client still sends."""
        if self.cycle is None:
            self.end()
        elif self.cycle.more_body or self._rest or self.pipeline:
            self.linger()
            self._give_up()
        else:
            self.end()


def _without_frames(error: E) -> E:
    """Return `error` without its traceback, whose frames would keep the connection and its data alive."""
    return error.with_traceback(None)


def _fault(error: Exception) -> Exception:
    """Return the refusal for the error that the parser stopped with."""
    if not isinstance(error, httptools.HttpParserCallbackError):
        return InputError(f"the request is not valid HTTP/1.1: {error}")
    cause = error.__context__
    if isinstance(cause, EdgefnError | HTTPException):
        return _without_frames(cause)
    return cause if isinstance(cause, Exception) else error
