"""A part's Content-Disposition: the name of its field, and of its file.

Browsers write names in UTF-8 (RFC 7578, 5.1). aiohttp and older versions of requests escape what is not ASCII
(RFC 8187, `name*=utf-8''gr%C3%B6%C3%9Fe`), .NET writes it as mail does (RFC 2047, `=?utf-8?B?Z3LDtsOfZQ==?=`).
"""

from __future__ import annotations

import binascii
import re

from edgefn.codec.media_types import split_header
from edgefn.errors import InputError

_ESCAPED = re.compile(r"(?i)\s*(name|filename)\*\s*=\s*\"?utf-8'[^']*'([^\"]*)\"?\s*")
_OF_MAIL = re.compile(rb"(?i)=\?utf-8\?b\?([a-z0-9+/=]*)\?=")


def names(header: bytes) -> tuple[str, str | None]:
    """Return the names of a field and of its file, None where it is no file.

    Raise InputError and UnicodeError.
    """
    from python_multipart.multipart import parse_options_header

    disposition, options = parse_options_header(header)
    if b"*" in header:
        options = _escaped(header) | options
    name, filename = options.get(b"name"), options.get(b"filename")
    if disposition != b"form-data" or name is None:
        raise InputError('a part of the multipart body has no `Content-Disposition: form-data; name="..."`')
    if name.startswith(b"=?") and (word := _OF_MAIL.fullmatch(name)):
        name = _decoded(word[1])
    return name.decode(), None if filename is None else filename.decode(errors="replace")


def _escaped(header: bytes) -> dict[bytes, bytes]:
    from urllib.parse import unquote_to_bytes

    found = map(_ESCAPED.fullmatch, split_header(header.decode("latin-1"), ";"))
    return {one[1].lower().encode(): unquote_to_bytes(one[2].strip()) for one in found if one is not None}


def _decoded(word: bytes) -> bytes:
    try:
        return binascii.a2b_base64(word, strict_mode=True)
    except binascii.Error as error:
        raise InputError(
            f"the name of a part of the multipart body is declared as base64 but is not: {error}"
        ) from error
