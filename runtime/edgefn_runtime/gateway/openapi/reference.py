"""The part of the OpenAPI document that is the same on every box: problems, health, the admin API.

A test holds it against the routes that there are. Data only.
"""

from __future__ import annotations

from typing import Any

from edgefn.spec import NAME_PATTERN
from edgefn_runtime.gateway.invoke.timeout import NAME, PATTERN
from edgefn_runtime.gateway.openapi.request_content import BINARY
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

_DIGEST = {"type": "string", "pattern": "^sha256:[0-9a-f]{64}$"}
_NUMBER = {"type": "integer", "minimum": 1}
_TEXT = {"type": "string"}
_TEXTS = {"type": "array", "items": _TEXT}
_CALLERS = {"enum": ["token", "open", "loopback"]}
_TOKEN: dict[str, Any] = {
    "name": _TEXT,
    "scopes": _TEXTS,
    "rate": {"type": ["number", "null"]},
    "created_at": _TEXT,
    "uses": {"type": "integer"},
}
_GRANTS = {"type": "array", "items": {"$ref": "#/components/schemas/Grant"}}
_REFUSALS = {"type": "array", "items": {"$ref": "#/components/schemas/Refusal"}}


def _object(required: dict[str, Any], optional: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"type": "object", "properties": required | (optional or {}), "required": list(required)}


def _reference(kind: str, name: str) -> dict[str, str]:
    return {"$ref": f"#/components/{kind}/{name}"}


