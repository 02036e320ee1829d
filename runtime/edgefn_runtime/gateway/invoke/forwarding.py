"""The box's address as clients see it: scheme, host and path prefix, behind a proxy too. For links, never for routing.

A proxy that gives the box a path prefix strips it from the path, and sends it in X-Forwarded-Prefix, or the box is
started with --root-path. X-Forwarded-Prefix, -Proto and -Host count where the connection comes from a trusted address.
Their values are checked: they end up in links.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgefn_runtime.gateway.limits.places import counted_as

Headers = Mapping[str, str]

_PREFIX = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*")
_HOST = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?")
_SCHEMES = ("http", "https")
_MAX_FORWARDED = 1024
_MAX_ADDRESS = 64


class Forwarding:
    """The proxies before the box, and the address that they give it."""

    def __init__(self, root_path: str = "", trusted: Iterable[str] = ()) -> None:
        self._root_path = root_path
        self._trusted = tuple(ipaddress.ip_network(one) for one in trusted)

    def prefix(self, headers: Headers, peer: str) -> str:
        """Return the path before the box's own, e.g. "/edge", or ""; `peer` is the connection's other end."""
        told = self._told(headers, peer, "x-forwarded-prefix").rstrip("/")
        return told if told and _PREFIX.fullmatch(told) and "/.." not in told else self._root_path

    def url(self, headers: Headers, peer: str, host: str, scheme: str = "http") -> str:
        """Return the box's address as clients see it, with no slash at its end.

        `host` and `scheme` are those of the connection, for requests without such headers.
        """
        told_scheme = self._told(headers, peer, "x-forwarded-proto").lower()
        told = self._told(headers, peer, "x-forwarded-host") or headers.get("host", "")
        authority = told if _HOST.fullmatch(told) else host
        return f"{told_scheme if told_scheme in _SCHEMES else scheme}://{authority}{self.prefix(headers, peer)}"

    def _told(self, headers: Headers, peer: str, name: str) -> str:
        """Return the header's value from the nearest proxy: the last of the list.

        Each proxy before it is earlier in the list. Returns "" where the proxy is not trusted.
        """
        if name not in headers or not self.trusts(peer):
            return ""
        return headers[name].rpartition(",")[2].strip()

    def host(self, fields: Mapping[bytes, bytes], peer: str) -> str:
        """Return the host that the client asked a trusted proxy for, or ""."""
        told = fields.get(b"x-forwarded-host", b"")
        return told.rpartition(b",")[2].strip().decode("latin-1") if told and self.trusts(peer) else ""

    def client(self, forwarded_for: str, peer: str) -> str:
        """Return the address that the proxies name as the client's, "" where none is to be believed.

        Each proxy puts the address that it sees behind the ones before; the last one that is no proxy's is the client.
        """
        if not self.trusts(peer):
            return ""
        for entry in reversed(forwarded_for[-_MAX_FORWARDED:].split(",")):
            address = _address(entry.strip())
            if not self.trusts(address):
                return address if _is_address(address) else ""
        return ""

    def trusts(self, peer: str) -> bool:
        """Tell whether `peer` is the address of a trusted proxy."""
        try:
            address = ipaddress.ip_address(peer.partition("%")[0])
        except ValueError:
            return False
        plain = getattr(address, "ipv4_mapped", None) or address
        return any(plain in network for network in self._trusted)


class PrefixedLocations:
    """ASGI middleware: rewrite `Location` headers that lead to the box, so that they lead through the proxy.

    They become paths, which hold for whatever scheme and host the client has (RFC 9110 10.2.2).
    """

    def __init__(self, app: ASGIApp, forwarding: Forwarding) -> None:
        self._app = app
        self._forwarding = forwarding

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def through(message: Message) -> None:
            if message["type"] == "http.response.start" and 300 <= message["status"] < 400:
                message = {**message, "headers": [self._through(scope, *one) for one in message["headers"]]}
            await send(message)

        await self._app(scope, receive, through)

    def _through(self, scope: Scope, name: bytes, value: bytes) -> tuple[bytes, bytes]:
        if name.lower() != b"location":
            return name, value
        path = re.sub(r"^[a-z]+://[^/]*", "", value.decode("latin-1"))
        client = scope.get("client")
        prefix = self._forwarding.prefix(_headers(scope), client[0] if client else "")
        return name, f"{prefix}{path}".encode("latin-1")


def _address(entry: str) -> str:
    """Return an entry of X-Forwarded-For without its port and brackets."""
    if entry.startswith("["):
        return entry[1:].partition("]")[0]
    return entry.partition(":")[0] if entry.count(":") == 1 else entry


def _is_address(entry: str) -> bool:
    """Tell whether `entry` is an address: it is written to the audit log as a request's origin."""
    return len(entry) <= _MAX_ADDRESS and entry.isascii() and entry.isprintable() and bool(counted_as(entry))


def base_url(forwarding: Forwarding, scope: Mapping[str, Any]) -> str:
    """Return the box's address as the client of an ASGI request sees it."""
    host, port = scope.get("server") or ("localhost", None)
    client = scope.get("client")
    authority = f"[{host}]" if ":" in host else host
    here = f"{authority}:{port}" if port else authority
    return forwarding.url(_headers(scope), client[0] if client else "", here, scope.get("scheme", "http"))


def _headers(scope: Mapping[str, Any]) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
