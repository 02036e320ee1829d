"""A request's way: one call to the function's pool, and its answer. Nothing else stands between.

Two ways lead through here. A request that is complete when its head has been read, as nearly all are, is called at once
and answered by a callback (`at_once`, used by `gateway.invoke.direct`): no task is made for it. Any other comes as raw
ASGI.
"""

from __future__ import annotations

import asyncio
import functools
import itertools
import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Protocol

from starlette.exceptions import HTTPException

from edgefn.errors import BodyTooLarge, EdgefnError, FunctionNotFound, Unavailable
from edgefn_runtime.access import caller
from edgefn_runtime.access.doors import Doors, gone
from edgefn_runtime.calls.call import Body, Call, Outcome
from edgefn_runtime.gateway.invoke.exchange import ErrorLog, Exchange, Headers, Reply
from edgefn_runtime.gateway.limits.bodies import Bodies, Held
from edgefn_runtime.gateway.limits.heads import Fields, joined
from edgefn_runtime.gateway.problems import ProblemResponse, problem
from edgefn_runtime.pool.pool import Pool

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

PREFIX = "/fn/"
METHODS = ("GET", "HEAD", "POST")

_UNKNOWN = "no function {!r} is on this box"


class Pools(Protocol):
    """The pools of functions: the supervisor."""

    def find(self, name: str) -> Pool | None: ...
    def failed(self, name: str) -> str:
        """Return why a function without a pool cannot be served; "" where there is no such function."""


class InvokedBox(Protocol):
    """The parts of the box that invocation needs."""

    @property
    def supervisor(self) -> Pools: ...
    @property
    def logs(self) -> ErrorLog: ...


class ClientGone(Exception):
    """The client closed its connection before its answer was there; nobody is left to answer."""


