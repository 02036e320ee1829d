"""JSON Schema as generators of clients read it: the same values, in words that all of them know.

msgspec's schemas are right, and some of their words stop a generator: `items: false` after a tuple's items, an `enum`
that names no type or holds several. Pure.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

Schema = dict[str, Any]

_BY_NAME = ("properties", "patternProperties", "dependentSchemas", "$defs")
_IN_A_LIST = ("anyOf", "allOf", "oneOf", "prefixItems")
_ALONE = ("items", "additionalProperties", "propertyNames", "contains", "not", "unevaluatedProperties")
_TYPES: dict[type, str] = {bool: "boolean", int: "integer", float: "number", str: "string", type(None): "null"}


def each_subschema(schema: Schema, change: Callable[[Schema], Schema]) -> Schema:
    """Return `schema` with `change` applied to the schemas directly in it.

    Its data (enums, defaults) stays.
    """
    changed = dict(schema)
    for word in _BY_NAME:
        if isinstance(schema.get(word), dict):
            changed[word] = {name: change(below) for name, below in schema[word].items()}
    for word in _IN_A_LIST:
        if word in schema:
            changed[word] = [change(below) for below in schema[word]]
    for word in _ALONE:
        if isinstance(schema.get(word), dict):
            changed[word] = change(schema[word])
    return changed


def simplified(schema: Schema) -> Schema:
    """Return `schema` itself, without those below it, in words that all generators know."""
    if "prefixItems" in schema:
        return _tuple(schema)
    if "enum" in schema:
        return _enum(schema)
    if schema.get("contentEncoding") == "base64":
        return schema | {"format": "byte"}  # OpenAPI 3.0's word for it
    return schema


def without_null(schema: Schema) -> Schema:
    """Return `schema` without null: a text cannot be null, so a client leaves the parameter out."""
    members = [member for member in schema.get("anyOf", ()) if member.get("type") != "null"]
    if not members or len(members) == len(schema["anyOf"]):
        return schema
    rest = {word: value for word, value in schema.items() if word != "anyOf"}
    return (members[0] | rest) if len(members) == 1 else rest | {"anyOf": members}


def _tuple(schema: Schema) -> Schema:
    """Return a tuple's length and its possible items; their order stays where they differ."""
    items: list[Schema] = schema["prefixItems"]
    kinds = [item for at, item in enumerate(items) if item not in items[:at]]
    rest = {word: value for word, value in schema.items() if word not in ("prefixItems", "items")}
    if len(kinds) == 1:
        return rest | {"items": kinds[0]}
    return rest | {"prefixItems": items, "items": {"anyOf": kinds} if kinds else {}}


def _enum(schema: Schema) -> Schema:
    """Return an enum with its type; one of several types as a choice among them."""
    by_type: dict[str, list[Any]] = {}
    for value in schema["enum"]:
        by_type.setdefault(_TYPES[type(value)], []).append(value)
    rest = {word: value for word, value in schema.items() if word not in ("enum", "type")}
    choices = [_of_one_type(kind, values) for kind, values in by_type.items()]
    return rest | choices[0] if len(choices) == 1 else rest | {"anyOf": choices}


def _of_one_type(kind: str, values: list[Any]) -> Schema:
    if kind == "null" or (kind == "boolean" and len(values) == 2):
        return {"type": kind}
    return {"type": kind, "const": values[0]} if kind == "boolean" else {"type": kind, "enum": values}
