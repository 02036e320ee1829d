"""The part of the OpenAPI document that is the same on every box: problems, headers, health and figures.

A test holds it against the routes that there are. Data only.
"""

from __future__ import annotations

from typing import Any

from edgefn_runtime.gateway.invoke.timeout import NAME, PATTERN
from edgefn_runtime.gateway.problems import CONTENT_TYPE

TAGS = [
    {"name": "box", "description": "Health and figures. Reading them never starts a function."},
    {"name": "admin", "description": "Deploying and managing functions; needs a token of the box."},
]

SECURITY_SCHEMES = {
    "token": {"type": "http", "scheme": "bearer", "description": "A token of the box: `edgefn box token create`."}
}

HEADERS: dict[str, Any] = {
    "Server-Timing": {
        "description": "Milliseconds in queue, start (cold or warm), decode, run and encode.",
        "schema": {"type": "string"},
    },
    "X-Request-Id": {
        "description": "The request's id in the function's log: the caller's own, or one made here.",
        "schema": {"type": "string"},
    },
    "Allow": {"description": "The methods that the path takes.", "schema": {"type": "string"}},
    "Retry-After": {
        "description": "Seconds after which the same request may succeed.",
        "schema": {"type": "integer", "minimum": 1},
    },
}

PARAMETERS: dict[str, Any] = {
    NAME: {
        "name": NAME,
        "in": "header",
        "description": "Seconds that the caller waits, e.g. 0.25; the function's timeout applies if it is shorter.",
        "schema": {"type": "string", "pattern": PATTERN},
    }
}

_NAMES = {"type": "array", "items": {"type": "string"}}


def _reference(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


def _problem(description: str, *headers: str) -> dict[str, Any]:
    return {
        "description": description,
        "headers": {name: _reference("headers", name) for name in headers},
        "content": {CONTENT_TYPE: {"schema": _reference("schemas", "Problem")}},
    }


RESPONSES: dict[str, Any] = {
    "400": _problem("The request does not match the declared parameters; `field` names the place."),
    "401": _problem("The token is missing, or is not one of this box."),
    "403": _problem("The token lacks the scope, or a web page of another origin sent the request."),
    "404": _problem("No function of that name is deployed."),
    "405": _problem("The path does not allow the method.", "Allow"),
    "406": _problem("The result has no form that Accept allows."),
    "408": _problem("The request came too slowly."),
    "411": _problem("Content-Length is missing."),
    "413": _problem("The body is larger than allowed; it was not read."),
    "414": _problem("Path and query are longer than 16 KiB."),
    "415": _problem("The input cannot be read from this content type."),
    "421": _problem("The box does not accept the name in Host; `--allow-host` allows it."),
    "422": _problem("The box refuses the revision; the current one stays in service."),
    "429": _problem("The function's queue is full, or the token is used too often.", "Retry-After"),
    "431": _problem("The head is over 64 KiB or 100 fields."),
    "500": _problem("The function raised; its log has the trace under `id`."),
    "502": _problem("The instance ended during the request."),
    "503": _problem("The box cannot serve the request now, or not before its deadline.", "Retry-After"),
    "504": _problem("The function did not answer within its timeout, or within X-Request-Timeout."),
    "507": _problem("The disk has no space left; nothing was changed."),
}


AT_THE_DOOR = ("400", "403", "408", "414", "421", "431", "503")
"""What any request may be refused with by its head, before anything is looked up."""


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {"application/json": {"schema": schema}}}


def operation(
    id: str,
    summary: str,
    ok: dict[str, Any],
    *problems: str,
    status: str = "200",
    tag: str = "box",
    **more: Any,
) -> dict[str, Any]:
    """Return an operation that answers `status` with `ok`, or one of `problems`; `more` are further members."""
    answers = {status: {"description": summary} | ok}
    answers |= {problem: _reference("responses", problem) for problem in sorted({*problems, *AT_THE_DOOR})}
    return {"operationId": id, "tags": [tag], "summary": summary, "responses": answers} | more


def parameter(place: str, name: str, schema: dict[str, Any]) -> dict[str, Any]:
    """Return a parameter in the `place` path or query."""
    return {"name": name, "in": place, "required": place == "path", "schema": schema}


_REFUSED = ("401", "403", "429")
"""Where callers of functions are asked for a token."""

_OPEN: dict[str, Any] = {"security": []}
"""Never needs a token."""

PATHS: dict[str, Any] = {
    "/": {"get": operation("getRoot", "The name of the service and its links.", _json({"type": "object"}), **_OPEN)},
    "/fn": {
        "get": operation(
            "listNames",
            "The names of the deployed functions.",
            _json({"type": "object", "properties": {"functions": _NAMES}, "required": ["functions"]}),
            *_REFUSED,
        )
    },
    "/openapi.json": {"get": operation("getOpenApi", "This document.", _json({"type": "object"}), *_REFUSED)},
    "/healthz": {"get": operation("getLiveness", "The box's process is alive.", _json({"type": "object"}), **_OPEN)},
    "/readyz": {
        "get": operation("getReadiness", "The box accepts requests.", _json({"type": "object"}), "503", **_OPEN)
    },
    "/metrics": {
        "get": operation(
            "getMetrics",
            "The box's figures, for Prometheus.",
            {"content": {"text/plain": {}, "application/openmetrics-text": {}}},
            *_REFUSED,
        )
    },
}
