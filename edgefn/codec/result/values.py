"""A result's values in JSON and in MessagePack: by msgspec, with hooks for the values that it does not know.

Both write dates, UUIDs, Decimals and paths as text, a set in whatever order Python has it, a named tuple as a list, an
enum as its value, an object by its fields (an attrs class without those that begin with "_"). JSON has bytes in
base64 and pictures as PNG in base64; it has no NaN and no infinity, both are null. Keys of a JSON object are text:
of None, bools, numbers, enums, dates, UUIDs, Decimals and bytes as they are written elsewhere, without quotes, where no
two keys become the same. MessagePack has keys of any kind, tuples among them, and integers from -2**63 to 2**64 - 1.
"""

from __future__ import annotations

import os
import sys
from collections import UserString
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any

import msgspec

from edgefn.codec.result import array_forms, members, pictures
from edgefn.codec.result.members import ROOT, Failure
from edgefn.codec.result.unholdable import Unholdable, of_unknown_type, shown
from edgefn.images.image import Image

_INTEGERS = "and MessagePack has integers from -2**63 to 2**64 - 1"
_NAMES = {None: "null", True: "true", False: "false"}
_BASES: dict[type, Callable[[Any], Any]] = {
    str: str.__str__,
    int: int.__int__,
    float: float.__float__,
    bytes: bytes.__bytes__,
}
"""From an instance of a subclass, which msgspec does not know, to its value."""


SMALL_BYTES = 1 << 16
"""What is larger is not copied into bytes once it is written."""


class Encoding:
    """One of the two, for errors: its encoder, and what it can write in the place of a value that it does not know."""

    def __init__(self, encode: Callable[[Any], bytes], plain: Callable[[Any], Any]) -> None:
        self._encode = encode
        self._plain = plain

    def reason(self, value: Any, error: Exception) -> str:
        """Say which member of `value` cannot be written, by its path, and why, after it raised `error`."""
        failed = members.failing(value, error, self._encode, self._plain)
        return f"{'it' if failed.path == ROOT else failed.path} {self._predicate(failed)}"

    def _predicate(self, failed: Failure) -> str:
        if isinstance(failed.value, Mapping) and not isinstance(failed.error, RecursionError):
            for key in failed.value:
                if (error := members.failure({key: None}, self._encode)) is not None:
                    return f"has the key {shown(key)}, {_of_key(key, error)}"
        return words(failed.value, failed.error)


def to_json(value: Any) -> bytes:
    """Encode `value` as JSON.

    Raise one of `members.CANNOT`, for which `JSON_ENCODING.reason` has the words.
    """
    if type(value) is dict:  # of those inside it msgspec writes all keys: to look at each takes as long as to encode it
        for key in value:
            if type(key) is not str:
                members.check_names(value, _json)
                break
    return _json(value)


def to_msgpack(value: Any) -> bytes:
    """Encode `value` as MessagePack; as `to_json`."""
    if type(value) is dict:
        for key in value:
            if type(key) is not str:
                members.check_names(value, _msgpack)
                break
    return _msgpack(value)


def plain_json(value: Any) -> Any:
    """Return what JSON can hold in the place of `value`. Raise Unholdable."""
    numpy = sys.modules.get("numpy")  # not imported: then nothing can be of it
    if numpy is not None:
        if isinstance(value, numpy.generic):
            return array_forms.to_item(value)
        if isinstance(value, numpy.ndarray):
            return array_forms.to_lists(value)
    if value is None or isinstance(value, bool):  # msgspec asks for them as keys alone
        return _NAMES[value]
    return _plain(value)


def plain_msgpack(value: Any) -> Any:
    """Return what MessagePack can hold in the place of `value`. Raise Unholdable."""
    numpy = sys.modules.get("numpy")
    if numpy is not None:
        if isinstance(value, numpy.generic):
            return array_forms.to_item(value)
        if isinstance(value, numpy.ndarray):
            return array_forms.to_packed(value)
    return _plain(value)


def _plain(value: Any) -> Any:
    """Convert `value`, which is not of NumPy, to a value that msgspec can encode."""
    value = image_of_pillow(value)
    if isinstance(value, Image):
        return pictures.to_file(value, "PNG")
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    for kind, base in _BASES.items():
        if isinstance(value, kind):
            return base(value)
    return _collected(value)


def _collected(value: Any) -> Any:
    """Convert a collection that is not one of Python's own to a list, a dict or a str."""
    if isinstance(value, UserString):
        return str(value)
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, Sequence | Set) and not isinstance(value, tuple | frozenset):  # those are asked for as keys
        return list(value)
    raise of_unknown_type(value)


def is_array(value: Any) -> bool:
    """Tell whether `value` is a NumPy array."""
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.ndarray)


def image_of_pillow(value: Any) -> Any:
    """Convert a Pillow image to an Image; return any other value unchanged."""
    pillow = sys.modules.get("PIL.Image")
    return Image.from_pil(value) if pillow is not None and isinstance(value, pillow.Image) else value


def words(value: Any, error: Exception) -> str:
    """Say why `value` cannot be encoded, beginning with a verb."""
    match error:
        case RecursionError():
            return f"is nested deeper than about {sys.getrecursionlimit()} levels, or contains itself"
        case UnicodeEncodeError():
            at = f"{error.object[error.start]!r} at {error.start}"
            return (
                f'has a lone surrogate, {at}, which is not valid text; write text.encode("utf-8", "replace").decode()'
            )
        case OverflowError():
            return f"is {shown(value)}, {_INTEGERS}"
    return str(error) if isinstance(error, Unholdable) else f"cannot be encoded: {error}"


def _of_key(key: Any, error: Exception) -> str:
    match error:
        case UnicodeEncodeError():
            return f"which {words(key, error)}"
        case OverflowError():
            return _INTEGERS
    return f"and a {type(key).__name__} cannot be a member name in JSON"


def _growing(encode_into: Callable[[Any, bytearray], None]) -> Callable[[Any], bytes]:
    """Return an encoder that raises MemoryError where there is no memory for the result.

    msgspec's own `encode` ends the process by SIGSEGV then (0.22.0), with the calls beside it: it writes on where its
    buffer was.
    """

    def encode(value: Any) -> bytes:
        written = bytearray()
        encode_into(value, written)
        if len(written) <= SMALL_BYTES:
            return bytes(written)
        return written  # type: ignore[return-value]  # it is sent as bytes are, and a copy may find no memory

    return encode


_json = _growing(msgspec.json.Encoder(enc_hook=plain_json).encode_into)
_msgpack = _growing(msgspec.msgpack.Encoder(enc_hook=plain_msgpack).encode_into)
JSON_ENCODING = Encoding(_json, plain_json)
MSGPACK_ENCODING = Encoding(_msgpack, plain_msgpack)
