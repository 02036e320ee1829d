"""From a handler's result to an answer's content type and body: the form that Accept prefers of those that hold it.

A kind of result has its forms in an order. What a client accepts is tried first, the best first; where Accept is absent
or `*/*` that is the first form that holds the result. An Accept that names no form of the kind gets the same (RFC 9110
allows it, and an answer is worth more than a 406), but for what it excludes with q=0. Where it names forms and none of
them holds the result, that is a NotAcceptable. A result that no form holds is a TypeError: the handler's fault.

Text is JSON unless Accept prefers text/plain. Bytes and pictures are themselves, a picture as PNG, JPEG or WebP;
`image/*` gets the bytes that it was made of where they are one of these. An array is nested lists in JSON,
{"dtype", "shape", "data"} in MessagePack, and .npy or raw little-endian bytes. Everything else is JSON or MessagePack
(`edgefn.codec.result.values`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import msgspec

from edgefn.codec.media_types import (
    JSON,
    MSGPACK,
    NPY,
    OCTETS,
    TEXT,
    VND_MSGPACK,
    X_MSGPACK,
    remembered,
)
from edgefn.codec.result import array_forms, pictures
from edgefn.codec.result.accept import ALIASES, ranking
from edgefn.codec.result.members import CANNOT, failure
from edgefn.codec.result.values import (
    JSON_ENCODING,
    MSGPACK_ENCODING,
    image_of_pillow,
    is_array,
    to_json,
    to_msgpack,
    words,
)
from edgefn.errors import NotAcceptable
from edgefn.images.image import Image
from edgefn.spec import ResultSpec

Forms = dict[str, Callable[[Any], bytes]]
"""How a kind of result is written, by media type, in the order on offer."""


def _from_bytes(write: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    return lambda value: write(bytes(value))  # msgspec takes no memoryview with gaps


_ALWAYS_JSON = (dict, list, int, float, msgspec.Struct)
"""The results of most functions, for which there is nothing to choose."""
_BYTES = (bytes, bytearray, memoryview)
_ANY_OR_JSON = frozenset({"", "*/*", JSON})
_EXCLUDED = "Accept excludes each form of the result by q=0"
_CONTENT_TYPES = {TEXT: "text/plain; charset=utf-8"}
_ENCODINGS = {
    JSON: JSON_ENCODING,
    MSGPACK: MSGPACK_ENCODING,
    X_MSGPACK: MSGPACK_ENCODING,
    VND_MSGPACK: MSGPACK_ENCODING,
}

_VALUES: Forms = {JSON: to_json, MSGPACK: to_msgpack, X_MSGPACK: to_msgpack, VND_MSGPACK: to_msgpack}
_FORMS: dict[str, Forms] = {
    "value": _VALUES,
    "text": {JSON: to_json, TEXT: lambda text: str.encode(text, "utf-8"), **_VALUES},
    "array": _VALUES | {NPY: array_forms.to_npy, OCTETS: array_forms.to_raw},
    "bytes": {OCTETS: bytes} | {media: _from_bytes(write) for media, write in _VALUES.items()},
    "image": {media: partial(pictures.to_file, format=format) for media, format in pictures.FORMATS.items()} | _VALUES,
}


def encode(value: Any, result: ResultSpec, accept: str = "") -> tuple[str, bytes]:
    """Return the (content type, body) of a handler's result.

    Raise NotAcceptable where what `accept` takes cannot hold it, TypeError naming the member that no form holds.
    """
    if result.kind == "value" and accept in _ANY_OR_JSON and isinstance(value, _ALWAYS_JSON):
        try:
            return JSON, to_json(value)
        except CANNOT:
            return _negotiate(value, accept)  # another form may hold it
    return _negotiate(image_of_pillow(value), accept)


def _negotiate(value: Any, accept: str) -> tuple[str, bytes]:
    kind = _kind(value)
    forms = _FORMS[kind]
    order = _order(accept, kind, pictures.came_as(value) if kind == "image" else None)
    failed: dict[str, Exception] = {}
    for media in order:
        try:
            return _CONTENT_TYPES.get(media, media), forms[media](value)
        except CANNOT as error:
            failed[media] = error
    raise _refusal(value, forms, failed)


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "text"
    if isinstance(value, _BYTES):
        return "bytes"
    if is_array(value):
        return "array"
    return "image" if isinstance(value, Image) else "value"


@remembered
def _order(accept: str, kind: str, came_as: str | None) -> tuple[str, ...]:
    """Return the media types to try for a result of `kind`, the best first; of equal ones `came_as` for `image/*`."""
    offers = list(_FORMS[kind])
    if came_as is not None and "image/*" in accept.lower():
        offers.sort(key=lambda offer: offer != came_as)
    wanted, unnamed = ranking(accept, tuple(offers))
    return wanted or unnamed


def _refusal(value: Any, forms: Forms, failed: dict[str, Exception]) -> Exception:
    """Return the error for a result that none of the forms in `failed` holds, and no other one is accepted."""
    others = {media: _failure(value, media, write) for media, write in forms.items() if media not in failed}
    available = tuple(media for media, error in others.items() if error is None and media not in ALIASES)
    if not available:
        reasons = _reasons(value, {media: (failed | others)[media] for media in forms if media not in ALIASES})
        why = reasons.popitem()[0] if len(reasons) == 1 else "; ".join(f"as {reasons[why]}, {why}" for why in reasons)
        return TypeError(f"the result cannot be sent: {why}")
    told = [f"{media} cannot hold the result: {why}" for why, media in _reasons(value, failed).items()]
    return NotAcceptable(f"{'; '.join(told) or _EXCLUDED}; ask for {' or '.join(available)}", available=available)


def _failure(value: Any, media: str, write: Callable[[Any], bytes]) -> Exception | None:
    if isinstance(value, Image):  # a large one takes seconds to write
        return failure(value, partial(pictures.check, format=pictures.FORMATS.get(media, "PNG")))
    return failure(value, write)


def _reasons(value: Any, errors: Mapping[str, Exception | None]) -> dict[str, str]:
    """Return why the result cannot be sent: each reason with its media types."""
    found: dict[str, list[str]] = {}
    for media, error in errors.items():
        if error is not None:
            encoding = _ENCODINGS.get(media)
            why = f"it {words(value, error)}" if encoding is None else encoding.reason(value, error)
            found.setdefault(why, []).append(media)
    return {why: " and ".join(media) for why, media in found.items()}