class Invocation:
    """The ASGI application of `/fn/{name}`, and the short way past ASGI."""

    def __init__(self, box: InvokedBox, bodies: Bodies | None = None, doors: Doors | None = None) -> None:
        """Set up the invocation of the functions of `box`.

        `doors` ask each caller for a token; without them functions are open.
        """
        self.bodies = bodies or Bodies()
        self.doors = doors
        self._pools = box.supervisor
        self._logs = box.logs
        box_run = secrets.token_hex(8)
        self._ids = (f"{box_run}-{number:x}" for number in itertools.count(1))

    # ── at once ──────────────────────────────────────────────────────────────────────────────────────────────

    def exchange(self, scope: Scope, fields: Fields) -> Exchange | None:
        """Return the exchange that a request's head begins; None where there is no such function or method."""
        name = scope["path"][len(PREFIX) :]
        pool = self._pools.find(name)
        if pool is None or scope["method"] not in METHODS:
            return None
        return Exchange(name, pool, self._logs, self._ids, fields)

    def at_once(self, exchange: Exchange, query: bytes, body: Body, respond: Callable[[Reply], None]) -> Call | None:
        """Submit the call; `respond` gets its answer. Returns None where the call was refused and answered."""
        try:
            call = self._submit(exchange, query, body)
        except EdgefnError as error:
            respond(exchange.refused(error))
            return None
        call.future.add_done_callback(functools.partial(_respond, exchange, call, respond))
        return call

    def _submit(self, exchange: Exchange, query: bytes, body: Body) -> Call:
        """Submit the call to the function's pool.

        That is another pool than at the head, if a revision has been switched since.
        """
        exchange.pool = self._pools.find(exchange.name) or exchange.pool
        return exchange.submit(query, body)

    # ── as ASGI ──────────────────────────────────────────────────────────────────────────────────────────────

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["path"][len(PREFIX) :]
        if self.doors is not None and (shut := await _shut(self.doors, scope, name)) is not None:
            await shut(scope, receive, send)
            return
        exchange = self.exchange(scope, joined(scope["headers"]))
        if exchange is not None:
            await self._invoke(exchange, scope, receive, send)
        elif self._pools.find(name) is None:
            reason = self._pools.failed(name)
            error = Unavailable(reason, retry_after_s=60) if reason else FunctionNotFound(_UNKNOWN.format(name))
            await ProblemResponse(error)(scope, receive, send)
        else:
            allowed = ", ".join(METHODS)
            refusal = HTTPException(405, f"{scope['path']} takes {allowed}, not {scope['method']}", {"Allow": allowed})
            await ProblemResponse(refusal)(scope, receive, send)

    async def _invoke(self, exchange: Exchange, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with self.bodies.holding() as held:
                body = await _read(receive, exchange, held)
                if caller.is_gone(scope):
                    raise gone()
                call = self._submit(exchange, scope["query_string"], body)
                status, headers, body = exchange.answered(call, await _outcome(exchange.pool, call, receive))
        except ClientGone:
            exchange.abandoned()
        except BodyTooLarge as error:  # its body is unread: the connection ends with the answer
            refusal = ProblemResponse(error)
            refusal.status_code, refusal.raw_headers, refusal.body = exchange.refused(error)
            await refusal(scope, receive, send)
        except EdgefnError as error:
            await _answer(send, *exchange.refused(error))
        else:
            await _answer(send, status, headers, b"" if scope["method"] == "HEAD" else body)


async def _shut(doors: Doors, scope: Scope, function: str) -> ProblemResponse | None:
    """Return the refusal of a caller that is not let in, else None."""
    try:
        await doors.admit_caller(scope, function)
    except EdgefnError as error:
        return ProblemResponse(error)
    return None


def _respond(exchange: Exchange, call: Call, respond: Callable[[Reply], None], future: asyncio.Future[Outcome]) -> None:
    if future.cancelled():
        exchange.abandoned()
        return
    try:
        reply = exchange.answered(call, future.result())
    except EdgefnError as error:
        reply = exchange.refused(error)
    except Exception as error:  # what nobody raised on purpose is logged, and told in brief
        reply = problem(error)
    respond(reply)


async def _outcome(pool: Pool, call: Call, receive: Receive) -> Outcome:
    """Return the call's outcome; a client that leaves meanwhile takes its call out of the queue."""
    call.on_late = functools.partial(_watch, pool, call, receive)
    try:
        return await call.future
    except asyncio.CancelledError:
        if call.future.cancelled():
            raise ClientGone from None
        pool.cancel(call)  # the server itself gives the request up
        raise
    finally:
        call.on_late = None  # it holds the call, which holds the answer


def _watch(pool: Pool, call: Call, receive: Receive) -> None:
    """Cancel the call when its client goes away. Only a call that takes a while pays for this."""

    async def until_gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        if not call.future.done():
            pool.cancel(call)

    task = asyncio.get_running_loop().create_task(until_gone())
    call.future.add_done_callback(lambda _: task.cancel())


async def _read(receive: Receive, exchange: Exchange, held: Held) -> bytes:
    """Read the request's body.

    Raises BodyTooLarge before a byte is read when its declared length is too large, and Unavailable when there is no
    room for the body.
    """
    most = exchange.pool.spec.max_body_bytes
    length = exchange.headers.get(b"content-length")
    if length is not None and length.isdigit() and int(length) > most:
        raise too_large(exchange)
    message = await receive()
    if message["type"] == "http.request" and not message.get("more_body", False):
        body: bytes = message.get("body", b"")
        held.take(len(body))
        if len(body) > most:
            raise too_large(exchange)
        return body
    pieces = bytearray()
    while message["type"] == "http.request":
        pieces += (piece := message.get("body", b""))
        held.take(len(piece))
        if len(pieces) > most:
            raise too_large(exchange)
        if not message.get("more_body", False):
            return bytes(pieces)
        message = await receive()
    raise ClientGone


def too_large(exchange: Exchange) -> BodyTooLarge:
    """Return the refusal of a body that is over the bound of its function."""
    return BodyTooLarge.over(exchange.name, exchange.pool.spec.max_body_bytes)


async def _answer(send: Send, status: int, headers: Headers, body: bytes) -> None:
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
