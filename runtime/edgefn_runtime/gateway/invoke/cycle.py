"""One request on a connection: uvicorn's state of it, and the scope that its head makes."""

from __future__ import annotations

from typing import Any
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from edgefn.errors import InputError
from edgefn_runtime.gateway.limits.heads import Fields

_CLOSE = (b"connection", b"close")
_NO_PATH = "the request's target is no path, e.g. /fn/name"


class Cycle(RequestResponseCycle):
    """uvicorn's cycle, which knows the request's fields by name and how long its body is said to be."""

    fields: Fields
    length: int
    keep_alive_field: tuple[bytes, bytes]

    async def send(self, message: Any) -> None:
        """Send a part of the answer; its head says how long the connection stays, where it does."""
        if message["type"] == "http.response.start" and self.keep_alive and _CLOSE not in message["headers"]:
            message = {**message, "headers": [*message["headers"], self.keep_alive_field]}
        await super().send(message)


def split(target: bytes) -> tuple[bytes, str, bytes, bytes]:
    """Return raw path, path, query and authority of a request's target; the last is there in absolute-form only.

    Raises InputError (RFC 9112, 3.2).
    """
    authority = b""
    if target[:1] == b"/" and b"#" not in target:
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
    if not url.path or url.userinfo:
        raise InputError(_NO_PATH)
    host: bytes = url.host or b""
    host = b"[" + host + b"]" if b":" in host else host
    return url.path, url.query or b"", host + (b":%d" % url.port if url.port else b"")
