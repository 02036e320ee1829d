"""JSON Schemas in a bundle's config, as far as a box works with them: it documents them and compares them.

They are data of whoever made the bundle. One that is none would fail the document of all functions of a box, and the
next deployment of its own. Pure. Words that edgefn does not read may hold anything.

Source: json-schema.org, draft 2020-12.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import msgspec

MAX_BYTES = 2**18
"""Of all schemas of a function together, as JSON: a large one of many structs has some ten thousand."""

MAX_DEPTH = 100
"""Of a schema, its data included: types are in `$defs`, so that what one holds is a few levels deep."""

_TYPES = frozenset({"null", "boolean", "object", "array", "number", "string", "integer"})
_SCHEMA = ("propertyNames", "contains", "not")
_SCHEMA_OR_FLAG = ("items", "additionalProperties", "unevaluatedProperties", "unevaluatedItems")
_SCHEMAS = ("anyOf", "allOf", "oneOf", "prefixItems")
_BY_NAME = ("properties", "patternProperties", "dependentSchemas", "$defs")
_TEXTS = ("title", "description", "format", "pattern", "$ref", "contentEncoding", "contentMediaType")
_NUMBERS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_COUNTS = ("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties")


def fault(schemas: Iterable[dict[str, Any]]) -> str:
    """Return why the schemas of a function are invalid or too large together; "" when they are valid."""
    size = 0
    for schema in schemas:
        if not _is_shallow(schema):
            return f"a schema is over {MAX_DEPTH} levels deep"
        size += len(msgspec.json.encode(schema))
        if size > MAX_BYTES:
            return f"its schemas have over {MAX_BYTES} bytes"
        if word := _wrong(schema):
            return f"a schema has a {word[:80]!r}, which is not in JSON Schema"
    return ""


def _is_shallow(value: object) -> bool:
    level = [value]
    for _ in range(MAX_DEPTH):
        level = [below for one in level for below in _inside(one)]
        if not level:
            return True
    return False


def _inside(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _wrong(schema: dict[str, Any]) -> str:
    """Return the first keyword in the schema, or in one below it, with an invalid value; "" without one."""
    for word, value in schema.items():
        check = _CHECKS.get(word)
        if check is not None and not check(value):
            return word
    for below in _subschemas(schema):
        if word := _wrong(below):
            return word
    return ""


def _subschemas(schema: dict[str, Any]) -> Iterable[dict[str, Any]]:
    for word in (*_SCHEMA, *_SCHEMA_OR_FLAG):
        if isinstance(schema.get(word), dict):
            yield schema[word]
    for word in _SCHEMAS:
        yield from schema.get(word, ())
    for word in _BY_NAME:
        yield from schema.get(word, {}).values()


def _is_schema(value: object) -> bool:
    return isinstance(value, dict)


def _is_type(value: object) -> bool:
    kinds = value if isinstance(value, list) else [value]
    return bool(kinds) and all(isinstance(kind, str) and kind in _TYPES for kind in kinds)


def _is_scalar(value: object) -> bool:
    return value is None or isinstance(value, str | int | float)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_discriminator(value: object) -> bool:
    if not isinstance(value, dict) or not isinstance(value.get("propertyName", ""), str):
        return False
    mapping = value.get("mapping", {})
    return isinstance(mapping, dict) and all(map(_is_text, mapping.values()))


def _list_of(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _some_of(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and bool(value) and all(map(check, value))


def _named(check: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, dict) and all(map(check, value.values()))


def _is_schema_or_flag(value: object) -> bool:
    return isinstance(value, dict | bool)


_CHECKS: dict[str, Callable[[object], bool]] = {
    **dict.fromkeys(_SCHEMA, _is_schema),
    **dict.fromkeys(_SCHEMA_OR_FLAG, _is_schema_or_flag),
    **dict.fromkeys(_SCHEMAS, _list_of(_is_schema)),
    **dict.fromkeys(_BY_NAME, _named(_is_schema)),
    **dict.fromkeys(_TEXTS, _is_text),
    **dict.fromkeys(_NUMBERS, _is_number),
    **dict.fromkeys(_COUNTS, _is_count),
    "type": _is_type,
    "enum": _some_of(_is_scalar),
    "const": _is_scalar,
    "required": _list_of(_is_text),
    "discriminator": _is_discriminator,
    "examples": _list_of(lambda value: True),
}
