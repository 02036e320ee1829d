"""The members of a result with their paths, to find the one that a form cannot hold. For errors: not quick.

It sees what the encoders see: items, an object's fields by the names that they are sent by, an enum's value.
"""

from __future__ import annotations

import contextlib
import dataclasses
import enum
import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, cast

import msgspec

from edgefn.codec.result.unholdable import Unholdable, shown

ROOT = "$"

Encode = Callable[[Any], object]
Plain = Callable[[Any], Any]
"""From a value that the encoder does not know to one that it does."""

CANNOT = (TypeError, ValueError, OverflowError, RecursionError, BufferError, msgspec.MsgspecError)
"""What encoders raise for a value that they cannot encode. Unholdable is a TypeError."""

_UNIQUE = frozenset({str, int, bool, bytes})
"""Keys of one of these types alone stay apart as text."""


class Failure(NamedTuple):
    """A member that cannot be encoded by itself, while its own members can."""

    path: str
    value: Any
    error: Exception


def failing(value: Any, error: Exception, encode: Encode, plain: Plain) -> Failure:
    """Find the innermost member of `value` for which `encode` fails, as it did for `value` with `error`."""
    path = ROOT
    while not isinstance(error, RecursionError):
        for segment, member in _members(value, plain):
            if (inner := failure(member, encode)) is not None:
                path, value, error = path + segment, member, inner
                break
        else:
            break
    return Failure(path, value, error)


def failure(value: Any, encode: Encode) -> Exception | None:
    """Return the error of `encode` for `value`, or None."""
    try:
        encode(value)
    except CANNOT as error:
        return error
    return None


def check_names(value: Mapping[Any, Any], encode: Encode) -> None:
    """Raise Unholdable where two keys of `value` become the same name.

    The errors of `encode` for a key are raised, too.
    """
    kinds = set(map(type, value))
    if len(kinds) < 2 and kinds <= _UNIQUE:
        return
    seen: dict[object, Any] = {}
    for key in value:
        written = cast(bytes, encode({key: None}))
        other = seen.setdefault(bytes(written), key)  # a large one is written into what has no hash
        if other is not key:
            raise Unholdable(f"has the keys {shown(other)} and {shown(key)}, which become one name")


def _members(value: Any, plain: Plain) -> Iterator[tuple[str, Any]]:
    """Yield (path from `value`, member) of each member, in order."""
    match value:
        case str() | bytes() | int() | float() | None:
            pass
        case enum.Enum():
            yield "", value.value
        case Mapping():
            yield from ((_step(key), value[key]) for key in value)
        case list() | tuple() | set() | frozenset():
            yield from ((f"[{index}]", member) for index, member in enumerate(value))
        case _ if (fields := _fields(value)) is not None:
            yield from ((f".{sent}", getattr(value, name)) for name, sent in fields if hasattr(value, name))
        case _ if getattr(getattr(value, "dtype", None), "hasobject", True):  # an array of numbers has none of interest
            with contextlib.suppress(*CANNOT):
                yield "", plain(value)


def _fields(value: Any) -> list[tuple[str, str]] | None:
    """List (name, name in the output) of each field of an object; None for other values."""
    if isinstance(value, type):
        return None
    if isinstance(value, msgspec.Struct):
        return list(zip(value.__struct_fields__, value.__struct_encode_fields__, strict=True))
    if dataclasses.is_dataclass(value):
        return [(field.name, field.name) for field in dataclasses.fields(value)]
    attributes = getattr(type(value), "__attrs_attrs__", None)
    return None if attributes is None else [(each.name, each.name) for each in attributes]


def _step(key: Any) -> str:
    if isinstance(key, str):
        return f".{key}" if key.isidentifier() else f"[{json.dumps(key)}]"
    return f"[{shown(key)}]"
