"""A request's way: raw ASGI in, one call to the function's pool, raw ASGI out. Nothing else stands between."""

from __future__ import annotations

import asyncio
import functools
import itertools
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from edgefn import errors
from edgefn.errors import (
    BodyTooLarge,
    EdgefnError,
    FunctionNotFound,
    HandlerError,
    HandlerTimeout,
    InputError,
    InstanceLost,
    RetryLater,
)
from edgefn_runtime.gateway.problems import ProblemResponse
from edgefn_runtime.supervisor.call import Call, Outcome
from edgefn_runtime.supervisor.pool import Pool
from edgefn_runtime.wire.messages import Answer, Crash, Refusal

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]

PREFIX = "/fn/"
_METHODS = ("GET", "HEAD", "POST")
_MAX_REQUEST_ID = 128
_OUTCOMES: dict[type[EdgefnError], str] = {
    HandlerTimeout: "timeout",
    InstanceLost: "lost",
    RetryLater: "rejected",
    InputError: "client_error",
}


class Pools(Protocol):
    """Who knows the function's pool: the supervisor."""

    def find(self, name: str) -> Pool | None: ...


class FunctionLog(Protocol):
    def write(self, function: str, line: str, *, stream: str = ..., pid: int = ..., id: str = ...) -> None: ...


class InvokedBox(Protocol):
    """What invocation needs of the box."""

    @property
    def supervisor(self) -> Pools: ...
    @property
    def logs(self) -> FunctionLog: ...


class ClientGone(Exception):
    """The client closed its connection before its answer was there; nobody is left to answer."""


class Invocation:
    """The ASGI application of `/fn/{name}`."""

    def __init__(self, box: InvokedBox) -> None:
        self._pools = box.supervisor
        self._logs = box.logs
        self._loop = asyncio.get_running_loop()
        self._ids = (f"{secrets.token_hex(4)}-{number:x}" for number in itertools.count(1))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["path"][len(PREFIX) :]
        pool = self._pools.find(name)
        if pool is None:
            await ProblemResponse(FunctionNotFound(f"no function {name!r} is on this box"))(scope, receive, send)
            return
        if scope["method"] not in _METHODS:
            await _answer(send, 405, [(b"allow", b"GET, HEAD, POST"), (b"content-length", b"0")], b"")
            return
        await self._invoke(name, pool, scope, receive, send)

    async def _invoke(self, name: str, pool: Pool, scope: Scope, receive: Receive, send: Send) -> None:
        started = self._loop.time()
        headers = dict(scope["headers"])
        id = headers.get(b"x-request-id", b"")[:_MAX_REQUEST_ID].decode("latin-1") or next(self._ids)
        reply: Headers = [(b"x-request-id", id.encode("latin-1"))]
        cold = False
        try:
            body = await _read(receive, headers.get(b"content-length"), pool.spec.max_body_bytes, name)
            call = Call(
                headers.get(b"content-type", b"").decode("latin-1"),
                scope["query_string"].decode("latin-1"),
                headers.get(b"accept", b"").decode("latin-1"),
                body,
            )
            pool = self._pools.find(name) or pool  # another revision may serve since the body began to come
            pool.submit(call)
            cold = call.cold
            outcome = await self._outcome(pool, call, receive)
            reply.append((b"server-timing", call.server_timing(outcome).encode("ascii")))
            self._raise_for(name, id, outcome)
        except ClientGone:
            self._ended(pool, "canceled", started, cold)
        except EdgefnError as error:
            self._note(name, id, error)
            self._ended(pool, _outcome_of(error), started, cold)
            refusal = ProblemResponse(error)
            refusal.raw_headers += reply
            await refusal(scope, receive, send)
        else:
            self._ended(pool, "ok", started, cold)
            answer = outcome.reply
            assert isinstance(answer, Answer)
            reply.append((b"content-type", answer.content_type.encode("latin-1")))
            reply.append((b"content-length", b"%d" % len(outcome.body)))
            await _answer(send, 200, reply, b"" if scope["method"] == "HEAD" else outcome.body)

    async def _outcome(self, pool: Pool, call: Call, receive: Receive) -> Outcome:
        """The call's outcome; a client that leaves meanwhile takes its call out of the queue."""
        call.on_late = functools.partial(_watch, pool, call, receive)
        try:
            return await call.future
        except asyncio.CancelledError:
            if call.future.cancelled():
                raise ClientGone from None
            pool.cancel(call)  # the server itself gives the request up
            raise

    def _raise_for(self, name: str, id: str, outcome: Outcome) -> None:
        match outcome.reply:
            case Refusal(error=error, detail=detail, field=field):
                raise _refusal(error, detail, field)
            case Crash(trace=trace):
                self._logs.write(name, trace.rstrip(), stream="error", pid=0, id=id)
                raise HandlerError(name, id)

    def _note(self, name: str, id: str, error: EdgefnError) -> None:
        if isinstance(error, HandlerTimeout | InstanceLost):
            self._logs.write(name, str(error), stream="error", id=id)

    def _ended(self, pool: Pool, outcome: str, started: float, cold: bool) -> None:
        pool.answered(outcome, self._loop.time() - started, cold)


def _watch(pool: Pool, call: Call, receive: Receive) -> None:
    """Only a call that takes a while pays for watching its client."""

    async def until_gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        if not call.future.done():
            pool.cancel(call)

    task = asyncio.get_running_loop().create_task(until_gone())
    call.future.add_done_callback(lambda _: task.cancel())


async def _read(receive: Receive, length: bytes | None, most: int, name: str) -> bytes:
    """The request's body. Raises BodyTooLarge before a byte is read when its declared length says so."""
    if length is not None and length.isdigit() and int(length) > most:
        raise _too_large(name, most)
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        body: bytes = message.get("body", b"")
        if len(body) > most:
            raise _too_large(name, most)
        return body
    pieces = bytearray()
    while message["type"] == "http.request":
        pieces += message.get("body", b"")
        if len(pieces) > most:
            raise _too_large(name, most)
        if not message.get("more_body", False):
            return bytes(pieces)
        message = await receive()
    raise ClientGone


def _too_large(name: str, most: int) -> BodyTooLarge:
    return BodyTooLarge(f"{name} takes bodies of at most {most} bytes; raise max_body in its @edge_function")


def _refusal(error: str, detail: str, field: str) -> InputError:
    """The instance's refusal as the very error it raised; its text holds the field already."""
    kind = getattr(errors, error, InputError)
    refusal = kind(detail) if isinstance(kind, type) and issubclass(kind, InputError) else InputError(detail)
    refusal.field = field
    return refusal


def _outcome_of(error: EdgefnError) -> str:
    return next((outcome for kind, outcome in _OUTCOMES.items() if isinstance(error, kind)), "error")


async def _answer(send: Send, status: int, headers: Headers, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
