"""The short way from a connection to a function: called at a request's last byte, with no task and no ASGI.

uvicorn makes a task, an event and half a dozen messages for each request; a bare Starlette route pays for them, and a
box pays for a process hop on top. This leaves them out for invocations, which makes up for the hop
(docs/decisions/direct.md). A request goes the ASGI way when it is no invocation, is refused before its body is read, or
waits for a client to read the answer before. Parsing, bounds and pipelining stay uvicorn's and `connection`'s.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, ClassVar, cast

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from edgefn.errors import EdgefnError
from edgefn_runtime.access.doors import Doors, gone
from edgefn_runtime.access.tokens import Token
from edgefn_runtime.calls.call import Call
from edgefn_runtime.gateway.invoke.connection import Connection, bounded
from edgefn_runtime.gateway.invoke.cycle import Cycle
from edgefn_runtime.gateway.invoke.exchange import Exchange, Reply
from edgefn_runtime.gateway.invoke.invocation import PREFIX, Invocation, Scope, too_large
from edgefn_runtime.gateway.limits.heads import MAX_TINY, TINY_BYTES, too_many_tiny
from edgefn_runtime.gateway.problems import problem

JOINED_BYTES = 1 << 16
"""An answer up to this size is written with its head in one piece; copying a larger one costs more than it saves."""

SMALL_PIECE_BYTES = 1 << 12
"""A piece of a body below this size is copied to the ones before."""

_CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
_CLOSES = b"connection: close\r\n\r\n"
_STATUS = {status.value: f"HTTP/1.1 {status.value} {status.phrase}".encode() for status in HTTPStatus}
_line = b": ".join


class Direct(Connection):
    """A connection that calls functions itself. `_exchange` is the one whose body or answer is still to come."""

    invocation: ClassVar[Invocation]
    usual: ClassVar[list[tuple[bytes, bytes]]] = []
    """The fields that all answers have, as of the last answer; uvicorn makes them once a second."""
    usual_lines: ClassVar[bytes] = b""

    _doors: Doors | None = None
    """Where this connection's callers are asked for a token; what they do not let in goes the ASGI way, to be told."""
    _token: Token | None = None
    """What let the request in whose body is coming: revoked or rotated before the end of it, it opens nothing."""
    _exchange: Exchange | None = None
    _asked: Cycle
    """uvicorn's state of the request of `_exchange`; `cycle` may be that of a pipelined one behind it."""
    _pieces: list[bytes]
    """Of that request's body: they go on as they came."""
    _most = 0
    """How large that body may be."""
    _held = 0
    """Bytes of that body, counted in `bodies` until the answer is there."""
    _call: Call | None = None
    _stays: bytes

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._stays = _line(self.keep_alive_field) + b"\r\n\r\n"

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._doors = None if self.is_owners else self.invocation.doors

    # ── asking ───────────────────────────────────────────────────────────────────────────────────────────────

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """Begin a request whose head is there, or a pipelined one whose turn has come.

        An invocation goes the short way; any other request gets its ASGI task.
        """
        asked = cast("Cycle", cycle)
        exchange = self._begun(asked) if cycle.more_body and app is self.app else None
        if exchange is None:
            super()._start_asgi_task(cycle, app)
            return
        self._exchange, self._asked, self._most = exchange, asked, exchange.pool.spec.max_body_bytes
        self._pieces = []
        if self.bodies.held + asked.length > self.bodies.most and self._finds_no_room():
            return
        if cycle.waiting_for_100_continue:
            cycle.waiting_for_100_continue = False
            self.transport.write(_CONTINUE)
        if cycle.body:  # a pipelined request may have had a part of its body by the time of its turn
            self._take(bytes(cycle.body))

    def _finds_no_room(self) -> bool:
        """Refuse the request where its body, added to all others, would be more than the box may hold."""
        cycle = self._asked
        refusal = self.bodies.refusal(cycle.length, self.loop.time()) if cycle.length else None
        if refusal is not None:
            cycle.keep_alive = cycle.keep_alive and not cycle.waiting_for_100_continue
            self._respond(cast("Exchange", self._exchange).refused(refusal))
        return refusal is not None

    def _begun(self, cycle: Cycle) -> Exchange | None:
        """Return the exchange, unless the request is refused by its head or goes the ASGI way."""
        scope = cycle.scope
        if not scope["path"].startswith(PREFIX) or self.flow.write_paused or b"%" in scope["raw_path"]:
            return None
        exchange = self.invocation.exchange(cast("Scope", scope), cycle.fields)
        if exchange is None or cycle.length > exchange.pool.spec.max_body_bytes:
            return None
        if self._doors is None:
            return exchange
        self._token = self._doors.allows(exchange.headers, exchange.name)
        return exchange if self._token is not None else None

    def on_body(self, body: bytes) -> None:
        if self._exchange is not None and self.cycle is self._asked:
            self._unended = 0
            if self._left:
                self._left -= len(body)
            self._take(body)
        else:
            super().on_body(body)

    def _take(self, body: bytes) -> None:
        """Add a piece of the body, within the bounds of the function and of all bodies together."""
        size, bodies, pieces = len(body), self.bodies, self._pieces
        if pieces and size < SMALL_PIECE_BYTES:
            _join(pieces, body)
        else:
            pieces.append(body)
        self._held += size
        bodies.held += size
        if size < TINY_BYTES and not self._asked.length:
            self._tiny += 1
        if self._tiny == MAX_TINY:
            self._give_way(too_many_tiny())
        elif self._held > self._most:
            self._give_way(too_large(cast("Exchange", self._exchange)))
        elif bodies.held > bodies.most and not bodies.make_room(self, self.loop.time()):
            self._give_way(bodies.too_many())

    def _give_way(self, error: EdgefnError) -> None:
        """Refuse the request whose body is still coming, and end the connection behind it."""
        if self._exchange is not None:
            self._asked.keep_alive = False
            self._respond(self._exchange.refused(error))

    def on_message_complete(self) -> None:
        cycle, exchange = self.cycle, self._exchange
        if exchange is None or cycle is not self._asked or self._upgrade_offered:
            super().on_message_complete()
            return
        self._unended = self._left = 0
        cycle.more_body = False
        if self.headers:
            self._look_at_trailer(cycle)
        pieces, self._pieces = self._pieces, []
        if pieces and isinstance(pieces[-1], bytearray):
            pieces[-1] = bytes(pieces[-1])
        body = pieces[0] if len(pieces) == 1 else pieces
        if self._token is not None and self._token.gone.is_set():
            self._respond(exchange.refused(gone()))
            return
        try:
            call = self.invocation.at_once(exchange, cycle.scope["query_string"], body, self._respond)
        except Exception as error:  # what nobody raised on purpose is logged, and told in brief
            self._respond(problem(error))
        else:
            self._call = call

    def _await_request(self) -> None:
        super()._await_request()
        self.bodies.sending[self] = None

    def _request_came(self) -> None:
        super()._request_came()
        self.bodies.sending.pop(self, None)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._abandon()
        self._asked = cast("Cycle", None)  # they would keep one another, and what nobody read of an answer

    def _give_up(self) -> None:
        super()._give_up()
        self._abandon()

    def _abandon(self) -> None:
        """Cancel the call: the client does not wait for the answer any more."""
        exchange, call = self._done()
        if exchange is not None and call is not None:
            exchange.pool.cancel(call)
        elif exchange is not None:
            exchange.abandoned()

    def _done(self) -> tuple[Exchange | None, Call | None]:
        """Forget the exchange and its body, and return it with its call."""
        exchange, call, self._exchange, self._call = self._exchange, self._call, None, None
        self.bodies.held -= self._held
        self._held = 0
        self._pieces = []
        return exchange, call

    # ── what all bodies together ask of one (limits.bodies.Sender) ───────────────────────────────────────────

    def held(self) -> int:
        """Return how many bytes the box holds of a body that has not come whole."""
        return self._held if self._call is None else 0

    def pace(self, now: float) -> tuple[float, float]:
        """Return the bytes a second of the last seconds, and since when they are counted."""
        return self._received / max(1e-3, now - self._judged_since), self._judged_since

    def cut(self, error: Exception) -> None:
        """End the request, whose body is still coming, with `error`."""
        self._give_way(cast("EdgefnError", error))

    # ── answering ────────────────────────────────────────────────────────────────────────────────────────────

    def _respond(self, reply: Reply) -> None:
        """Write the answer; then wait for the next request, or close the connection."""
        self._exchange = self._call = None
        self.bodies.held -= self._held
        self._held = 0
        cycle = self._asked
        if self._ended or self.transport.is_closing():
            return
        status, headers, body = reply
        end = self._stays if cycle.keep_alive else _CLOSES
        kind = type(self)
        if cycle.default_headers is not kind.usual:
            kind.usual = cycle.default_headers
            kind.usual_lines = b"".join(b"\r\n" + _line(field) for field in kind.usual)
        head = b"\r\n".join([_STATUS[status] + kind.usual_lines, *map(_line, headers), end])
        cycle.response_started = cycle.response_complete = True
        self._write(head, b"" if cycle.scope["method"] == "HEAD" else body)
        if not cycle.keep_alive:
            self.close()
        cycle.on_response()

    def _write(self, head: bytes, body: bytes) -> None:
        if len(body) <= JOINED_BYTES:
            self.transport.write(head + body)
        else:
            self.transport.writelines([head, body])


def _join(pieces: list[bytes], small: bytes) -> None:
    """Add a small piece to the last one.

    Millions of chunks of a byte or two would take thirty times their size.
    """
    last = pieces[-1]
    if isinstance(last, bytearray):
        last += small
        if len(last) >= JOINED_BYTES:
            pieces[-1] = bytes(last)
    elif len(last) < SMALL_PIECE_BYTES:
        pieces[-1] = cast("bytes", bytearray(last + small))
    else:
        pieces.append(cast("bytes", bytearray(small)))


def connection(invocation: Invocation, patience_s: float, most_unread_bytes: int = 0, **more: object) -> type[Direct]:
    """Return the connection class for a server whose clients have `patience_s`.

    `invocation` gets the requests to functions.
    """
    return bounded(Direct, patience_s, most_unread_bytes, invocation.bodies, invocation=invocation, **more)
