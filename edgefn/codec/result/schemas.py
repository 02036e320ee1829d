"""JSON Schemas of result types that msgspec does not know, and edgefn.codec.result.values writes."""

from __future__ import annotations

import os
from collections import UserString
from collections.abc import Mapping, Sequence, Set
from typing import Any, get_origin

_TEXT = {"type": "string"}
_BYTES = {"type": "string", "contentEncoding": "base64"}
_OF_NUMPY: dict[str, dict[str, Any]] = {
    "ndarray": {"type": "array"},
    "datetime64": _TEXT,
    "timedelta64": _TEXT,
    "str": _TEXT,
    "bytes": _BYTES,
    "void": {"description": "bytes in base64, or an object"},
    "bool": {"type": "boolean"},
    "integer": {"type": "integer"},
    "floating": {"type": "number"},
}
"""By the name of the nearest base; a void that is a record is an object."""
_OF_PYTHON: dict[type, dict[str, Any]] = {
    str: _TEXT,
    int: {"type": "integer"},
    float: {"type": "number"},
    bytes: _BYTES,
    UserString: _TEXT,
    os.PathLike: _TEXT,
    Mapping: {"type": "object"},
    Sequence: {"type": "array"},
    Set: {"type": "array"},
}
"""The first that the type is a subclass of; str and UserString are sequences, too."""


def schema_of(hint: Any) -> dict[str, Any] | None:
    """Return the schema of `hint`, or None where a result of the type cannot be sent as JSON."""
    kind = get_origin(hint) or hint
    if not isinstance(kind, type):
        return None
    of_numpy = (_OF_NUMPY.get(base.__name__.rstrip("_")) for base in kind.__mro__ if base.__module__ == "numpy")
    for schema in of_numpy:
        if schema is not None:
            return schema
    return next((schema for base, schema in _OF_PYTHON.items() if issubclass(kind, base)), None)


def is_array_class(hint: Any) -> bool:
    """Tell whether `hint` is a class below np.ndarray, as np.ma.MaskedArray; NumPy need not be imported to know."""
    kind = get_origin(hint) or hint
    return isinstance(kind, type) and any(
        (base.__module__, base.__name__) == ("numpy", "ndarray") for base in kind.__mro__
    )
