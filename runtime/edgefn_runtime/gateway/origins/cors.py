"""Headers for browsers about pages that may call the box: CORS (Fetch, 3.2), preflights and answers. Pure."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable
from typing import Any

from edgefn_runtime.gateway.limits.heads import Fields

Header = tuple[bytes, bytes]

METHODS = b"GET, HEAD, POST, PUT, DELETE"
EXPOSED = b"X-Request-Id, Server-Timing, Retry-After, Location, Allow, WWW-Authenticate, Accept-Encoding"
MAX_AGE_S = b"600"

_NAMES = re.compile(rb"[A-Za-z0-9!#$%&'*+.^_`|~, \t-]{1,4096}")


def headers(origin: bytes) -> list[Header]:
    """Return the headers of each answer to a page of `origin`."""
    return [
        (b"access-control-allow-origin", origin),
        (b"access-control-expose-headers", EXPOSED),
        (b"timing-allow-origin", origin),
    ]


def is_preflight(fields: Fields, method: str) -> bool:
    """Tell whether a request is a browser's preflight."""
    return method == "OPTIONS" and b"origin" in fields and b"access-control-request-method" in fields


def preflight(fields: Fields) -> Callable[[Any, Any, Any], Awaitable[None]]:
    """Return the ASGI application that answers the preflight of a page that may call the box."""
    wanted = fields.get(b"access-control-request-headers", b"")
    told = [
        (b"access-control-allow-methods", METHODS),
        (b"access-control-max-age", MAX_AGE_S),
        (b"vary", b"Access-Control-Request-Method, Access-Control-Request-Headers"),
    ]
    if _NAMES.fullmatch(wanted):
        told.append((b"access-control-allow-headers", wanted))
    if fields.get(b"access-control-request-private-network") == b"true":
        told.append((b"access-control-allow-private-network", b"true"))

    async def answer(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 204, "headers": told})
        await send({"type": "http.response.body", "body": b""})

    return answer
