"""The admin API below /admin, for `edgefn deploy`, `status`, `logs`, `stop`, `remove` and `rollback`.

Every route wants a token of the box, unknown ones too, or a request by the owner's socket. That also keeps web
pages out of a box that listens on the loopback: neither a cross-site request nor a rebound DNS name can make a browser
send an Authorization header that its page does not know.

It validates and translates; decisions are in deployment/ and pool/.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from functools import partial
from typing import Annotated, Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgefn.errors import FunctionNotFound
from edgefn_runtime.access import caller
from edgefn_runtime.access.doors import Opens, gone
from edgefn_runtime.access.scopes import ADMIN, STATUS, opens_admin, opens_status
from edgefn_runtime.access.tokens import Token
from edgefn_runtime.gateway.api import operator, status
from edgefn_runtime.gateway.api.answers import as_json, asked_lines, lines
from edgefn_runtime.gateway.api.bodies import Digest, Name, check, chunks, content_length, read_json
from edgefn_runtime.gateway.api.ports import AdminBox
from edgefn_runtime.gateway.api.streaming import ChunkStream, close, with_heartbeats
from edgefn_runtime.gateway.problems import as_event
from edgefn_runtime.telemetry.audit import ACTOR, Actor

ALIVE_S = 3.0
"""How long a deployment may say nothing before the stream says `alive`. Finishing a model takes longer."""


class _Missing(msgspec.Struct, forbid_unknown_fields=True):
    digests: list[Digest]


class _Deploy(msgspec.Struct, forbid_unknown_fields=True):
    manifest: Digest


class _Rollback(msgspec.Struct, forbid_unknown_fields=True):
    number: Annotated[int, msgspec.Meta(ge=1)] | None = None


class _NewToken(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    scopes: list[str]
    rate: float | None = None


_LOOKED_AT = re.compile(r"/(?:box|functions|functions/[^/]+(?:/explain)?)")
"""What is open to a token of the scope `status`, by GET: logs are not, for functions print what they like."""


class TokenGuard:
    """ASGI middleware: nothing inside is reached without a token that opens it; all but a few routes want `admin`.

    A token that is revoked before all of its request has come opens nothing, however slowly the request comes.
    """

    def __init__(self, app: ASGIApp, box: AdminBox) -> None:
        self._app = app
        self._box = box

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        opens: Opens
        looks = scope["method"] in ("GET", "HEAD")
        if looks and path == "/token":
            opens, needs = bool, STATUS
        elif looks and _LOOKED_AT.fullmatch(path):
            opens, needs = opens_status, STATUS
        else:
            opens, needs = opens_admin, ADMIN
        who = await self._box.doors.admit(scope, opens, "the admin API", needs)
        actor = ACTOR.set(Actor(who.name, who.address))

        async def receiving() -> Message:
            message = await receive()
            if message["type"] == "http.request" and caller.is_gone(scope):
                raise gone()
            return message

        try:
            await self._app(scope, receiving, send)
        finally:
            ACTOR.reset(actor)


def admin(box: AdminBox) -> ASGIApp:
    """Return the app below /admin."""
    api = _Admin(box)
    function = "/functions/{name}"
    routes = [
        Route("/box", api.box, methods=["GET"]),
        Route("/functions", api.functions, methods=["GET"]),
        Route(function, api.status, methods=["GET"]),
        Route(function, api.remove, methods=["DELETE"]),
        Route(f"{function}/deploy", api.deploy, methods=["POST"]),
        Route(f"{function}/stop", api.stop, methods=["POST"]),
        Route(f"{function}/rollback", api.rollback, methods=["POST"]),
        Route(f"{function}/explain", api.explain, methods=["GET"]),
        Route(f"{function}/logs", api.logs, methods=["GET"]),
        Route("/token", api.caller, methods=["GET"]),
        Route("/tokens", api.tokens, methods=["GET"]),
        Route("/tokens", api.create_token, methods=["POST"]),
        Route("/tokens/{token}", api.revoke_token, methods=["DELETE"]),
        Route("/tokens/{token}/rotate", api.rotate_token, methods=["POST"]),
        *operator.routes(box),
        Route("/blobs/missing", api.missing, methods=["POST"]),
        Route("/blobs/{digest}", api.ingest, methods=["PUT"]),
    ]
    return TokenGuard(Router(routes), box)


class _Admin:
    """The endpoints. Each reads its request, calls the box, and answers."""

    def __init__(self, box: AdminBox) -> None:
        self._box = box

    async def box(self, request: Request) -> Response:
        return as_json(self._box.info())

    async def functions(self, request: Request) -> Response:
        names = status.functions(self._box)
        return as_json({"functions": [await status.function_status(self._box, name) for name in names]})

    async def status(self, request: Request) -> Response:
        return as_json(await status.function_status(self._box, _name(request)))

    async def explain(self, request: Request) -> Response:
        name = _name(request)
        status.current(self._box, name)
        cores = (self._box.supervisor.status(name).get("cores") or {}).get("available", 1.0)
        return as_json(self._box.deployments.chains.explain(name, cores))

    async def stop(self, request: Request) -> Response:
        name = _name(request)
        status.current(self._box, name)
        await self._box.supervisor.stop_function(name)
        return as_json(await status.function_status(self._box, name))

    async def remove(self, request: Request) -> Response:
        name = _name(request)
        status.current(self._box, name)
        await self._box.deployments.remove(name)
        self._box.metrics.remove(name)
        self._box.logs.remove(name)
        return Response(status_code=204)

    async def rollback(self, request: Request) -> Response:
        name = _name(request)
        wanted = await read_json(request, _Rollback)
        status.current(self._box, name)
        revision = await self._box.deployments.rollback(name, wanted.number)
        return as_json({"function": name, "revision": revision.digest, "number": revision.number})

    async def caller(self, request: Request) -> Response:
        known = caller.of(request.scope)
        return as_json({"name": known.name, "scopes": known.scopes})

    async def tokens(self, request: Request) -> Response:
        return as_json({"tokens": [token.as_json() for token in self._box.doors.tokens.all()]})

    async def create_token(self, request: Request) -> Response:
        wanted = await read_json(request, _NewToken)
        token, value = await self._box.doors.tokens.create(wanted.name, wanted.scopes, wanted.rate)
        self._box.audit.change("create token", detail=f"{wanted.name}: {', '.join(token.row.scopes)}")
        return _secret(token, value, 201)

    async def rotate_token(self, request: Request) -> Response:
        name = request.path_params["token"]
        token, value = await self._box.doors.tokens.rotate(name)
        self._box.audit.change("rotate token", detail=name)
        return _secret(token, value)

    async def revoke_token(self, request: Request) -> Response:
        name = request.path_params["token"]
        await self._box.doors.tokens.revoke(name)
        self._box.audit.change("revoke token", detail=name)
        return Response(status_code=204)

    async def missing(self, request: Request) -> Response:
        wanted = await read_json(request, _Missing)
        return as_json({"missing": list(self._box.deployments.missing(wanted.digests))})

    async def ingest(self, request: Request) -> Response:
        digest = check(request.path_params["digest"], Digest, "digest")
        await self._box.deployments.ingest(digest, content_length(request), chunks(request))
        return Response(status_code=201)

    async def deploy(self, request: Request) -> Response:
        name = check(request.path_params["name"], Name, "name")
        wanted = await read_json(request, _Deploy)
        events = with_heartbeats(self._box.deployments.deploy(name, wanted.manifest), ALIVE_S)
        # What fails before there is anything to tell is an answer with its own status. After ALIVE_S the answer
        # begins all the same, so that nobody gives up on it, and an error is its last line.
        first = await anext(events)
        return ChunkStream(_lines(first, events), "application/x-ndjson")

    async def logs(self, request: Request) -> Response:
        name, asked, logs = _name(request), asked_lines(request), self._box.logs
        if not logs.known(name):
            status.current(self._box, name)
        return lines(asked, partial(logs.tail, name), partial(logs.follow, name), "text/plain")


def _name(request: Request) -> str:
    name: str = request.path_params["name"]
    try:
        return msgspec.convert(name, Name)
    except msgspec.ValidationError:
        raise FunctionNotFound(f"{name[:80]!r} is not the name of a function") from None


def _secret(token: Token, value: str, status_code: int = 200) -> Response:
    """Answer with a token's value: no cache on the way may keep it."""
    body = msgspec.json.encode({**token.as_json(), "token": value})
    return Response(body, status_code, {"cache-control": "no-store"}, "application/json")


async def _lines(first: dict[str, Any] | None, events: AsyncIterator[dict[str, Any] | None]) -> AsyncIterator[bytes]:
    try:
        yield _line(first)
        async for event in events:
            yield _line(event)
    except Exception as error:
        yield _line(as_event(error))
    finally:
        await close(events)


def _line(event: dict[str, Any] | None) -> bytes:
    return msgspec.json.encode(event or {"event": "alive"}) + b"\n"
