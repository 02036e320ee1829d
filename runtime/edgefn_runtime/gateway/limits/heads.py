"""A request's head: how large it may be, and which heads two readers could read in two ways (RFC 9112).

A reader that reads such a head otherwise than a proxy before the box would find another request in the same bytes. The
parser refuses most of them; this refuses the rest. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import NoReturn

from starlette.exceptions import HTTPException

from edgefn.errors import InputError

MAX_HEAD_BYTES = 1 << 16
"""Of a head, or of the trailer of a chunked body."""
MAX_FIELDS = 100
"""Of a head, or of a trailer: a field of four bytes takes a hundred in the box."""
MAX_TARGET_BYTES = 1 << 14
"""Path and query together."""
_MAX_LENGTH_DIGITS = 19
TINY_BYTES = 16
MAX_TINY = 4096
"""Chunks of a body below TINY_BYTES: one of a byte costs as much to parse as one of a kilobyte."""

Headers = Sequence[tuple[bytes, bytes]]
Fields = dict[bytes, bytes]

_ONCE = frozenset({b"host", b"content-length", b"transfer-encoding"})
"""Two of one of these are two opinions about where the request goes, or where it ends."""

_HOST = re.compile(rb"(?:[A-Za-z0-9._~%-]{1,255}|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{0,5})?")
_FRAME = len(b": \r\n")


def check_size(target: bytes, headers: Headers) -> None:
    """Refuse a head that is over a bound. Raises HTTPException, 414 or 431."""
    if len(target) > MAX_TARGET_BYTES:
        raise HTTPException(
            414, f"path and query have over {MAX_TARGET_BYTES} bytes; send the data as a body with POST"
        )
    size = len(target) + sum(len(name) + len(value) + _FRAME for name, value in headers)
    if len(headers) > MAX_FIELDS or size > MAX_HEAD_BYTES:
        refuse_size()


def refuse_size() -> NoReturn:
    """Raise the refusal of a head, or of a trailer, that is over a bound: HTTPException, 431."""
    raise HTTPException(
        431, f"a head, or a trailer, has over {MAX_HEAD_BYTES} bytes or over {MAX_FIELDS} fields: send fewer"
    )


def too_many_tiny() -> InputError:
    """Return the refusal of a body that comes in too many tiny pieces."""
    return InputError(f"the body comes in over {MAX_TINY} chunks of under {TINY_BYTES} bytes: send larger ones")


def joined(headers: Iterable[tuple[bytes, bytes]]) -> Fields:
    """Return the fields by name; the values of a repeated field are in order (RFC 9110, 5.3).

    Raises InputError where a field is repeated that may be there once only.
    """
    found: dict[bytes, list[bytes]] = {}
    for name, value in headers:
        found.setdefault(name, []).append(value)
    for name in _ONCE & found.keys():
        if len(found[name]) > 1:
            raise InputError(f"the request has {len(found[name])} {name.decode().title()} fields: send one")
    return {name: b", ".join(values) for name, values in found.items()}


def content_length(value: bytes | None) -> int:
    """Return the length that a head declares, 0 where there is none. Raises InputError."""
    if value is None:
        return 0
    if not value.isdigit() or len(value) > _MAX_LENGTH_DIGITS:
        raise InputError(f"Content-Length is {value[:40].decode('latin-1')!r}: send a number of bytes")
    return int(value)


def check_version(version: str) -> None:
    """Refuse a version other than HTTP/1.1 and HTTP/1.0. Raises HTTPException, 505."""
    if version not in ("1.0", "1.1"):
        raise HTTPException(505, f"this box supports HTTP/1.1, not HTTP/{version}")


def check_coding(fields: Fields, version: str) -> None:
    """Refuse a transfer coding other than `chunked` (RFC 9112, 6.1).

    Raises HTTPException 501, or InputError.
    """
    value = fields.get(b"transfer-encoding")
    if value is None:
        return
    codings = [one.strip().lower() for one in value.split(b",")]
    if b"content-length" in fields:
        raise InputError("the request has both Transfer-Encoding and Content-Length: send one of them")
    if version != "1.1":
        raise InputError(f"HTTP/{version} has no Transfer-Encoding: send Content-Length")
    if codings[-1] != b"chunked" or codings.count(b"chunked") > 1 or b"" in codings:
        raise InputError(
            "Transfer-Encoding does not end in one `chunked`, so the end of the body is unknown: send it chunked"
        )
    if len(codings) > 1:
        raise HTTPException(501, "the body has a transfer coding that the box does not support: send it only chunked")


def check_host(host: bytes | None, version: str) -> None:
    """Refuse a Host that is missing or is no host (RFC 9112, 3.2). Raises InputError."""
    if host is None:
        if version == "1.1":
            raise InputError("the request has no Host field: HTTP/1.1 requires one")
    elif not _HOST.fullmatch(host):
        raise InputError(f"Host is {host[:80].decode('latin-1')!r}: send the box's name or address, and its port")
