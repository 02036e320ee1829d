"""The short way from a connection to a function: a request that is whole is called at once, with no task and no ASGI.

uvicorn makes a task, an event and half a dozen messages for each request; a bare Starlette route pays for them, and a
box pays for a process hop on top. This leaves them out for invocations, which is what makes up for the hop
(docs/decisions/direct.md). What is no invocation, is refused before its body is read, or comes in chunks of unknown
number goes the ASGI way. Parsing, bounds and pipelining stay uvicorn's and `connection`'s.
"""

from __future__ import annotations

import asyncio
from http import HTTPStatus
from typing import Any, ClassVar, cast

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from edgefn_runtime.access.doors import Doors
from edgefn_runtime.gateway.invoke.connection import Connection, bounded
from edgefn_runtime.gateway.invoke.exchange import Exchange, Reply
from edgefn_runtime.gateway.invoke.invocation import PREFIX, Invocation, Scope
from edgefn_runtime.gateway.problems import problem
from edgefn_runtime.supervisor.call import Call

JOINED_BYTES = 1 << 16
"""An answer up to this size is written with its head in one piece; copying a larger one costs more than it saves."""

_STATUS = {status.value: f"HTTP/1.1 {status.value} {status.phrase}".encode() for status in HTTPStatus}
_line = b": ".join


class Direct(Connection):
    """A connection that calls functions itself. `_exchange` is the one whose body or answer is still to come."""

    invocation: ClassVar[Invocation]

    _doors: Doors | None = None
    """Where this connection's callers are asked for a token; what they do not let in goes the ASGI way, to be told."""
    _exchange: Exchange | None = None
    _asked: RequestResponseCycle
    """uvicorn's state of the request of `_exchange`; `cycle` may be that of a pipelined one behind it."""
    _pieces: list[bytes]
    """Of that request's body: they go on as they came."""
    _call: Call | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._doors = None if self.is_owners else self.invocation.doors

    # ── asking ───────────────────────────────────────────────────────────────────────────────────────────────

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        """The head of a request is there, or the turn of one that was pipelined."""
        exchange = self._begun(cycle) if cycle.more_body else None
        if exchange is None:
            super()._start_asgi_task(cycle, app)
        else:
            # A pipelined request may have had a part of its body by the time of its turn.
            self._exchange, self._asked = exchange, cycle
            self._pieces = [bytes(cycle.body)] if cycle.body else []

    def _begun(self, cycle: RequestResponseCycle) -> Exchange | None:
        """Return the exchange, where the request will come whole: its body's length is known and within the bound."""
        scope = cycle.scope
        if not scope["path"].startswith(PREFIX) or cycle.waiting_for_100_continue or self.flow.write_paused:
            return None
        if "extensions" in scope or b"%" in scope["raw_path"]:  # an upgrade is to be refused, a path to be cleaned
            return None
        exchange = self.invocation.exchange(cast("Scope", scope))
        if exchange is None or b"transfer-encoding" in exchange.headers:
            return None
        length = exchange.headers.get(b"content-length", b"0")
        if not length.isdigit() or int(length) > exchange.pool.spec.max_body_bytes:
            return None
        return exchange if self._doors is None or self._doors.allows(exchange.headers, exchange.name) else None

    def on_body(self, body: bytes) -> None:
        if self._exchange is not None and self.cycle is self._asked:
            self._unended = 0
            self._pieces.append(body)
        else:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._unended = 0
        cycle, exchange = self.cycle, self._exchange
        if exchange is None or cycle is not self._asked or self._upgrade_offered:
            super().on_message_complete()
            return
        cycle.more_body = False
        pieces, self._pieces = self._pieces, []
        body = pieces[0] if len(pieces) == 1 else pieces
        try:
            call = self.invocation.at_once(exchange, cycle.scope["query_string"], body, self._respond)
        except Exception as error:  # what nobody raised on purpose is logged, and told in brief
            self._respond(problem(error))
        else:
            self._call = call

    def connection_lost(self, exc: Exception | None) -> None:
        exchange, call, self._exchange, self._call = self._exchange, self._call, None, None
        super().connection_lost(exc)
        if exchange is not None and call is not None:
            exchange.pool.cancel(call)
        elif exchange is not None:
            exchange.abandoned()

    # ── answering ────────────────────────────────────────────────────────────────────────────────────────────

    def _respond(self, reply: Reply) -> None:
        """The answer is written, and the connection waits for the next request or ends."""
        self._exchange = self._call = None
        cycle = self._asked
        if self.transport.is_closing():
            return
        status, headers, body = reply
        end = b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n"
        head = b"\r\n".join([_STATUS[status], *map(_line, cycle.default_headers), *map(_line, headers), end])
        cycle.response_started = cycle.response_complete = True
        self._write(head, b"" if cycle.scope["method"] == "HEAD" else body)
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()

    def _write(self, head: bytes, body: bytes) -> None:
        if len(body) <= JOINED_BYTES:
            self.transport.write(head + body)
        else:
            self.transport.writelines([head, body])


def connection(invocation: Invocation, patience_s: float) -> type[Direct]:
    """The connection of a server whose clients have `patience_s`, their requests to functions going to `invocation`."""
    return bounded(Direct, patience_s, invocation=invocation)
