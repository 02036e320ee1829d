"""The body of a function's POST in the OpenAPI document: each content type with its schema. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from edgefn.codec.media_types import FORM, JSON, MSGPACK, MULTIPART, NPY, OCTETS, TEXT
from edgefn_runtime.gateway.openapi.dialect import Schema, without_null
from edgefn_runtime.gateway.openapi.placement import DocumentedParameter, Placement

BINARY: Schema = {"type": "string", "format": "binary"}
"""Bytes as they are. OpenAPI 3.1 can do without, and generators look for it."""

_RAW = {
    "image": (OCTETS, "image/*"),
    "tensor": (NPY, OCTETS),
    "bytes": (OCTETS,),
    "text": (TEXT,),
    "value": (),
}
_FILE = {"image": "image/*", "tensor": NPY, "bytes": OCTETS}


def request_body(placement: Placement) -> Schema:
    """Return `requestBody` as a member of an operation, or nothing where no body is taken."""
    parameters = placement.body
    if not parameters:
        return {}
    if placement.bare is not None:
        content = _structured(placement.bare.schema)
    else:
        content = _raw(placement.whole) | _structured(_object(parameters, {p.name: p.schema for p in parameters}))
        if all(p.light or p.texts for p in placement.all):
            content[FORM] = _form(parameters)
        content[MULTIPART] = _multipart(parameters)
    required = any(p.required for p in parameters) and not placement.may_be_empty
    return {"requestBody": {"required": required, "content": content}}


def _raw(whole: DocumentedParameter | None) -> dict[str, Schema]:
    """Return the content types of a body that is only the parameter's value.

    Neither JSON nor msgpack is among them.
    """
    if whole is None:
        return {}
    binary = BINARY | {"description": f"The bytes of `{whole.name}`."}
    # An empty body is the empty text where it must be one, and none where it need not be there.
    text = {"schema": without_null(whole.schema) | ({} if whole.required else {"minLength": 1})}
    return {media: text if media == TEXT else {"schema": binary} for media in _RAW[whole.kind]}


def _structured(schema: Schema) -> dict[str, Schema]:
    # msgpack has bin in the place of base64. A schema of its own that says less makes the union of both say nothing.
    return {JSON: {"schema": schema}, MSGPACK: {"schema": schema}}


def _form(parameters: Iterable[DocumentedParameter]) -> Schema:
    fields = {p.name: _listed(without_null(p.schema), p) for p in parameters}
    return _fields(parameters, fields, {p.name: {"style": "form", "explode": True} for p in parameters if p.texts})


def _multipart(parameters: Iterable[DocumentedParameter]) -> Schema:
    fields = {p.name: _part(p) for p in parameters}
    types = {p.name: _content_type(p) for p in parameters}
    return _fields(parameters, fields, {name: {"contentType": media} for name, media in types.items() if media})


def _part(parameter: DocumentedParameter) -> Schema:
    """Return the schema of a multipart field, or of each field of its name where it is a list."""
    if media := _FILE.get(parameter.kind):
        return BINARY | {"contentMediaType": media}
    schema = _listed(without_null(parameter.schema), parameter)
    return schema | {"items": BINARY | {"contentMediaType": parameter.files}} if parameter.files else schema


def _listed(schema: Schema, parameter: DocumentedParameter) -> Schema:
    """Return a list's schema as fields of a form can be it: none at all is a parameter that is missing."""
    return {"minItems": 1} | schema if parameter.texts or parameter.files else schema


def _content_type(parameter: DocumentedParameter) -> str:
    """Return the content type of a part; "" where it is a text's, which needs none."""
    if parameter.light:
        return ""
    return _FILE.get(parameter.kind) or parameter.files or (TEXT if parameter.texts else JSON)


def _fields(parameters: Iterable[DocumentedParameter], fields: dict[str, Schema], encoding: Schema) -> Schema:
    return {"schema": _object(parameters, fields)} | ({"encoding": encoding} if encoding else {})


def _object(parameters: Iterable[DocumentedParameter], properties: dict[str, Schema]) -> Schema:
    members = list(parameters)
    # Where a lone file is optional the body itself may be missing; an empty object could be the bytes "{}".
    required = [p.name for p in members if p.required or (len(members) == 1 and p.raw)]
    return {
        "type": "object",
        "properties": properties,
        **({"required": required} if required else {}),
        "additionalProperties": False,
    }
