"""Offers of another protocol in a request's head (RFC 9110, 7.8): taken out, and a websocket refused.

`Connection: Upgrade` with `Upgrade: h2c` comes with every request of some clients (JDK's HttpClient, `curl --http2`),
bodies too. A server may ignore it, and the request is then an ordinary one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.exceptions import HTTPException

from edgefn_runtime.gateway.problems import ProblemResponse

Headers = Iterable[tuple[bytes, bytes]]

_WEBSOCKET = "this box does not support websockets: send a plain HTTP/1.1 request, e.g. a POST"


def without(parser: Any, url: bytes, headers: Headers) -> bytes:
    """Return the head that `parser` has parsed, without its offer of another protocol."""
    lines = [b"%b %b HTTP/%b" % (parser.get_method(), url, parser.get_http_version().encode("ascii"))]
    for name, value in headers:
        if name == b"connection":
            value = b", ".join(option for option in _listed(value) if option.lower() != b"upgrade")
        if name != b"upgrade" and (value or name != b"connection"):
            lines.append(name + b": " + value)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def asks_websocket(headers: Headers) -> bool:
    """Tell whether one of the protocols that are offered is a websocket."""
    return any(b"websocket" in [one.lower() for one in _listed(value)] for name, value in headers if name == b"upgrade")


async def refuse(scope: Any, receive: Any, send: Any) -> None:
    """Answer 426, an ASGI application for a request that only a websocket would serve."""
    error = HTTPException(426, _WEBSOCKET, {"upgrade": "HTTP/1.1", "connection": "upgrade"})
    await ProblemResponse(error)(scope, receive, send)


def _listed(value: bytes) -> list[bytes]:
    return [option for one in value.split(b",") if (option := one.strip())]
