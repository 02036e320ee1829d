"""A client's connection: whether there is a place for it, and whether a request is let in by its head.

A request that is refused here never reaches a function, nor the admin API: heads that are too large or ambiguous, names
that are not the box's, web pages that may not call it, one client too many.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any, ClassVar, TypeVar, cast

from starlette.exceptions import HTTPException
from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from edgefn.errors import Unavailable
from edgefn_runtime.access import socket
from edgefn_runtime.access.caller import is_socket
from edgefn_runtime.gateway.invoke import upgrade
from edgefn_runtime.gateway.invoke.cycle import Cycle, split
from edgefn_runtime.gateway.invoke.forwarding import Forwarding
from edgefn_runtime.gateway.invoke.incoming import Incoming
from edgefn_runtime.gateway.limits import heads, places, process
from edgefn_runtime.gateway.limits.backlog import SHARE, Backlog
from edgefn_runtime.gateway.limits.bodies import Bodies
from edgefn_runtime.gateway.limits.discards import Discards
from edgefn_runtime.gateway.limits.heads import MAX_FIELDS, MAX_HEAD_BYTES, MAX_TARGET_BYTES, Fields
from edgefn_runtime.gateway.limits.places import Places
from edgefn_runtime.gateway.origins import cors
from edgefn_runtime.gateway.origins.hosts import ANY, Hosts
from edgefn_runtime.gateway.origins.origins import Origins
from edgefn_runtime.gateway.problems import ProblemResponse

IDLE_LONG_S = 1.0
"""A connection that was idle for so long may be closed for a new one when all places are taken."""

_LOOKED_AT = frozenset(
    {
        b"transfer-encoding",
        b"upgrade",
        b"sec-websocket-key",
        b"origin",
        b"sec-fetch-site",
        b"x-forwarded-for",
    }
)
"""Fields that most requests do not have, and that decide whether one is served."""


_ASGI = {"version": "3.0", "spec_version": "2.3"}


class Connection(Incoming):
    """A connection that has a place, and whose heads are checked."""

    is_owners = False
    """Whether it came by the owner's socket, which takes no place of the network's."""

    places: ClassVar[Places]
    kept: ClassVar[dict[Connection, None]]
    """The connections without a place of their own, the oldest first."""
    bodies: ClassVar[Bodies]
    hosts: ClassVar[Hosts]
    origins: ClassVar[Origins]
    forwarding: ClassVar[Forwarding]
    keep_alive_field: tuple[bytes, bytes]
    """The field with the time that a client may be idle."""
    scanned: ClassVar[float] = 0.0
    """When an idle connection was last looked for, and none was there."""

    _address = ""
    """What the connection is counted under: a client's address, "" for a proxy's."""
    _no_place = ""
    """Why the connection has no place of its own."""
    _served: RequestResponseCycle | None = None
    """The request that an application serves, or has served last; others may wait behind it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.keep_alive_field = (b"keep-alive", b"timeout=%d" % self.timeout_keep_alive)

    # ── how many ─────────────────────────────────────────────────────────────────────────────────────────────

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.is_owners = is_socket(self.server)
        if self.is_owners:
            self._await_request() if socket.is_owner(transport) else transport.abort()
            return
        peer = self.client[0] if self.client else ""
        self._address = "" if self.forwarding.trusts(peer) else places.counted_as(peer)
        if self.places.taken >= self.places.most:
            self._end_an_idle_one()
        self._no_place = self.places.take(self._address)
        if self._no_place and not self._keep():
            self.refuse(Unavailable(self._no_place))
            self.transport.close()
        else:
            self._await_request()

    def _end_an_idle_one(self) -> None:
        now = self.loop.time()
        if now - type(self).scanned < IDLE_LONG_S / 4:
            return
        for one in self.connections:
            if isinstance(one, Connection) and one.may_go(now):
                one.give_up_place()
                one.end()
                return
        type(self).scanned = now

    def may_go(self, now: float) -> bool:
        """Tell whether the connection has been idle for a while."""
        return (
            self._idle_since is not None
            and now - self._idle_since > IDLE_LONG_S
            and not self._no_place
            and not self.is_owners
        )

    def give_up_place(self) -> None:
        """Leave the place to another connection."""
        self.places.give_back(self._address)
        self._no_place = "the connection was idle"

    def _keep(self) -> bool:
        """Put the connection among those without a place, instead of one that has asked for nothing."""
        if len(self.kept) >= self.places.kept:
            silent = next((one for one in self.kept if one.cycle is None), None)
            if silent is None:
                return False
            self.kept.pop(silent)
            silent.refuse(Unavailable(silent._no_place))
            silent.transport.close()
        self.kept[self] = None
        return True

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._no_place and not self.is_owners:
            self.give_up_place()
        self.kept.pop(self, None)
        self._count_for_nobody()
        if self._served is not None and not self._served.response_complete:
            self._served.disconnected = True
            self._served.message_event.set()
        super().connection_lost(exc)
        self.cycle = self._served = None  # type: ignore[assignment]  # a cycle holds its connection

    # ── who is let in ────────────────────────────────────────────────────────────────────────────────────────

    def on_headers_complete(self) -> None:
        parser, headers, target = self.parser, self.headers, self.url
        if parser.should_upgrade():
            self._upgrade_offered = True  # the head comes once more
            return
        if len(headers) > MAX_FIELDS or self._unended > MAX_HEAD_BYTES or len(target) > MAX_TARGET_BYTES:
            heads.check_size(target, headers)
        version = parser.get_http_version()
        fields = dict(headers)
        if len(fields) < len(headers):
            fields = heads.joined(headers)
        raw_path, path, query, authority = split(target)
        scope: Any = {
            "type": "http",
            "asgi": _ASGI,
            "http_version": version,
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "method": parser.get_method().decode("ascii"),
            "root_path": "",
            "path": path,
            "raw_path": raw_path,
            "query_string": query,
            "headers": headers,
            "state": {},
        }
        self.scope = scope
        length = heads.content_length(fields[b"content-length"]) if b"content-length" in fields else 0
        cycle = Cycle(self, scope, fields, length, keep_alive=version == "1.1" and parser.should_keep_alive())
        app, host = None, fields.get(b"host")
        if host not in self.hosts.known or authority or version != "1.1":
            heads.check_version(version)
            heads.check_host(host, version)
            cycle.waiting_for_100_continue = cycle.waiting_for_100_continue and version == "1.1"  # RFC 9110, 10.1.1
            app = self._host_refusal(authority or host)
        if self._websocket or not fields.keys().isdisjoint(_LOOKED_AT):
            heads.check_coding(fields, version)
            app = app or self._looked_at(cycle, authority or host or b"")
        if self._no_place:
            app = self._without_place(cycle) or app
        if self._ended:
            return  # nothing is served behind the last word
        self._unended = 0
        self._left = length
        self.headers = []  # a trailer's fields are no headers (RFC 9110, 6.5.1)
        before, self.cycle = self.cycle, cycle
        if before is None or before.response_complete:
            self._start_asgi_task(cycle, app or self.app)
        else:
            self.flow.pause_reading()
            self.pipeline.appendleft((cycle, app or self.app))

    def _host_refusal(self, host: bytes | None) -> Any:
        """Return the answer to a request for another host, None where the host is one of the box's."""
        if host is None:  # HTTP/1.0
            return None
        try:
            heads.check_host(host, "1.1")
            self.hosts.check(host)
        except HTTPException as error:
            return ProblemResponse(error)
        return None

    def _looked_at(self, cycle: Cycle, host: bytes) -> Any:
        """Return the answer to a request refused for a field of `_LOOKED_AT`; None where it is served."""
        fields, scope = cycle.fields, cycle.scope
        if self._websocket or b"sec-websocket-key" in fields or upgrade.asks_websocket(fields.items()):
            self._websocket = False
            return upgrade.refuse
        peer = self.client[0] if self.client else ""
        if b"x-forwarded-for" in fields and (why := self._count_for(fields, peer)):
            return ProblemResponse(Unavailable(why))
        try:
            own = (host.decode("latin-1"), self.forwarding.host(fields, peer))
            self.origins.check(fields, scope["method"], scope["path"], own)
        except HTTPException as error:
            return ProblemResponse(error)
        return self._cross_origin(cycle)

    def _cross_origin(self, cycle: Cycle) -> Any:
        """Add the CORS headers for a page of `--allow-origin`; return the answer to its preflight."""
        origin = cycle.fields.get(b"origin")
        if origin is None or not self.origins.allows(origin):
            return None
        cycle.default_headers = [*cycle.default_headers, *cors.headers(origin)]
        return cors.preflight(cycle.fields) if cors.is_preflight(cycle.fields, cycle.scope["method"]) else None

    def _count_for(self, fields: Fields, peer: str) -> str:
        """Count the connection as one of the client that a proxy names; return why not where it has too many."""
        client = self.forwarding.client(fields[b"x-forwarded-for"].decode("latin-1"), peer)
        address = places.counted_as(client)
        if address == self._client:
            return ""
        self._count_for_nobody()
        why = self.places.take_for(address)
        if not why:
            self._client = address
        return why

    def _count_for_nobody(self) -> None:
        self.places.give_back_for(self._client)
        self._client = ""

    def _without_place(self, cycle: Cycle) -> Any:
        """Return the answer to a request without a place; None where it is served all the same."""
        why = self.places.take(self._address)
        if not why:
            self._no_place = ""
            self.kept.pop(self, None)
            return None
        cycle.keep_alive = False
        return None if places.may_ask_without(cycle.scope["path"]) else ProblemResponse(Unavailable(why))

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._served = cycle
        super()._start_asgi_task(cycle, _closing(cycle, app) if cycle.waiting_for_100_continue else app)


