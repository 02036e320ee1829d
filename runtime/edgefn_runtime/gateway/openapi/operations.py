"""One function as OpenAPI operations: what `edgefn.codec` reads and writes, as a document.

Pure: a function in, a path item out, its schemas hoisted into the document's components.
"""

from __future__ import annotations

from typing import Any

import msgspec

from edgefn.codec.media_types import JSON, MSGPACK, NPY, OCTETS, TEXT
from edgefn.spec import FunctionSpec, ResultSpec
from edgefn_runtime.gateway.invoke.timeout import NAME as TIMEOUT
from edgefn_runtime.gateway.openapi.components import Components
from edgefn_runtime.gateway.openapi.dialect import Schema
from edgefn_runtime.gateway.openapi.placement import Placement
from edgefn_runtime.gateway.openapi.reference import AT_THE_DOOR
from edgefn_runtime.gateway.openapi.request_content import BINARY, request_body

_ANSWERS = {
    "value": (JSON, MSGPACK),
    "none": (JSON, MSGPACK),
    "text": (JSON, TEXT, MSGPACK),
    "tensor": (JSON, MSGPACK, NPY, OCTETS),
    "bytes": (OCTETS, JSON, MSGPACK),
    "image": ("image/png", "image/jpeg", "image/webp"),
}
"""The first is the default without Accept. An image is also available as base64 in JSON, if Accept asks for it;
that is not documented, because generated clients send no Accept and would read the PNG as JSON."""

_OWN_PROBLEMS = ("401", "404", "405", "406", "413", "415", "429", "500", "502", "504")
_PROBLEMS = tuple(sorted({*_OWN_PROBLEMS, *AT_THE_DOOR}))


class DocumentedFunction(msgspec.Struct, frozen=True):
    """A deployed function as the document describes it; `number` and `digest` are its revision's."""

    spec: FunctionSpec
    number: int = 1
    digest: str = ""

    @property
    def summary(self) -> str:
        """Return the first line of the handler's docstring."""
        return self.spec.description.strip().partition("\n")[0]

    @property
    def tag(self) -> Schema:
        """Return the group of its operations, described by its README, else its docstring's first line."""
        told = self.spec.readme or self.summary
        revision = f"Revision {self.number}, {self.digest[:19]}." if self.digest else ""
        return {"name": self.spec.name, "description": "\n\n".join(filter(None, (told, revision)))}


def path_item(function: DocumentedFunction, components: Components) -> dict[str, Any]:
    """Return POST, and GET where a query string can carry all that the function needs."""
    spec = function.spec
    placement = Placement(spec.parameters, components, spec.name)
    answer = _answer(spec.result, components.hoist(spec.result.schema, spec.name))
    item: dict[str, Any] = {"parameters": [{"$ref": f"#/components/parameters/{TIMEOUT}"}]}
    if function.digest:
        item["x-revision"] = {"number": function.number, "digest": function.digest}
    query = [p.in_query(required=p.required) for p in placement.query]
    item["post"] = _operation(function, spec.name, query, answer) | request_body(placement)
    if placement.has_get:
        query = [p.in_query(required=p.required and not placement.may_be_empty) for p in placement.all if p.light]
        item["get"] = _operation(function, f"get_{spec.name}", query, answer)
    return item


def _operation(function: DocumentedFunction, id: str, query: list[Schema], answer: Schema) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "operationId": id,
        "tags": [function.spec.name],
        "summary": function.summary or function.spec.name,
        "description": function.spec.description.strip().partition("\n")[2].strip(),
    }
    if query:
        operation["parameters"] = query
    problems = {status: {"$ref": f"#/components/responses/{status}"} for status in _PROBLEMS}
    return operation | {"responses": {"200": answer, **problems}}


def _answer(result: ResultSpec, schema: Schema) -> dict[str, Any]:
    headers = ("Server-Timing", "X-Request-Id")
    return {
        "description": "The function's result, in the form that Accept asks for.",
        "headers": {name: {"$ref": f"#/components/headers/{name}"} for name in headers},
        "content": {media: {"schema": _body_schema(media, result, schema)} for media in _ANSWERS[result.kind]},
    }


def _body_schema(media: str, result: ResultSpec, schema: Schema) -> Schema:
    match media:
        case "application/json" | "application/msgpack":
            return {"description": "null"} if result.kind == "none" else schema
        case "text/plain":
            return {"type": "string"}
        case _:
            return BINARY
