"""The box's one ASGI application: invocations on the short way, all else through Starlette.

An invocation passes one string comparison here and nothing more; the rest has routes, middleware and time.
The lifespan belongs to the server that runs this (server.py): here it is only acknowledged.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import Protocol

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from edgefn_runtime.gateway import problems
from edgefn_runtime.gateway.api import health, status
from edgefn_runtime.gateway.api.admin import admin
from edgefn_runtime.gateway.api.ports import AdminBox, SupervisorPort
from edgefn_runtime.gateway.invoke.forwarding import Forwarding, PrefixedLocations, base_url
from edgefn_runtime.gateway.invoke.invocation import PREFIX, Invocation, Pools
from edgefn_runtime.gateway.invoke.redirect import Redirect, clean, has_needless_escapes
from edgefn_runtime.gateway.openapi.kept import KeptDocument
from edgefn_runtime.gateway.openapi.operations import DocumentedFunction

_LINKS = {
    "functions": "/fn",
    "openapi": "/openapi.json",
    "health": "/healthz",
    "ready": "/readyz",
    "metrics": "/metrics",
}


_ESCAPED = "the path has unnecessary escapes: use the plain path"

_VARY = {"vary": "X-Forwarded-Prefix, X-Forwarded-Proto, X-Forwarded-Host, Host"}
"""A cache keeps an answer with links for each way to the box."""


class Processes(SupervisorPort, Pools, Protocol):
    """The supervisor, as the admin side and the callers' side see it."""


class GatewayBox(AdminBox, Protocol):
    """The parts of the box that the gateway needs."""

    @property
    def supervisor(self) -> Processes: ...


def application(box: GatewayBox, invocation: Invocation | None = None, forwarding: Forwarding | None = None) -> ASGIApp:
    """Return the box as one ASGI application.

    `invocation` is given where the server's connections call it directly as well.
    """
    forwarding = forwarding or Forwarding()
    invocation, pages = invocation or Invocation(box), site(box, forwarding)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path: str = scope["path"]
            called = path.startswith(PREFIX) and len(path) > len(PREFIX)
            is_odd = "//" in path or path[-1:] == "/" or b"%" in scope["raw_path"]
            if is_odd and (moved := clean(scope["raw_path"])) is not None:
                await PrefixedLocations(Redirect(moved), forwarding)(scope, receive, send)
            elif is_odd and has_needless_escapes(scope["raw_path"]):
                await problems.ProblemResponse(HTTPException(404, _ESCAPED))(scope, receive, send)
            else:
                await (invocation if called else pages)(scope, receive, send)
        elif scope["type"] == "websocket":
            await refuse_websocket(receive, send)
        else:
            await acknowledge_lifespan(receive, send)

    return app


def site(box: AdminBox, forwarding: Forwarding | None = None) -> ASGIApp:
    """Return the ASGI app for everything but invocations. `forwarding` knows the proxies before the box."""
    forwarding = forwarding or Forwarding()
    pages = _Pages(box, forwarding)
    return Starlette(
        routes=[
            Route("/", pages.root, methods=["GET"]),
            Route("/fn", pages.functions, methods=["GET"]),
            Route("/openapi.json", pages.openapi, methods=["GET"]),
            *health.routes(box),
            Mount("/admin", admin(box)),
        ],
        middleware=[Middleware(problems.Problems), Middleware(PrefixedLocations, forwarding)],
        exception_handlers={HTTPException: _http_error},
    )


class _Pages:
    def __init__(self, box: AdminBox, forwarding: Forwarding) -> None:
        self._box = box
        self._forwarding = forwarding
        self._version = version("edgefn")
        self._document = KeptDocument(self._version, asks_callers=box.doors.asks_callers)

    async def root(self, request: Request) -> Response:
        prefix = self._forwarding.prefix(request.headers, request.client.host if request.client else "")
        links = {name: prefix + path for name, path in _LINKS.items()}
        return JSONResponse({"name": "edgefn", "version": self._version, "links": links}, headers=_VARY)

    async def functions(self, request: Request) -> Response:
        await self._box.doors.admit_reader(request.scope, "the list of functions", bool)
        return JSONResponse({"functions": status.functions(self._box)})

    async def openapi(self, request: Request) -> Response:
        await self._box.doors.admit_reader(request.scope, "the description of the functions", bool)
        running = set(self._box.supervisor.names())
        deployed = [DocumentedFunction(*one) for one in self._box.deployments.specs() if one[0].name in running]
        url = base_url(self._forwarding, request.scope)
        return Response(await self._document.body(deployed, url), media_type="application/json", headers=_VARY)


async def _http_error(request: Request, error: Exception) -> Response:
    """Explain a 404 or 405 of the router: which path was asked for, and where to look."""
    assert isinstance(error, HTTPException)
    path = request.url.path[:200]
    if error.status_code == 404:
        error = HTTPException(404, f"there is no {path} on this box; GET / lists the paths")
    elif error.status_code == 405:
        allowed = (error.headers or {}).get("Allow", "")
        error = HTTPException(405, f"{path} takes {allowed}, not {request.method}", error.headers)
    return problems.ProblemResponse(error)


async def refuse_websocket(receive: Receive, send: Send) -> None:
    """Refuse a websocket's handshake with 403: there are no websockets here."""
    await receive()
    await send({"type": "websocket.close", "code": 1000, "reason": "this box speaks plain HTTP"})


async def acknowledge_lifespan(receive: Receive, send: Send) -> None:
    """Acknowledge each of the server's two lifespan messages with its completion."""
    while True:
        stage = (await receive())["type"]
        await send({"type": f"{stage}.complete"})
        if stage == "lifespan.shutdown":
            return
