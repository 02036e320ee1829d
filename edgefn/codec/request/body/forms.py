"""Forms: a multipart or urlencoded body, or a query string, as a list of named fields.

It knows nothing of the function's parameters. Every fault of the form itself is an InputError.
"""

from __future__ import annotations

import binascii
from collections.abc import Sequence
from functools import cache
from typing import TYPE_CHECKING

import msgspec

from edgefn.codec.media_types import MediaType, media_type
from edgefn.codec.request.body import json_text
from edgefn.codec.request.body.disposition import names
from edgefn.codec.request.validation import shortened
from edgefn.errors import InputError

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

_BLANKS = b" \t\r\n"
"""What lines of mail are broken and filled with."""

_NESTED = "multipart/mixed"
"""Several files of one name, as browsers sent them before RFC 7578 (4.3)."""

_UTF8 = MediaType("")

_PIECE = 1 << 16
"""Bytes that are unescaped at a time; an escape has three."""

MAX_FIELDS = 1000
"""No handler has so many parameters; a form with more is built to cost time."""


class FormField(msgspec.Struct):
    """One field of a form. `media.name` is empty and `filename` None where the form says neither."""

    name: str
    data: bytes
    media: MediaType = MediaType("")
    filename: str | None = None

    @property
    def is_file(self) -> bool:
        """Tell whether `data` is a file's content rather than text that was typed in."""
        return self.filename is not None or self.media.name not in ("", "text/plain")

    @property
    def is_json_text(self) -> bool:
        """Tell whether it is a text that is written as JSON, in quotes; a file is its content."""
        return self.media.is_json and self.filename is None and json_text.begins(self.data) == b'"'

    @property
    def is_json_null(self) -> bool:
        """Tell whether it is JSON's `null`, and no file."""
        return self.media.is_json and self.filename is None and self.data.strip() == b"null"

    @property
    def is_unchosen(self) -> bool:
        """Tell whether the field is a file input in which the user of a browser chose no file."""
        return self.filename == "" and not self.data


def urlencoded(text: bytes | bytearray | memoryview | str, media: MediaType = _UTF8) -> list[FormField]:
    """Return the fields of a query string or an `application/x-www-form-urlencoded` body, sent as `media`.

    UTF-8 that is not escaped is read, too: `curl -d name=é` sends it (WHATWG URL, 5.1).
    """
    try:
        data = text.encode() if isinstance(text, str) else bytes(text)
        if data.count(b"&") >= MAX_FIELDS:
            raise InputError(f"the form or query has more than {MAX_FIELDS} fields")
        fields = [_of_pair(pair) for pair in data.split(b"&") if pair]
    except UnicodeError as error:
        advice = (
            ""
            if isinstance(text, str)
            else "; send a file as a part of a multipart form, or under its own content type"
        )
        raise InputError(f"the form or query is not urlencoded UTF-8: {error}{advice}") from error
    if not media.is_utf8:
        _check_charset(fields, media)
    return fields


def _of_pair(pair: bytes) -> FormField:
    name, _, value = pair.partition(b"=")
    value = unescaped(value)
    str(value, "utf-8")
    return FormField(unescaped(name).decode(), value)


def unescaped(text: bytes) -> bytes:
    """Return `text` without its escapes and with blanks for plus signs.

    It goes piece by piece: urllib holds over a hundred bytes for each escape.
    """
    from urllib.parse import unquote_to_bytes

    text = text.replace(b"+", b" ")
    if b"%" not in text:
        return text
    found, begin = bytearray(), 0
    while begin < len(text):
        end = begin + _PIECE
        end -= 1 if text[end - 1 : end] == b"%" else 2 if text[end - 2 : end - 1] == b"%" else 0
        found += unquote_to_bytes(text[begin:end])
        begin = end
    return bytes(found)


def _check_charset(fields: Sequence[FormField], media: MediaType) -> None:
    for field in fields:
        if not media.reads_as_utf8(field.name.encode() + field.data):
            raise InputError(f"is sent as {shortened(media.charset)}; send UTF-8", field=shortened(field.name))


def multipart(body: bytes | bytearray | memoryview, media: MediaType) -> list[FormField]:
    """Return the fields of a `multipart/form-data` body (RFC 7578), sent as `media`."""
    from python_multipart.exceptions import FormParserError
    from python_multipart.multipart import MultipartParser

    if not media.boundary:
        raise InputError("the multipart content type has no boundary; let the HTTP client write that header")
    _keep_quiet()
    parts = _Parts()
    try:
        # python-multipart wants bytes, and boundaries are ASCII (RFC 2046).
        parser = MultipartParser(media.boundary.encode("ascii"), parts.callbacks())
        parser.write(bytes(body))
        parser.finalize()
        if not parts.ended:
            raise InputError("the multipart body ends before its last boundary; send all of it")
        return [_field(headers, data, media.charset) for headers, data in parts.found]
    except (FormParserError, UnicodeError) as error:
        raise InputError(f"the multipart body is malformed: {error}") from error


def _field(headers: dict[bytes, bytes], data: bytes, charset: str) -> FormField:
    name, filename = names(headers.get(b"content-disposition", b""))
    media = media_type(headers.get(b"content-type", b"").decode("latin-1"))
    if media.name == _NESTED:
        raise InputError("is a nested form; send each of its files as a part of that name", field=name)
    return FormField(
        name,
        _plain(data, headers.get(b"content-transfer-encoding", b"")),
        media if media.charset else media._replace(charset=charset),
        filename,
    )


def _plain(data: bytes, encoding: bytes) -> bytes:
    """Return `data` without a coding of mail, which RFC 7578 (4.7) has done away with, and some clients still use."""
    try:
        match encoding.strip().lower():
            case b"base64":
                return binascii.a2b_base64(data.translate(None, _BLANKS), strict_mode=True)
            case b"quoted-printable":
                return binascii.a2b_qp(data)
    except binascii.Error as error:
        raise InputError(f"a part of the multipart body is declared as base64 but is not: {error}") from error
    return data


@cache
def _keep_quiet() -> None:
    import logging

    # It logs each malformed body as a warning, which would stand beside our InputError in the function's log.
    logging.getLogger("python_multipart").addHandler(logging.NullHandler())


class _Parts:
    """Collects what python-multipart calls back with: headers and data of each part."""

    def __init__(self) -> None:
        self.found: list[tuple[dict[bytes, bytes], bytes]] = []
        self.ended = False
        self._headers: dict[bytes, bytes] = {}
        self._header: list[bytes] = []
        self._value: list[bytes] = []
        self._data: list[bytes] = []

    def callbacks(self) -> MultipartCallbacks:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._header.append(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.append(data[start:end]),
            "on_header_end": self._end_header,
            "on_part_data": lambda data, start, end: self._data.append(data[start:end]),
            "on_part_end": lambda: self.found.append((self._headers, b"".join(self._data))),
            "on_end": self._end,
        }

    def _begin(self) -> None:
        if len(self.found) >= MAX_FIELDS:
            raise InputError(f"the multipart body has more than {MAX_FIELDS} parts")
        self._headers, self._data = {}, []

    def _end_header(self) -> None:
        self._headers[b"".join(self._header).lower()] = b"".join(self._value)
        self._header, self._value = [], []

    def _end(self) -> None:
        self.ended = True
