"""The admin API in the OpenAPI document: its routes and structs, as `edgefn.api` has them. Pure."""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple

from edgefn.api import routes
from edgefn.api.problems import Problem
from edgefn.api.routes import AdminRoute
from edgefn.api.scalars import DIGEST
from edgefn.spec import NAME_PATTERN
from edgefn_runtime.gateway.openapi import structs
from edgefn_runtime.gateway.openapi.dialect import Schema
from edgefn_runtime.gateway.openapi.reference import operation, parameter
from edgefn_runtime.gateway.openapi.request_content import BINARY

_NAMES: dict[str, Schema] = {
    "/functions/{name}": {"type": "string", "pattern": NAME_PATTERN},
    "/tokens/{token}": {"type": "string"},
    "/secrets/{name}": {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,62}$"},
    "/blobs/{digest}": {"type": "string"} | DIGEST,
}
"""What stands in a path, by its begin."""

_LOG = [
    parameter("query", "lines", {"type": "integer", "minimum": 0, "default": 100}),
    parameter("query", "follow", {"type": "boolean", "default": False}),
]


class AdminDescription(NamedTuple):
    """The paths of the admin API, and the schemas of the structs that it takes and answers."""

    paths: dict[str, Any]
    schemas: dict[str, Schema]


@cache
def described() -> AdminDescription:
    """Describe the admin API. The first call takes some 10 ms, which a starting box need not spend."""
    answering = [route for route in routes.ROUTES if route.answer is not None]
    taking = [route for route in routes.ROUTES if route.takes not in (None, bytes)]
    answers, answered = structs.of_answers([*(route.answer for route in answering), Problem])
    bodies, taken = structs.of_requests([route.takes for route in taking])
    answer_of = {route.id: schema for route, schema in zip(answering, answers, strict=False)}
    body_of = {route.id: schema for route, schema in zip(taking, bodies, strict=True)}
    paths: dict[str, Any] = {}
    for route in routes.ROUTES:
        item = paths.setdefault(f"/admin{route.path}", _named(route.path))
        item[route.method.lower()] = _operation(route, answer_of.get(route.id), body_of.get(route.id), taken)
    return AdminDescription(paths, answered | taken)


def _named(path: str) -> dict[str, Any]:
    """Return the parameters of the path, as the item of the document begins."""
    for begin, schema in _NAMES.items():
        if path.startswith(begin):
            return {"parameters": [parameter("path", begin.partition("{")[2].rstrip("}"), schema)]}
    return {}


def _operation(
    route: AdminRoute[Any], answer: Schema | None, body: Schema | None, taken: dict[str, Schema]
) -> dict[str, Any]:
    more: dict[str, Any] = {"parameters": _LOG} if route.log else {}
    if route.takes is not None:
        needed = body is None or bool(taken[route.takes.__name__].get("required"))
        content = {routes.OCTETS: {"schema": BINARY}} if body is None else {routes.JSON: {"schema": body}}
        more["requestBody"] = {"required": needed, "content": content}
    return operation(
        route.id,
        route.summary,
        {} if answer is None else {"content": {route.media: {"schema": answer}}},
        *(*route.problems, "401", "403", "429"),
        status=str(route.status),
        tag="admin",
        security=[{"token": []}],
        **more,
    )
