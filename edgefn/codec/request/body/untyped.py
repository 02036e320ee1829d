"""Bodies whose content type says nothing: what they are, by their first bytes and by what the function wants.

`curl -d` calls everything an urlencoded form, browsers call a text of JSON `text/plain`, and many clients call whatever
they send octets.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from edgefn.codec.media_types import FORM, JSON, OCTETS, TEXT, MediaType
from edgefn.codec.request.body import json_text
from edgefn.codec.request.body.file_kinds import is_picture
from edgefn.codec.request.body.forms import MAX_FIELDS, unescaped
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

_MSGPACK_TEXTS = frozenset({0xC4, 0xC5, 0xC6, 0xD9, 0xDA, 0xDB})
"""The first bytes of bytes and of texts of over 31 bytes."""

_NIL = 0xC0
"""msgpack's null."""

_SCALAR = b"-0123456789tf"
"""What a number or a truth value begins with in JSON."""

_ENCODED = re.compile(rb"[!-~]+")
_FIELD = re.compile(rb"[\w.%+*~\[\]-]+=[^=]*")
_MAX_NAME = 256

_UNNAMED, _OCTETS = MediaType(""), MediaType(OCTETS)


def is_form(body: Buffer, media: MediaType, parameters: Iterable[Parameter], value: Parameter | None) -> bool:
    """Tell whether a body that is declared as an urlencoded form is one.

    Clients encode a form, so that it has no blanks in it; a form typed by hand begins with a parameter's name. A text
    or an array that looks like an encoded form is one, whatever its names are; bytes are one if a parameter's name is
    there.
    """
    if media.name != FORM:
        return False
    data = bytes(body)
    if json_text.is_document(data) or b"=" not in data:
        return False
    if value is None or value.kind == "value":
        return True
    names = {name.encode() for one in parameters for name in (one.name, f"{one.name}[]")}
    is_encoded = _ENCODED.fullmatch(data) is not None
    fields = data.split(b"&", MAX_FIELDS) if is_encoded else [data[:_MAX_NAME].lstrip()]
    if any(unescaped(field.partition(b"=")[0]) in names for field in fields if b"=" in field):
        return True
    return is_encoded and not value.takes_files and _looks_encoded(fields)


def _looks_encoded(fields: Sequence[bytes]) -> bool:
    """Tell whether all are fields of a form, and neither base64, which ends with its equals signs, nor a formula."""
    given = [field for field in fields if field]
    return all(map(_FIELD.fullmatch, given)) and (len(given) > 1 or not given[0].endswith(b"="))


def media(body: Buffer, media: MediaType, value: Parameter | None) -> MediaType:
    """Return the actual content type of a body of `media`, for the parameter whose value it may be."""
    kind = value.kind if value is not None else "value"
    named = media.name not in ("", FORM)
    if kind == "bytes" or (kind == "text" and named):
        return media if media.name == TEXT else _UNNAMED
    if kind == "text":
        return MediaType(JSON if json_text.is_document(body, b"{") else "", media.charset)
    if kind == "image" and is_picture(body):
        return _UNNAMED
    if kind == "tensor" and value is not None and value.takes_files:
        return _OCTETS if named else _UNNAMED
    if kind == "tensor" and not named and getattr(value, "is_number", False) and json_text.is_document(body, _SCALAR):
        return MediaType(JSON)  # `curl -d 5.25` is no raw float32
    if json_text.is_document(body) or (kind == "value" and not named):
        return MediaType(JSON, media.charset)
    if media.name == TEXT or (kind == "value" and named):
        return media
    return _OCTETS if named else _UNNAMED


def is_text(body: Buffer, media: MediaType, *, nullable: bool) -> bool:
    """Tell whether a JSON or msgpack document is a text, or msgpack's bytes: what `bytes` are written as in them.

    `null` is it, too, for those that are `nullable`.
    """
    if media.is_msgpack:
        return body[0] in _MSGPACK_TEXTS or body[0] & 0xE0 == 0xA0 or (nullable and len(body) == 1 and body[0] == _NIL)
    begins = json_text.begins(body)
    return begins == b'"' or (nullable and begins == b"n" and json_text.is_document(body, b"n"))