SCHEMAS: dict[str, Any] = {
    "Problem": _object(
        {"type": _TEXT, "title": _TEXT, "status": {"type": "integer"}, "detail": _TEXT, "error": _TEXT},
        {"field": _TEXT, "id": _TEXT, "trace": _TEXT},
    ),
    "Refusal": _object({"artifact": _TEXT, "needs": _TEXT, "has": _TEXT, "fix": _TEXT}, {"function": _TEXT}),
    "Box": _object(
        {
            "name": _TEXT,
            "version": _TEXT,
            "pid": {"type": "integer"},
            "url": _TEXT,
            "home": _TEXT,
            "python": _TEXT,
            "memory": {"type": "object", "additionalProperties": {"type": "integer"}},
            "isolation": {"type": "object"},
            "tls": {"type": ["object", "null"]},
            "callers": _CALLERS,
            "development": {"type": "boolean"},
            "missing_isolation": {"type": "object", "additionalProperties": _TEXT},
            "functions": {"type": "integer"},
            "fingerprint": _TEXT,
            "cpu": _object({"arch": _TEXT, "name": _TEXT, "features": _TEXTS}),
            "engines": {"type": "object", "additionalProperties": _TEXT},
            "devices": _TEXTS,
            "targets": _object({"satisfied": _TEXTS, "refused": _REFUSALS}),
            "refused": _REFUSALS,
            "cores": {"type": ["integer", "null"]},
            "uptime_s": {"type": "number"},
        }
    ),
    "Caller": _object({"name": _TEXT, "scopes": _TEXTS}),
    "Token": _object(_TOKEN),
    "NewToken": _object(_TOKEN | {"token": _TEXT}),
    "Grant": _object({"function": _TEXT, "kind": _TEXT, "value": _TEXT, "granted_at": _TEXT, "granted_by": _TEXT}),
    "FunctionGrants": _object({"function": _TEXT, "asked": _TEXTS, "grants": _GRANTS}),
    "Secret": _object({"name": _TEXT, "sealed_by": _TEXT, "set_at": _TEXT}),
    "Revision": _object({"function": _TEXT, "revision": _DIGEST, "number": _NUMBER}),
    "FunctionStatus": _object(
        {
            "name": _TEXT,
            "revision": _DIGEST,
            "number": _NUMBER,
            "state": _TEXT,
            "reason": _TEXT,
            "retry_after_s": {"type": ["integer", "null"], "minimum": 1},
            "instances": {"type": "array", "items": {"type": "object"}},
            "template": {"type": ["object", "null"]},
            "queued": {"type": "integer"},
            "requests": {"type": "integer"},
            "errors": {"type": "integer"},
            "cold_starts": {"type": "integer"},
            "phases": {"type": "object", "additionalProperties": {"type": "number"}},
            "ledger": _object(
                {
                    "template_bytes": {"type": "integer"},
                    "instance_bytes": {"type": "integer"},
                    "measured": {"type": "boolean"},
                    "held_bytes": {"type": "integer"},
                }
            ),
            "output": _object({"dropped_lines": {"type": "integer"}, "dropped_bytes": {"type": "integer"}}),
            "cores": {"type": ["object", "null"]},
            "batching": {"type": "array", "items": {"type": "object"}},
            "spec": {"type": "object"},
            "missing_isolation": {"type": "object", "additionalProperties": _TEXT},
            "artifacts": {"type": "array", "items": {"type": "object"}},
            "deployed_at": {"type": "string", "format": "date-time"},
            "finishing": {"anyOf": [_reference("schemas", "Finishing"), {"type": "null"}]},
            "broken": {"type": "array", "items": _object({"artifact": _TEXT, "reason": _TEXT})},
            "out_of_bound": {"type": "array", "items": _object({"artifact": _TEXT, "reason": _TEXT})},
            "changed": _TEXT,
            "callers": _CALLERS,
            "asked": _TEXTS,
            "grants": _GRANTS,
            "history": {"type": "array", "items": {"type": "object"}},
        }
    ),
    "Finishing": _object(
        {"done": {"type": "integer"}, "total": {"type": "integer"}, "artifact": _TEXT, "since": _TEXT}
    ),
    "Explanation": _object(
        {
            "function": _TEXT,
            "revision": _DIGEST,
            "number": _NUMBER,
            "artifacts": {"type": "array", "items": _reference("schemas", "Artifact")},
            "refusals": {
                "type": "array",
                "items": _object({"artifact": _TEXT, "needs": _TEXT, "has": _TEXT, "fix": _TEXT}),
            },
            "finishing": {"anyOf": [_reference("schemas", "Finishing"), {"type": "null"}]},
            "changed": _TEXT,
            "advice": {"type": "array", "items": _object({"rule": _TEXT, "text": _TEXT})},
        }
    ),
    "Artifact": _object(
        {
            "model": _TEXT,
            "target": _TEXT,
            "backend": _TEXT,
            "state": {"enum": ["serving", "ready", "finishing", "unfinished", "broken", "refused", "out of bound"]},
            "rank": {"type": ["integer", "null"], "minimum": 1},
            "reason": _TEXT,
            "answers": _TEXT,
            **{
                figure: {"type": ["number", "null"]}
                for figure in (
                    *("latency_s", "ratio", "error", "error_limit", "max_error", "max_error_bound"),
                    *("top1", "top1_bound", "finish_s", "load_s", "size_bytes"),
                )
            },
        }
    ),
}


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


def _content(media: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"content": {media: {"schema": schema}}}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return _content("application/json", schema)


def _operation(
    id: str,
    summary: str,
    ok: dict[str, Any],
    *problems: str,
    status: str = "200",
    tag: str = "box",
    **more: Any,
) -> dict[str, Any]:
    answers = {status: {"description": summary} | ok}
    answers |= {problem: _reference("responses", problem) for problem in sorted({*problems, *AT_THE_DOOR})}
    return {"operationId": id, "tags": [tag], "summary": summary, "responses": answers} | more


def _admin(id: str, summary: str, ok: dict[str, Any], *problems: str, **more: Any) -> dict[str, Any]:
    return _operation(id, summary, ok, *problems, "401", "403", "429", tag="admin", security=[{"token": []}], **more)


