"""From a handler's result to an answer's content type and body.

JSON by default; msgpack when Accept prefers it. Bytes and images go as themselves, an image as PNG, or as JPEG or WebP
by Accept. An array is nested lists in JSON, {"dtype", "shape", "data"} in msgpack, and .npy or raw little-endian bytes
by Accept. A str is JSON unless Accept prefers text/plain. An Accept that none of these meets gets the default (RFC
9110 allows it, and an answer is worth more than a 406).

JSON has no NaN and no infinity: both are `null` there, and exact in msgpack, .npy and raw bytes. A result that
cannot be encoded raises TypeError naming its type: the handler's fault, never the caller's.
"""

from __future__ import annotations

import sys
from typing import Any

import msgspec

from edgefn.codec import arrays
from edgefn.codec.media_types import JSON, MSGPACK, NPY, OCTETS, TEXT, X_MSGPACK, preferred
from edgefn.images.image import Image
from edgefn.spec import ResultSpec

_PNG, _JPEG, _WEBP = "image/png", "image/jpeg", "image/webp"
_VALUES = (JSON, MSGPACK, X_MSGPACK)
_TEXTS = (JSON, TEXT, MSGPACK, X_MSGPACK)
_ARRAYS = (JSON, MSGPACK, X_MSGPACK, NPY, OCTETS)
_BYTES = (OCTETS, JSON, MSGPACK, X_MSGPACK)
_IMAGES = (_PNG, _JPEG, _WEBP, JSON, MSGPACK, X_MSGPACK)
_ALWAYS_JSON = (dict, list, int, float, msgspec.Struct)
"""The results of most functions, for which there is nothing to choose."""
_TEXT_UTF8 = "text/plain; charset=utf-8"


def encode(value: Any, result: ResultSpec, accept: str = "") -> tuple[str, bytes]:
    """The (content type, body) of a handler's result. Raises TypeError naming the type that cannot be encoded."""
    if result.kind == "value" and accept in ("", "*/*", JSON) and isinstance(value, _ALWAYS_JSON):
        return JSON, _structured(value, JSON)
    value = _image_of_pillow(value)
    media = preferred(accept, _offers(value))
    if media in _VALUES:
        return media, _structured(value, media)
    return _raw(value, media)


def _offers(value: Any) -> tuple[str, ...]:
    if isinstance(value, Image):
        return _IMAGES
    if isinstance(value, bytes | bytearray | memoryview):
        return _BYTES
    if isinstance(value, str):
        return _TEXTS
    return _ARRAYS if _is_array(value) else _VALUES


def _raw(value: Any, media: str) -> tuple[str, bytes]:
    match media:
        case "image/png":
            return media, value.encode("PNG")
        case "image/jpeg":
            return media, value.encode("JPEG")
        case "image/webp":
            return media, value.encode("WEBP")
        case "text/plain":
            return _TEXT_UTF8, value.encode("utf-8")
        case "application/x-npy":
            return media, arrays.to_npy(value)
        case _:
            return media, arrays.to_raw(value) if _is_array(value) else bytes(value)


def _structured(value: Any, media: str) -> bytes:
    try:
        return _JSON.encode(value) if media == JSON else _MSGPACK.encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise TypeError(f"the result, {type(value).__name__}, cannot be encoded as {media}: {error}") from error


def _plain_json(value: Any) -> Any:
    return value.tolist() if _is_array(value) else _plain(value)


def plain_msgpack(value: Any) -> Any:
    """Return what MessagePack can hold in the place of `value`. Raises TypeError naming a type that has no such."""
    return arrays.to_packed(value) if _is_array(value) else _plain(value)


def _plain(value: Any) -> Any:
    """What msgspec can encode in the place of `value`, nested somewhere in a result."""
    value = _image_of_pillow(value)
    if isinstance(value, Image):
        return value.encode("PNG")
    if _is_array_scalar(value):
        item = value.item()
        return float(item) if _is_array_scalar(item) else item  # a longdouble's item is a longdouble
    known = "return Python values, dataclasses, msgspec structs, NumPy arrays, edgefn or Pillow images"
    hint = "; write .numpy()" if type(value).__module__.partition(".")[0] == "torch" else ""
    raise TypeError(f"{type(value).__module__}.{type(value).__qualname__} has no encoding{hint}: {known}")


def _is_array(value: Any) -> bool:
    numpy = sys.modules.get("numpy")  # not imported: then nothing can be an array
    return numpy is not None and isinstance(value, numpy.ndarray)


def _is_array_scalar(value: Any) -> bool:
    numpy = sys.modules.get("numpy")
    return numpy is not None and isinstance(value, numpy.generic)


def _image_of_pillow(value: Any) -> Any:
    pillow = sys.modules.get("PIL.Image")
    return Image.from_pil(value) if pillow is not None and isinstance(value, pillow.Image) else value


_JSON = msgspec.json.Encoder(enc_hook=_plain_json)
_MSGPACK = msgspec.msgpack.Encoder(enc_hook=plain_msgpack)
