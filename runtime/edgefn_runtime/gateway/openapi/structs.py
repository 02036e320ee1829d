"""Structs as schemas of the OpenAPI document, each under its own name, in words that generators know. Pure."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import msgspec

from edgefn_runtime.gateway.openapi.dialect import Schema, each_subschema, simplified

_PLACE = "#/components/schemas/{name}"


def of_requests(kinds: Sequence[Any]) -> tuple[list[Schema], dict[str, Schema]]:
    """Return a schema for each of `kinds`, and the components that those refer to.

    A member with a default may be left out.
    """
    schemas, components = msgspec.json.schema_components(kinds, ref_template=_PLACE)
    return list(schemas), {name: _plain(schema) for name, schema in components.items()}


def of_answers(kinds: Sequence[Any]) -> tuple[list[Schema], dict[str, Schema]]:
    """Return a schema for each of `kinds`, and the components that those refer to.

    A default is for readers of an older box's answer; this box leaves out what is UNSET, or is its struct's to omit.
    """
    schemas, components = of_requests(kinds)
    omitting = {kind.__name__ for kind in kinds if isinstance(kind, type) and _omits(kind)}
    return schemas, {name: _whole(schema, omits=name in omitting) for name, schema in components.items()}


def _omits(kind: type) -> bool:
    return issubclass(kind, msgspec.Struct) and kind.__struct_config__.omit_defaults


def _plain(schema: Schema) -> Schema:
    changed = simplified(each_subschema(schema, _plain))
    changed.pop("title", None)
    if isinstance(text := changed.get("description"), str):
        changed["description"] = inspect.cleandoc(text)
    if isinstance(pattern := changed.get("pattern"), str):  # JSON Schema has JavaScript's words for begin and end
        changed["pattern"] = pattern.replace(r"\A", "^").replace(r"\Z", "$")
    return changed


def _whole(schema: Schema, *, omits: bool) -> Schema:
    """Return the schema of an object with its constant members required, and without their defaults."""
    if "properties" not in schema:
        return schema
    members: dict[str, Schema] = schema["properties"]
    constant = () if omits else [name for name, one in members.items() if "default" in one]
    required = {*schema.get("required", ()), *constant}
    bare = {name: {word: it for word, it in one.items() if word != "default"} for name, one in members.items()}
    return schema | {"properties": bare, "required": [name for name in members if name in required]}
