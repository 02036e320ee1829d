"""A request's caller, as far as the box knows it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from edgefn_runtime.access.scopes import ADMIN

ClientOf = Callable[[str, str], str]
"""From X-Forwarded-For and the connection's other end: the client that a trusted proxy names, else ""."""

_MEMBER = "edgefn.caller"
_GONE = "edgefn.gone"
SOCKET = "socket"
"""The address of who comes by the owner's socket."""


class Caller(msgspec.Struct, frozen=True):
    """The caller of a request: the token's name, its scopes, and the address that the request comes from."""

    name: str
    scopes: tuple[str, ...]
    address: str


OWNER = Caller("owner", (ADMIN,), SOCKET)
"""Who may open the socket in the home is the user of the box, or root."""


def by_socket(scope: Mapping[str, Any]) -> bool:
    """Tell whether an ASGI request came by the owner's socket: such a server is a path without a port."""
    return is_socket(scope.get("server"))


def is_socket(server: tuple[str, int | None] | None) -> bool:
    """Tell whether `server`, the address that a connection came to, is a socket file's."""
    return server is not None and server[1] is None and server[0].startswith("/")


def address(scope: Mapping[str, Any], client_of: ClientOf) -> str:
    """Return where an ASGI request comes from; `client_of` tells it where a proxy that is trusted does."""
    if by_socket(scope):
        return SOCKET
    peer = scope["client"][0] if scope.get("client") else ""
    told = b",".join(value for name, value in scope["headers"] if name == b"x-forwarded-for").decode("latin-1")
    return (client_of(told, peer) if told else "") or peer or "unknown"


def remember(scope: Any, caller: Caller, gone: asyncio.Event | None = None) -> None:
    """Keep `caller` with its request; `gone` is set when its token opens nothing any more."""
    scope[_MEMBER], scope[_GONE] = caller, gone


def is_gone(scope: Mapping[str, Any]) -> bool:
    """Tell whether the token that let an ASGI request in has been revoked or rotated since."""
    gone: asyncio.Event | None = scope.get(_GONE)
    return gone is not None and gone.is_set()


async def until_gone(scope: Mapping[str, Any]) -> None:
    """Wait until the token that let an ASGI request in is revoked or rotated.

    Waits without end where there was no token.
    """
    gone: asyncio.Event | None = scope.get(_GONE)
    await (gone or asyncio.Event()).wait()


def of(scope: Mapping[str, Any]) -> Caller:
    """Return the caller of an ASGI request that was let in by a token, or by the owner's socket."""
    found: Caller = scope[_MEMBER]
    return found
