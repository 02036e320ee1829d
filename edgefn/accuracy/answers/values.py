"""Turn any result of a handler into plain values: numbers, texts, bytes, arrays, pictures, lists and dicts.

A dataclass, struct or named tuple becomes a dict of its fields, an enum its value, a set a sorted list. Never imports
Pillow or NumPy before a value needs them.
"""

from __future__ import annotations

import dataclasses
import enum
import sys
from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, Any

import msgspec

from edgefn.images.image import Image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Plain = Any
"""None, bool, int, float, str, bytes, a NumPy array, a `Picture`, a list of such, or a dict of such by text."""

LONG = 4
"""A list of more numbers is compared as an array, not number by number."""

_PACKED = {"dtype", "shape", "data"}
_ENCODED = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"RIFF")


class Picture:
    """Pixels, uint8 [height, width, channels]."""

    def __init__(self, pixels: NDArray[np.uint8]) -> None:
        self.pixels = pixels


def plain(value: Any) -> Plain:
    """Convert `value` to plain values. A value of an unknown type becomes its repr()."""
    if value is None or isinstance(value, bool | str):
        return value
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if isinstance(value, int | float):
        return int(value) if isinstance(value, int) else float(value)
    if isinstance(value, bytes | bytearray | memoryview):
        return _picture_of(bytes(value))
    if isinstance(value, Mapping):
        return _array_of_packed(value) if set(value) == _PACKED else {str(k): plain(v) for k, v in value.items()}
    if (fields := _fields(value)) is not None:
        return {name: plain(getattr(value, name)) for name in fields}
    if isinstance(value, Set):
        return sorted((plain(one) for one in value), key=repr)
    if isinstance(value, list | tuple):
        return _list(value)
    return _numeric(value)


def identical(one: Plain, other: Plain) -> bool:
    """Return whether two plain values are the same, NaN being NaN."""
    if isinstance(one, Picture) and isinstance(other, Picture):
        return identical(one.pixels, other.pixels)
    if is_array(one) and is_array(other):
        return bool(one.dtype == other.dtype and one.shape == other.shape and one.tobytes() == other.tobytes())
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(identical(one[key], other[key]) for key in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(identical, one, other))
    return type(one) is type(other) and not is_array(one) and bool(one == other or (one != one and other != other))


def is_number(value: Plain) -> bool:
    """Return whether `value` is an int or a float; a bool is none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def is_array(value: Plain) -> bool:
    """Return whether `value` is a NumPy array."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def kind(value: Plain) -> str:
    """Name the kind of a plain value, for people."""
    names = {dict: "an object", list: "a list", str: "a text", bytes: "bytes", bool: "a truth value"}
    if value is None:
        return "nothing"
    if isinstance(value, Picture):
        return "an image"
    if is_array(value):
        return f"an array {value.dtype}{list(value.shape)}"
    return "a number" if is_number(value) else names.get(type(value), type(value).__name__)


def _fields(value: Any) -> tuple[str, ...] | None:
    if isinstance(value, msgspec.Struct):
        return value.__struct_fields__
    if dataclasses.is_dataclass(value):
        return tuple(field.name for field in dataclasses.fields(value))
    return getattr(value, "_fields", None) if isinstance(value, tuple) else None


def _list(value: list[Any] | tuple[Any, ...]) -> Plain:
    """Return a list of plain values, or an array where it is a long or nested table of floats."""
    items = [plain(one) for one in value]
    floats = items and all(is_number(one) for one in items) and any(isinstance(one, float) for one in items)
    if floats and len(items) > LONG:
        import numpy as np

        return np.array(items, np.float64)
    if len(items) > LONG and all(is_array(one) and one.shape == items[0].shape for one in items):
        import numpy as np

        return np.stack(items)
    return items


def _numeric(value: Any) -> Plain:
    if is_array(value):
        return value if value.ndim else plain(value.item())
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic):
        return plain(value.item())
    pillow = sys.modules.get("PIL.Image")
    if pillow is not None and isinstance(value, pillow.Image):
        value = Image.from_pil(value)
    return Picture(value.array()) if isinstance(value, Image) else repr(value)


def _picture_of(data: bytes) -> Plain:
    """Return the pixels of an encoded image, and any other bytes as they are."""
    if not data.startswith(_ENCODED):
        return data
    from edgefn.errors import InputError

    try:
        return Picture(Image(data).array())
    except InputError:
        return data


def _array_of_packed(packed: Mapping[Any, Any]) -> Plain:
    """Return the array of {"dtype", "shape", "data"}, which is how an array is packed in msgpack."""
    import numpy as np

    try:
        return np.frombuffer(packed["data"], packed["dtype"]).reshape(tuple(packed["shape"]))
    except (TypeError, ValueError):
        return {str(key): plain(value) for key, value in packed.items()}
