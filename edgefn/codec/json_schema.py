"""JSON Schemas of parameters and results, for OpenAPI: complete in themselves, so they stand in any document.

Making one also visits every type below a hint, which is how a type that cannot be read or written is found at import.
"""

from __future__ import annotations

from typing import Any

import msgspec

from edgefn.codec.result import schemas
from edgefn.codec.type_hints import WRITE_TENSOR, is_array, is_pillow
from edgefn.images.image import Image
from edgefn.spec import Dimension, SizeRange, TensorSpec

ONE_PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR4nGNoAAAAggCBd81ytgAAAABJRU5ErkJggg=="
"""A PNG of one grey pixel, an example that clients can send unchanged."""

BYTES: dict[str, Any] = {"type": "string", "contentEncoding": "base64"}
IMAGE: dict[str, Any] = BYTES | {"contentMediaType": "image/*", "examples": [ONE_PIXEL]}

_REFERENCE = "#/$defs/{name}"
_DATA = ("const", "default", "enum", "examples")


def parameter_schema(hint: Any) -> dict[str, Any]:
    """Return the schema of the values that a request may hold for `hint`.

    Raise TypeError that names a type that cannot be read. An object with declared members has no others.
    """
    closed: dict[str, Any] = _closed(_schema(hint, _readable))
    return closed


def result_schema(hint: Any) -> dict[str, Any]:
    """Return the schema of a result of type `hint` in JSON.

    Raise TypeError naming a type that cannot be written.
    """
    try:
        return _schema(hint, _writable)
    except TypeError as error:
        if "InitVar" in str(error):  # msgspec writes such a dataclass, and describes none
            return {"description": "any value"}
        raise


def tensor_schema(spec: TensorSpec) -> dict[str, Any]:
    """Return the schema of `spec`'s array as nested lists."""
    schema = _number(spec.dtype)
    for dimension in reversed(spec.shape):
        schema = {"type": "array", "items": schema} | _items(dimension, spec.ranges)
    return schema | {"description": str(spec)}


def _number(dtype: str) -> dict[str, Any]:
    """Return the schema of an element, with the limits of its dtype (IEEE 754's largest finite numbers)."""
    if dtype == "bool":
        return {"type": "boolean"}
    if dtype.startswith("float"):
        largest = {"float16": 65504.0, "float32": 3.4028234663852886e38}.get(dtype)
        return {"type": "number"} | ({"minimum": -largest, "maximum": largest} if largest else {})
    signed, bits = dtype.startswith("int"), int(dtype.removeprefix("u").removeprefix("int"))
    least = -(2 ** (bits - 1)) if signed else 0
    return {"type": "integer", "minimum": least, "maximum": least + 2**bits - 1}


def _items(dimension: Dimension, ranges: dict[str, SizeRange]) -> dict[str, int]:
    """Return the limits on the items of an array of that dimension. JSON Schema cannot express multiples."""
    if isinstance(dimension, int):
        return {"minItems": dimension, "maxItems": dimension}
    if (allowed := ranges.get(dimension)) is None:
        return {}
    return {"minItems": allowed.min} | ({} if allowed.max is None else {"maxItems": allowed.max})


def _schema(hint: Any, hook: Any) -> dict[str, Any]:
    try:
        (schema,), definitions = msgspec.json.schema_components((hint,), schema_hook=hook, ref_template=_REFERENCE)
    except (TypeError, ValueError, NameError) as error:
        raise TypeError(str(error).rpartition("\n")[2]) from error
    inlined: dict[str, Any] = _inline(schema, definitions, ())
    return inlined


def _inline(node: Any, definitions: dict[str, Any], inside: tuple[str, ...]) -> Any:
    """Replace each reference in `node` with its definition; a type inside itself becomes just its kind."""
    if isinstance(node, list):
        return [_inline(item, definitions, inside) for item in node]
    if not isinstance(node, dict):
        return node
    reference = node.get("$ref")
    if isinstance(reference, str):
        name = reference.rpartition("/")[2]
        if name in inside:
            return {"type": definitions[name].get("type", "object"), "title": name}
        return _inline(definitions[name], definitions, (*inside, name))
    return {key: _inline(value, definitions, inside) for key, value in node.items() if not _names_references(value)}


def _closed(node: Any) -> Any:
    if isinstance(node, list):
        return [_closed(item) for item in node]
    if not isinstance(node, dict):
        return node
    closed = {key: value if key in _DATA else _closed(value) for key, value in node.items()}
    if node.get("type") == "object" and isinstance(node.get("properties"), dict):
        return {**closed, "additionalProperties": False}
    return closed


def _names_references(value: Any) -> bool:
    # An OpenAPI discriminator's mapping: it would point at definitions that are inlined.
    return isinstance(value, dict) and "propertyName" in value and "mapping" in value


def _readable(hint: Any) -> dict[str, Any]:
    if hint is Image:
        return IMAGE
    if is_array(hint):
        raise TypeError(f"a tensor must be its own parameter: `{WRITE_TENSOR}`")
    raise NotImplementedError


def _writable(hint: Any) -> dict[str, Any]:
    if hint is Image or is_pillow(hint):
        return IMAGE
    if is_array(hint):
        return {"type": "array"}
    if hint is object:
        return {"description": "any value"}
    if (schema := schemas.schema_of(hint)) is not None:
        return schema
    raise NotImplementedError
