"""Errors as answers: application/problem+json (RFC 9457) with the headers that belong to them.

A caller's mistake is explained to the caller. An unexpected error is logged in full under an id, and
the caller gets the id: no trace and no path of the box leaves it.
"""

from __future__ import annotations

import errno
import logging
import secrets
from http import HTTPStatus

import msgspec
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgefn.api.deployments import ErrorEvent
from edgefn.api.problems import Problem
from edgefn.errors import EdgefnError, RateExceeded, RetryLater, Unauthorized, Unavailable, UnsupportedEncoding

CONTENT_TYPE = "application/problem+json"

_BODY_UNREAD = frozenset({401, 403, 408, 411, 413, 507})
"""Answered before the body was read; the connection throws the rest away (`gateway.invoke.outgoing`)."""

_NO_ROOM = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOBUFS})

Headers = list[tuple[bytes, bytes]]

_log = logging.getLogger("edgefn.gateway")


def problem(error: Exception) -> tuple[int, Headers, bytes]:
    """Return (status, headers, body) of the answer to a request that `error` ended."""
    error = _known(error)
    told = as_problem(error)
    body = msgspec.json.encode(told)
    headers = [(b"content-type", CONTENT_TYPE.encode()), (b"content-length", b"%d" % len(body))]
    return told.status, headers + _headers_of(error), body


class ProblemResponse(Response):
    """`problem(error)` as Starlette's answer. Where the body was not read, the connection ends with it."""

    def __init__(self, error: Exception) -> None:
        self.status_code, self.raw_headers, self.body = problem(error)
        self.background = None
        self.unread = self.status_code in _BODY_UNREAD or isinstance(error, RateExceeded)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        unread = self.unread
        headers = [*self.raw_headers, (b"connection", b"close")] if unread else self.raw_headers
        await send({"type": "http.response.start", "status": self.status_code, "headers": headers})
        await send({"type": "http.response.body", "body": self.body})


def _known(error: Exception) -> Exception:
    """Translate a lack of descriptors or memory into Unavailable; return any other error unchanged."""
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        _log.error("the box is out of file descriptors or memory: %s", error)
        return Unavailable(f"the box has no resources left for this request ({error.strerror}): try again later")
    return error


def as_problem(error: Exception) -> Problem:
    """Return the problem. An unexpected error is logged."""
    if isinstance(error, EdgefnError):
        return Problem(**error.as_problem())
    if isinstance(error, HTTPException):
        return _http_problem(error)
    return _internal(error)


def as_event(error: Exception) -> ErrorEvent:
    """Return the last line of a stream that `error` ended: the problem's members and the CLI's exit code."""
    error = _known(error)
    code = error.exit_code if isinstance(error, EdgefnError) else EdgefnError.exit_code
    return ErrorEvent(**msgspec.structs.asdict(as_problem(error)), exit_code=code)


def _http_problem(error: HTTPException) -> Problem:
    title = HTTPStatus(error.status_code).phrase
    return Problem(title=title, status=error.status_code, detail=error.detail, error=title.replace(" ", ""))


def _internal(error: Exception) -> Problem:
    id = secrets.token_hex(8)
    _log.error("internal error %s", id, exc_info=error)
    return Problem(
        title=HTTPStatus.INTERNAL_SERVER_ERROR.phrase,
        status=500,
        detail=f"the box failed on this request; see the reason in its log under the id {id}",
        error="InternalError",
        id=id,
    )


def _headers_of(error: Exception) -> Headers:
    if isinstance(error, RetryLater):
        return [(b"retry-after", b"%d" % max(1, error.retry_after_s))]
    if isinstance(error, UnsupportedEncoding):
        return [(b"accept-encoding", b"gzip, deflate")]
    if isinstance(error, Unauthorized):
        return [(b"www-authenticate", b'Bearer realm="edgefn"')]
    if isinstance(error, HTTPException) and error.headers:
        return [(k.lower().encode("latin-1"), v.encode("latin-1")) for k, v in error.headers.items()]
    return []


class Problems:
    """ASGI middleware: an exception of the app inside becomes a problem, unless the answer has begun."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watch(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watch)
        except ClientDisconnect:
            return  # nobody is there to be told
        except Exception as error:
            if begun:
                raise  # the server cuts the connection, which is all that can still be said
            await ProblemResponse(error)(scope, receive, send)
