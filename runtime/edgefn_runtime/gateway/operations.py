"""One function as OpenAPI operations: what `edgefn.codec` reads and writes, as a document.

Pure: a FunctionSpec in, a path item out, its schemas hoisted into the document's components.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from edgefn.codec.media_types import FORM, JSON, MSGPACK, MULTIPART, NPY, OCTETS, TEXT
from edgefn.spec import FunctionSpec, ParameterSpec, ResultSpec
from edgefn_runtime.gateway.components import Components, Schema
from edgefn_runtime.gateway.timeout import NAME as TIMEOUT

_ANY: Schema = {}
"""OpenAPI 3.1: a body that is no JSON has an empty schema; its media type says what it is."""

_RAW = {
    "image": ("image/*", OCTETS),
    "tensor": (NPY, OCTETS),
    "bytes": (OCTETS, "*/*"),
    "text": (TEXT,),
    "value": (),
}
_FILE = {"image": "image/*", "tensor": NPY, "bytes": OCTETS}
_ANSWERS = {
    "value": (JSON, MSGPACK),
    "none": (JSON, MSGPACK),
    "text": (JSON, TEXT, MSGPACK),
    "tensor": (JSON, MSGPACK, NPY, OCTETS),
    "bytes": (OCTETS, JSON, MSGPACK),
    "image": ("image/png", "image/jpeg", "image/webp", JSON, MSGPACK),
}
_SCALARS = frozenset({"integer", "number", "boolean", "string", "null"})
_PROBLEMS = ("400", "404", "413", "415", "429", "500", "502", "503", "504")


def path_item(spec: FunctionSpec, components: Components) -> dict[str, Any]:
    """POST, and GET where a query string can carry all that the function takes."""
    parameters = [_Parameter(p, components.hoist(p.schema, spec.name)) for p in spec.parameters]
    post = _operation(spec, components) | _query(parameters, optional=True) | _body(parameters)
    item = {"parameters": [{"$ref": f"#/components/parameters/{TIMEOUT}"}], "post": post}
    if any(parameter.needs_body for parameter in parameters):
        return item
    get = _operation(spec, components) | {"operationId": f"get_{spec.name}"} | _query(parameters, optional=False)
    return item | {"get": get}


class _Parameter:
    """A parameter with its schema as it stands in the document."""

    def __init__(self, spec: ParameterSpec, schema: Schema) -> None:
        self.name, self.kind, self.required = spec.name, spec.kind, spec.required
        self.schema = schema
        self.scalar = spec.kind == "value" and _is_scalar(spec.schema)
        self.in_query = self.scalar or spec.kind == "text"
        self.needs_body = spec.required and not self.in_query


def _operation(spec: FunctionSpec, components: Components) -> dict[str, Any]:
    summary, _, description = spec.description.strip().partition("\n")
    return {
        "operationId": spec.name,
        "tags": ["functions"],
        "summary": summary or spec.name,
        "description": description.strip(),
        "responses": {
            "200": _answer(spec.result, components.hoist(spec.result.schema, spec.name)),
            **{status: {"$ref": f"#/components/responses/{status}"} for status in _PROBLEMS},
        },
    }


def _answer(result: ResultSpec, schema: Schema) -> dict[str, Any]:
    headers = ("Server-Timing", "X-Request-Id")
    return {
        "description": "The function's result, in the form that Accept asks for.",
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
        "content": {media: {"schema": schema if media == JSON else _ANY} for media in _ANSWERS[result.kind]},
    }


def _query(parameters: Iterable[_Parameter], *, optional: bool) -> dict[str, Any]:
    found = [
        {"name": p.name, "in": "query", "required": p.required and not optional, "schema": p.schema}
        for p in parameters
        if p.in_query
    ]
    return {"parameters": found} if found else {}


def _body(parameters: list[_Parameter]) -> dict[str, Any]:
    if not parameters:
        return {}
    alone = [p for p in parameters if not p.scalar]
    content = _raw(alone[0]) if len(alone) == 1 else {}
    if len(parameters) == 1 and alone:
        content |= _structured(alone[0].schema)
    else:
        content |= _structured(_object(parameters, {p.name: p.schema for p in parameters}))
        content[FORM] = content[JSON]
    if len(parameters) > 1 or not alone or alone[0].kind != "value":
        content[MULTIPART] = _multipart(parameters)
    return {"requestBody": {"required": any(p.needs_body for p in parameters), "content": content}}


def _raw(parameter: _Parameter) -> dict[str, Any]:
    return {media: {"schema": _ANY} for media in _RAW[parameter.kind]}


def _structured(schema: Schema) -> dict[str, Any]:
    return {JSON: {"schema": schema}, MSGPACK: {"schema": _ANY}}


def _multipart(parameters: Iterable[_Parameter]) -> dict[str, Any]:
    fields: dict[str, Schema] = {}
    encoding: dict[str, Any] = {}
    for parameter in parameters:
        fields[parameter.name] = parameter.schema
        if media := _FILE.get(parameter.kind):
            fields[parameter.name] = {"type": "string", "contentMediaType": media}
            encoding[parameter.name] = {"contentType": media}
    return {"schema": _object(parameters, fields)} | ({"encoding": encoding} if encoding else {})


def _object(parameters: Iterable[_Parameter], properties: dict[str, Schema]) -> Schema:
    return {
        "type": "object",
        "properties": properties,
        "required": [p.name for p in parameters if p.required],
        "additionalProperties": False,
    }


def _is_scalar(schema: Schema) -> bool:
    """Whether the value is one word, so that a query string can hold it; else a body can be nothing but it."""
    if "enum" in schema or "const" in schema:
        return True
    if "anyOf" in schema:
        return all(_is_scalar(member) for member in schema["anyOf"])
    kinds = schema.get("type", "object")
    return _SCALARS.issuperset([kinds] if isinstance(kinds, str) else kinds)
