"""Bodies whose content type says nothing: what they are, by their first bytes and by what the function wants.

`curl -d` calls everything an urlencoded form, browsers call a text of JSON `text/plain`, and many clients call whatever
they send octets.
"""

from __future__ import annotations

from collections.abc import Iterable

from edgefn.codec.media_types import FORM, JSON, OCTETS, TEXT, MediaType
from edgefn.codec.request import json_text
from edgefn.codec.request.file_kinds import is_picture
from edgefn.codec.request.parameters import Buffer, Parameter

OCTET_NAMES = frozenset(
    {
        OCTETS,
        "binary/octet-stream",
        "application/octetstream",
        "application/x-octet-stream",
        "application/binary",
        "application/x-binary",
        "application/download",
        "application/x-download",
        "application/force-download",
        "application/unknown",
        "application/x-unknown",
        "unknown/unknown",
        "*/*",
    }
)
NAMES = OCTET_NAMES | {"", FORM, TEXT}

_SCALAR = b"-0123456789tf"
"""What a number or a truth value begins with in JSON."""

_UNNAMED, _OCTETS = MediaType(""), MediaType(OCTETS)


def is_form(body: Buffer, media: MediaType, parameters: Iterable[Parameter], value: Parameter | None) -> bool:
    """Tell whether a body that is called an urlencoded form is one."""
    if media.name != FORM or json_text.is_document(body) or b"=" not in bytes(body):
        return False
    begins = bytes(body[:256]).lstrip()
    names = [(f"{one.name}=".encode(), f"{one.name}[]=".encode(), f"{one.name}%5B%5D=".encode()) for one in parameters]
    return value is None or value.kind == "value" or begins.startswith(tuple(name for three in names for name in three))


def media(body: Buffer, media: MediaType, value: Parameter | None) -> MediaType:
    """Return what a body of `media` is, for the parameter whose value it may be."""
    kind = value.kind if value is not None else "value"
    named = media.name not in ("", FORM)
    if kind == "bytes" or (kind == "text" and named):
        return media if media.name == TEXT else _UNNAMED
    if kind == "text":
        return MediaType(JSON if json_text.is_document(body, b"{") else "", media.charset)
    if kind == "image" and is_picture(body):
        return _UNNAMED
    if kind == "tensor" and getattr(value, "is_text", False):
        return _OCTETS if named else _UNNAMED
    if kind == "tensor" and not named and getattr(value, "is_number", False) and json_text.is_document(body, _SCALAR):
        return MediaType(JSON)  # `curl -d 5.25` is no raw float32
    if json_text.is_document(body) or (kind == "value" and not named):
        return MediaType(JSON)
    if media.name == TEXT or (kind == "value" and named):
        return media
    return _OCTETS if named else _UNNAMED


def is_text(body: Buffer, media: MediaType) -> bool:
    """Tell whether a JSON or msgpack document is a text, or msgpack's bytes: what `bytes` are written as in them."""
    if media.is_msgpack:
        return body[0] in (0xC4, 0xC5, 0xC6)
    return json_text.begins(body) == b'"'