def _parameter(place: str, name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {"name": name, "in": place, "required": place == "path", "schema": schema}


def _takes(schema: dict[str, Any], *, required: bool = True) -> dict[str, Any]:
    return {"required": required} | _json(schema)


_NAME = [_parameter("path", "name", {"type": "string", "pattern": NAME_PATTERN})]
_STATUS = _json(_reference("schemas", "FunctionStatus"))
_FUNCTION = "/admin/functions/{name}"
_FUNCTION_GRANTS = _json(_reference("schemas", "FunctionGrants"))

_REFUSED = ("401", "403", "429")
"""Where callers of functions are asked for a token."""

_OPEN: dict[str, Any] = {"security": []}
"""Never needs a token."""

PATHS: dict[str, Any] = {
    "/": {"get": _operation("getRoot", "The name of the service and its links.", _json({"type": "object"}), **_OPEN)},
    "/fn": {
        "get": _operation(
            "listNames",
            "The names of the deployed functions.",
            _json(_object({"functions": {"type": "array", "items": _TEXT}})),
            *_REFUSED,
        )
    },
    "/openapi.json": {"get": _operation("getOpenApi", "This document.", _json({"type": "object"}), *_REFUSED)},
    "/healthz": {"get": _operation("getLiveness", "The box's process is alive.", _json({"type": "object"}), **_OPEN)},
    "/readyz": {
        "get": _operation("getReadiness", "The box accepts requests.", _json({"type": "object"}), "503", **_OPEN)
    },
    "/metrics": {
        "get": _operation(
            "getMetrics",
            "The box's figures, for Prometheus.",
            {"content": {"text/plain": {}, "application/openmetrics-text": {}}},
            *_REFUSED,
        )
    },
    "/admin/box": {
        "get": _admin(
            "getBox", "Facts about this box, and the targets that it satisfies.", _json(_reference("schemas", "Box"))
        )
    },
    "/admin/functions": {
        "get": _admin(
            "listFunctions",
            "The status of every function.",
            _json(_object({"functions": {"type": "array", "items": _reference("schemas", "FunctionStatus")}})),
        )
    },
    _FUNCTION: {
        "parameters": _NAME,
        "get": _admin("getFunction", "The function's status.", _STATUS, "404"),
        "delete": _admin("removeFunction", "The function is no longer deployed.", {}, "404", status="204"),
    },
    f"{_FUNCTION}/deploy": {
        "parameters": _NAME,
        "post": _admin(
            "deployFunction",
            "One JSON object a line: step and alive events, then one event deployed or error.",
            _content("application/x-ndjson", {"type": "object"}),
            *("400", "422", "503", "507"),
            requestBody=_takes(_object({"manifest": _DIGEST})),
        ),
    },
    f"{_FUNCTION}/stop": {
        "parameters": _NAME,
        "post": _admin(
            "stopFunction", "The function has no process left; the next request starts one.", _STATUS, "404"
        ),
    },
    f"{_FUNCTION}/rollback": {
        "parameters": _NAME,
        "post": _admin(
            "rollbackFunction",
            "The revision of that number is live, or the previous one.",
            _json(_reference("schemas", "Revision")),
            *("400", "404", "422"),
            requestBody=_takes(_object({}, {"number": _NUMBER}), required=False),
        ),
    },
    f"{_FUNCTION}/explain": {
        "parameters": _NAME,
        "get": _admin(
            "explainFunction",
            "Which artifacts serve the function and why, and what would make it faster.",
            _json(_reference("schemas", "Explanation")),
            "404",
        ),
    },
    f"{_FUNCTION}/logs": {
        "parameters": _NAME,
        "get": _admin(
            "getLogs",
            "The last lines of the function's log; with follow, then each new line.",
            _content("text/plain", _TEXT),
            *("400", "404"),
            parameters=[
                _parameter("query", "lines", {"type": "integer", "minimum": 0, "default": 100}),
                _parameter("query", "follow", {"type": "boolean", "default": False}),
            ],
        ),
    },
    "/admin/token": {
        "get": _admin("getCaller", "The token's name and scopes.", _json(_reference("schemas", "Caller")))
    },
    "/admin/tokens": {
        "get": _admin(
            "listTokens",
            "The box's tokens, without their values.",
            _json(_object({"tokens": {"type": "array", "items": _reference("schemas", "Token")}})),
        ),
        "post": _admin(
            "createToken",
            "A new token; only this answer holds its value.",
            _json(_reference("schemas", "NewToken")),
            *("400", "413"),
            status="201",
            requestBody=_takes(_object({"name": _TEXT, "scopes": _TEXTS}, {"rate": {"type": ["number", "null"]}})),
        ),
    },
    "/admin/tokens/{token}": {
        "parameters": [_parameter("path", "token", _TEXT)],
        "delete": _admin("revokeToken", "The token is revoked.", {}, "400", "404", status="204"),
    },
    "/admin/tokens/{token}/rotate": {
        "parameters": [_parameter("path", "token", _TEXT)],
        "post": _admin(
            "rotateToken",
            "The token's new value; the old one is invalid.",
            _json(_reference("schemas", "NewToken")),
            "404",
        ),
    },
    f"{_FUNCTION}/grants": {
        "parameters": _NAME,
        "get": _admin(
            "getGrants", "The permissions that the function asks for, and those that it has.", _FUNCTION_GRANTS, "400"
        ),
        "post": _admin(
            "allow",
            "The permission is granted; a function that only lacked this one is served.",
            _FUNCTION_GRANTS,
            "400",
            requestBody=_takes(_object({"kind": _TEXT}, {"value": _TEXT})),
        ),
    },
    f"{_FUNCTION}/grants/revoke": {
        "parameters": _NAME,
        "post": _admin(
            "revoke",
            "The permission is revoked; a function that asks for it is no longer served.",
            _FUNCTION_GRANTS,
            "400",
            requestBody=_takes(_object({"kind": _TEXT}, {"value": _TEXT})),
        ),
    },
    "/admin/grants": {
        "get": _admin("listGrants", "The permissions granted to all functions.", _json(_object({"grants": _GRANTS})))
    },
    "/admin/secrets": {
        "get": _admin(
            "listSecrets",
            "The names of the box's secrets, and how they are sealed.",
            _json(_object({"secrets": {"type": "array", "items": _reference("schemas", "Secret")}})),
        )
    },
    "/admin/secrets/{name}": {
        "parameters": [_parameter("path", "name", {"type": "string", "pattern": "^[a-z][a-z0-9_-]{0,62}$"})],
        "put": _admin(
            "setSecret",
            "The box stores the body as a secret of that name.",
            _json(_reference("schemas", "Secret")),
            *("400", "413", "507"),
            requestBody={"required": True, "content": {"application/octet-stream": {"schema": BINARY}}},
        ),
        "delete": _admin("removeSecret", "The box has no secret of that name.", {}, "400", status="204"),
    },
    "/admin/audit": {
        "get": _admin(
            "getAudit",
            "The last records of the audit log, one JSON object a line; with follow, then each new record.",
            _content("application/x-ndjson", {"type": "object"}),
            "400",
            parameters=[
                _parameter("query", "lines", {"type": "integer", "minimum": 0, "default": 100}),
                _parameter("query", "follow", {"type": "boolean", "default": False}),
            ],
        )
    },
    "/admin/blobs/missing": {
        "post": _admin(
            "listMissingBlobs",
            "The digests that the box lacks.",
            _json(_object({"missing": {"type": "array", "items": _DIGEST}})),
            *("400", "413"),
            requestBody=_takes(_object({"digests": {"type": "array", "items": _DIGEST}})),
        )
    },
    "/admin/blobs/{digest}": {
        "parameters": [_parameter("path", "digest", _DIGEST)],
        "put": _admin(
            "putBlob",
            "The box has stored the blob and checked its digest.",
            {},
            *("400", "411", "507"),
            status="201",
            requestBody={"required": True, "content": {"application/octet-stream": {"schema": BINARY}}},
        ),
    },
}
