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

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from edgefn.api import routes
from edgefn.api.deployments import (
    AliveEvent,
    BlobDigest,
    BlobRequest,
    DeploymentEvent,
    DeployRequest,
    MissingBlobs,
    RevisionInfo,
    RollbackRequest,
)
from edgefn.api.functions import FunctionList
from edgefn.api.tokens import CallerInfo, NewToken, TokenList, TokenRequest
from edgefn.errors import FunctionNotFound
from edgefn_runtime.access import caller
from edgefn_runtime.access.doors import Opens, gone
from edgefn_runtime.access.scopes import ADMIN, STATUS, opens_admin, opens_status
from edgefn_runtime.access.tokens import Token
from edgefn_runtime.gateway.api import operator, status
from edgefn_runtime.gateway.api.answers import as_json, asked_lines, lines, served
from edgefn_runtime.gateway.api.bodies import Name, check, chunks, content_length, read_json
from edgefn_runtime.gateway.api.ports import AdminBox
from edgefn_runtime.gateway.api.streaming import ChunkStream, close, with_heartbeats
from edgefn_runtime.gateway.problems import as_event
from edgefn_runtime.telemetry.audit import ACTOR, Actor

ALIVE_S = 3.0
"""Seconds without a step before the stream sends `alive`. Finishing a model takes longer."""


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
    pages = [
        served(routes.BOX, api.box),
        served(routes.FUNCTIONS, api.functions),
        served(routes.FUNCTION, api.status),
        served(routes.REMOVE, api.remove),
        served(routes.DEPLOY, api.deploy),
        served(routes.STOP, api.stop),
        served(routes.ROLLBACK, api.rollback),
        served(routes.EXPLAIN, api.explain),
        served(routes.LOGS, api.logs),
        served(routes.CALLER, api.caller),
        served(routes.TOKENS, api.tokens),
        served(routes.CREATE_TOKEN, api.create_token),
        served(routes.REVOKE_TOKEN, api.revoke_token),
        served(routes.ROTATE_TOKEN, api.rotate_token),
        *operator.routes(box),
        served(routes.MISSING, api.missing),
        served(routes.UPLOAD, api.ingest),
    ]
    return TokenGuard(Router(pages), box)


class _Admin:
    """The endpoints. Each reads its request, calls the box, and answers."""

    def __init__(self, box: AdminBox) -> None:
        self._box = box

    async def box(self, request: Request) -> Response:
        return as_json(self._box.info())

    async def functions(self, request: Request) -> Response:
        names = status.functions(self._box)
        return as_json(FunctionList([await status.function_status(self._box, name) for name in names]))

    async def status(self, request: Request) -> Response:
        return as_json(await status.function_status(self._box, _name(request)))

    async def explain(self, request: Request) -> Response:
        name = _name(request)
        status.current(self._box, name)
        cores = self._box.supervisor.status(name).cores
        told = self._box.deployments.chains.explain(name, cores.available if cores else 1.0)
        if told is None:
            raise status.not_found(name)
        return as_json(told)

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
        wanted = await read_json(request, RollbackRequest)
        status.current(self._box, name)
        revision = await self._box.deployments.rollback(name, wanted.number)
        return as_json(RevisionInfo(name, revision.digest, revision.number))

    async def caller(self, request: Request) -> Response:
        known = caller.of(request.scope)
        return as_json(CallerInfo(known.name, list(known.scopes)))

    async def tokens(self, request: Request) -> Response:
        return as_json(TokenList([token.info for token in self._box.doors.tokens.all()]))

    async def create_token(self, request: Request) -> Response:
        wanted = await read_json(request, TokenRequest)
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
        wanted = await read_json(request, BlobRequest)
        return as_json(MissingBlobs(list(self._box.deployments.missing(wanted.digests))))

    async def ingest(self, request: Request) -> Response:
        digest = check(request.path_params["digest"], BlobDigest, "digest")
        await self._box.deployments.ingest(digest, content_length(request), chunks(request))
        return Response(status_code=201)

    async def deploy(self, request: Request) -> Response:
        name = check(request.path_params["name"], Name, "name")
        wanted = await read_json(request, DeployRequest)
        events = with_heartbeats(self._box.deployments.deploy(name, wanted.manifest), ALIVE_S)
        # What fails before there is anything to tell is an answer with its own status. After ALIVE_S the answer
        # begins all the same, so that nobody gives up on it, and an error is its last line.
        first = await anext(events)
        return ChunkStream(_lines(first, events), routes.LINES)

    async def logs(self, request: Request) -> Response:
        name, asked, logs = _name(request), asked_lines(request), self._box.logs
        if not logs.known(name):
            status.current(self._box, name)
        return lines(asked, partial(logs.tail, name), partial(logs.follow, name), routes.TEXT)


def _name(request: Request) -> str:
    name: str = request.path_params["name"]
    try:
        return msgspec.convert(name, Name)
    except msgspec.ValidationError:
        raise FunctionNotFound(f"{name[:80]!r} is not a function name") from None


def _secret(token: Token, value: str, status_code: int = 200) -> Response:
    """Answer with a token's value: no cache on the way may keep it."""
    made = NewToken(**msgspec.structs.asdict(token.info), token=value)
    return as_json(made, status_code, {"cache-control": "no-store"})


async def _lines(first: DeploymentEvent | None, events: AsyncIterator[DeploymentEvent | None]) -> AsyncIterator[bytes]:
    try:
        yield _line(first)
        async for event in events:
            yield _line(event)
    except Exception as error:
        yield _line(as_event(error))
    finally:
        await close(events)


def _line(event: DeploymentEvent | None) -> bytes:
    return msgspec.json.encode(event or AliveEvent()) + b"\n"
