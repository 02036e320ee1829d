"""Answers of the admin API: JSON, and lines of a log, either the last ones or a stream of new ones."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from typing import Annotated, Any, NamedTuple

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from edgefn.api.routes import JSON, AdminRoute
from edgefn_runtime.gateway.api.bodies import check
from edgefn_runtime.gateway.api.streaming import ChunkStream, close

MAX_LINES = 10_000
_Count = Annotated[int, msgspec.Meta(ge=0, le=MAX_LINES)]


class AskedLines(NamedTuple):
    """The request for log lines: how many of the last, and whether to follow new ones."""

    last: int
    follow: bool


def served(route: AdminRoute[Any], endpoint: Callable[[Request], Awaitable[Response]]) -> Route:
    """Return the route of the admin API, served by `endpoint`."""
    return Route(route.path, endpoint, methods=[route.method])


def as_json(value: msgspec.Struct, status_code: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with `value`."""
    return Response(msgspec.json.encode(value), status_code, headers, JSON)


def asked_lines(request: Request) -> AskedLines:
    """Parse the query `?lines=…&follow=…`. Raises InputError."""
    query = request.query_params
    last = check(query.get("lines", "100"), _Count, "lines")
    return AskedLines(last, check(query.get("follow", "false"), bool, "follow"))


def lines(
    asked: AskedLines,
    tail: Callable[[int], Iterable[str]],
    follow: Callable[[int], AsyncIterator[str]],
    media_type: str,
) -> Response:
    """Answer with the lines that `tail` or `follow` gives for their number."""
    if asked.follow:
        return ChunkStream(_encoded(follow(asked.last)), media_type, ends_with_token=True)
    return Response("".join(f"{line}\n" for line in tail(asked.last)), media_type=media_type)


async def _encoded(found: AsyncIterator[str]) -> AsyncIterator[bytes]:
    try:
        async for line in found:
            yield f"{line}\n".encode()
    finally:
        await close(found)
