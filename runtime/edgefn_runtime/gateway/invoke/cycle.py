"""One request on a connection: uvicorn's state of it, and the scope that its head makes."""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from edgefn.errors import InputError
from edgefn_runtime.gateway.limits.heads import Fields

_CLOSE = (b"connection", b"close")
_SCHEMES = (b"http", b"https")
_NO_PATH = "the request's target is not a path such as /fn/name"


class Cycle(RequestResponseCycle):
    """uvicorn's cycle, made at less cost: most requests go past ASGI and need only a part of it.

    It knows the request's fields by name, and the declared length of its body. It writes to its connection and not to
    the transport, so that the connection can end gently.
    """

    access_log = False
    disconnected = False
    more_body = True
    response_started = False
    response_complete = False
    chunked_encoding: bool | None = None
    expected_content_length = 0
    body = b""  # type: ignore[assignment]  # the connection makes it a bytearray with the first piece
    _event: asyncio.Event | None = None

    def __init__(self, connection: Any, scope: Any, fields: Fields, length: int, *, keep_alive: bool) -> None:
        """Begin the request of `scope` on `connection`, a `gateway.invoke.connection.Connection`."""
        self.transport = connection
        self.scope = scope
        self.fields = fields
        self.length = length
        self.keep_alive = keep_alive
        self.default_headers = connection.server_state.default_headers
        self.on_response = connection.on_response_complete
        self.waiting_for_100_continue = connection.expect_100_continue

    @property
    def flow(self) -> Any:  # type: ignore[override]
        return self.transport.flow  # type: ignore[attr-defined]

    @property
    def logger(self) -> Any:  # type: ignore[override]
        return self.transport.logger  # type: ignore[attr-defined]

    @property
    def message_event(self) -> asyncio.Event:  # type: ignore[override]
        if self._event is None:
            self._event = asyncio.Event()
        return self._event

    @property
    def keep_alive_field(self) -> tuple[bytes, bytes]:
        """Return the header that gives a client the time that it may be idle."""
        field: tuple[bytes, bytes] = self.transport.keep_alive_field  # type: ignore[attr-defined]
        return field

    async def send(self, message: Any) -> None:
        """Send a part of the answer. The head of a connection that stays open gives its idle time."""
        if message["type"] == "http.response.start" and self.keep_alive and _CLOSE not in message["headers"]:
            message = {**message, "headers": [*message["headers"], self.keep_alive_field]}
        await super().send(message)


def split(target: bytes) -> tuple[bytes, str, bytes, bytes]:
    """Return raw path, path, query and authority of a request's target.

    Only an absolute-form target has an authority. Raises InputError (RFC 9112, 3.2).
    """
    authority = b""
    if b"#" in target:
        raise InputError(
            "the request's target has a fragment, which only the client uses: leave out # and what follows"
        )
    if target[:1] == b"/":
        raw_path, _, query = target.partition(b"?")
    else:
        raw_path, query, authority = _parsed(target)
    try:
        path = raw_path.decode("ascii")
    except UnicodeDecodeError:
        raise InputError(_NO_PATH) from None
    return raw_path, unquote(path) if "%" in path else path, query, authority


def _parsed(target: bytes) -> tuple[bytes, bytes, bytes]:
    try:
        url: Any = httptools.parse_url(target)
    except (httptools.HttpParserError, ValueError):
        raise InputError(_NO_PATH) from None
    if not url.path or url.userinfo or not (target == b"*" or (url.schema or b"").lower() in _SCHEMES):
        raise InputError(_NO_PATH)
    host: bytes = url.host or b""
    host = b"[" + host + b"]" if b":" in host else host
    return url.path, url.query or b"", host + (b":%d" % url.port if url.port else b"")
