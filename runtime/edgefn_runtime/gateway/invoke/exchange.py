"""One request to a function and its answer: the part that both ways through the gateway share.

It knows the request's id, its call and its outcome, and counts it. It reads and writes no connection.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, Protocol

from edgefn.errors import (
    EdgefnError,
    HandlerError,
    HandlerTimeout,
    InputError,
    InstanceLost,
    NotAcceptable,
    RetryLater,
    as_refusal,
)
from edgefn_runtime.calls.call import Body, Call, Outcome
from edgefn_runtime.gateway.invoke.timeout import TIMEOUT_HEADER, request_timeout_s
from edgefn_runtime.gateway.problems import problem
from edgefn_runtime.pool.pool import Pool
from edgefn_runtime.wire.messages import Answer, Crash, Refusal, Unacceptable

Headers = list[tuple[bytes, bytes]]
Reply = tuple[int, Headers, bytes]
"""Status, headers and body of an answer."""

_MAX_REQUEST_ID = 128
_OUTCOMES: dict[type[EdgefnError], str] = {
    HandlerTimeout: "timeout",
    InstanceLost: "lost",
    RetryLater: "rejected",
    InputError: "client_error",
    NotAcceptable: "client_error",
}


class ErrorLog(Protocol):
    """The log that a function's lines go to: the telemetry."""

    def write(self, function: str, line: str, *, stream: str = ..., pid: int = ..., id: str = ...) -> None: ...


class Exchange:
    """Made when a request's head is there. `headers` are the request's, names in lower case."""

    __slots__ = ("_began", "_cold", "_id", "_logs", "headers", "name", "pool")

    def __init__(self, name: str, pool: Pool, logs: ErrorLog, ids: Iterator[str], headers: dict[bytes, bytes]) -> None:
        self.name = name
        self.pool = pool
        self.headers = headers
        self._logs = logs
        self._id = headers.get(b"x-request-id", b"")[:_MAX_REQUEST_ID].decode("latin-1") or next(ids)
        self._began = time.monotonic()
        self._cold = False

    def submit(self, query: bytes, body: Body) -> Call:
        """Submit the call to the pool. Raises EdgefnError when the pool refuses it."""
        get = self.headers.get
        call = Call(
            get(b"content-type", b"").decode("latin-1"),
            query.decode("latin-1"),
            get(b"accept", b"").decode("latin-1"),
            body,
            request_timeout_s(get(TIMEOUT_HEADER)),
            encoding=get(b"content-encoding", b"").decode("latin-1"),
        )
        self.pool.submit(call)
        self._cold = call.cold
        return call

    def answered(self, call: Call, outcome: Outcome) -> Reply:
        """Return the answer to the client for the instance's reply, and count it."""
        timing = (b"server-timing", call.server_timing(outcome).encode("ascii"))
        reply = outcome.reply
        if not isinstance(reply, Answer):
            return self.refused(self._error(reply), timing)
        if not (reply.content_type.isascii() and reply.content_type.isprintable()):  # headers of its own choice
            said = f"an instance answered with the content type {reply.content_type!r}"
            self._logs.write(self.name, said, stream="error", id=self._id)
            return self.refused(HandlerError(self.name, self._id), timing)
        self._count("ok")
        headers = [
            (b"x-request-id", self._id.encode("latin-1")),
            timing,
            (b"content-type", reply.content_type.encode("latin-1")),
            (b"content-length", b"%d" % len(outcome.body)),
        ]
        return 200, headers, outcome.body

    def refused(self, error: EdgefnError, *headers: tuple[bytes, bytes]) -> Reply:
        """Return the answer to the client for `error`, and count it.

        Where the function caused the error, it is written to the function's log.
        """
        if isinstance(error, HandlerTimeout | InstanceLost):
            self._logs.write(self.name, str(error), stream="error", id=self._id)
        self._count(next((outcome for kind, outcome in _OUTCOMES.items() if isinstance(error, kind)), "error"))
        status, own, body = problem(error)
        return status, [*own, (b"x-request-id", self._id.encode("latin-1")), *headers], body

    def abandoned(self) -> None:
        """Count a request whose client went away before its answer was there."""
        self._count("canceled")

    def _error(self, reply: Any) -> EdgefnError:
        match reply:
            case Refusal(error=error, detail=detail, field=field):
                return as_refusal(error, detail, field)
            case Unacceptable(detail=detail, available=available):
                return NotAcceptable(detail, available=available)
            case Crash(trace=trace):
                self._logs.write(self.name, trace.rstrip(), stream="error", pid=0, id=self._id)
        return HandlerError(self.name, self._id)

    def _count(self, outcome: str) -> None:
        self.pool.answered(outcome, time.monotonic() - self._began, self._cold)