def _closing(cycle: RequestResponseCycle, app: Any) -> Any:
    """Return `app`, whose connection closes after an answer to a request whose body is held back.

    The client holds the body back until the box asks for it (100-continue). After an early answer some clients send
    that body and others do not: the next bytes could be either.
    """

    async def closing(scope: Any, receive: Any, send: Any) -> None:
        async def sending(message: Any) -> None:
            if message["type"] == "http.response.start" and cycle.waiting_for_100_continue:
                message = {**message, "headers": [*message["headers"], (b"connection", b"close")]}
            await send(message)

        await app(scope, receive, sending)

    return closing


C = TypeVar("C", bound=Connection)


def bounded(
    kind: type[C], patience_s: float, most_unread_bytes: int = 0, bodies: Bodies | None = None, **more: object
) -> type[C]:
    """Return the class `kind` for a server whose clients have `patience_s`, with the members `more`.

    Answers that the clients do not read take at most `most_unread_bytes` together (0: an eighth of the machine's
    memory).
    """
    bodies = bodies or Bodies()
    members: dict[str, object] = {
        "patience_s": patience_s,
        "most_unread_bytes": most_unread_bytes or os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 8,
        "waiting": {},
        "discards": Discards(),
        "kept": {},
        "places": Places(process.connections()),
        "bodies": bodies,
        "backlog": Backlog(bodies.most // SHARE),
        "hosts": Hosts([ANY]),
        "origins": Origins(),
        "forwarding": Forwarding(),
    }
    return cast("type[C]", type(f"Bounded{kind.__name__}", (kind,), members | more))
