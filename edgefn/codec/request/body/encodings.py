"""Content-Encoding: a request's body as it was before its sender compressed it (RFC 9110, 8.4).

It never gives more bytes than it is allowed to: a small body may unpack to gigabytes.
"""

from __future__ import annotations

import zlib

from edgefn.codec.request.validation import shortened
from edgefn.errors import BodyTooLarge, InputError, UnsupportedEncoding

_GZIP, _ZLIB, _RAW = 16 + zlib.MAX_WBITS, zlib.MAX_WBITS, -zlib.MAX_WBITS
"""zlib's names for the three containers of deflate."""

_FIRST_PIECE = 1 << 10
"""Bytes that a member is tried with; each next piece is twice as long. zlib copies what lies behind a member's end, so
that many small members, each tried with the whole rest, would take the square of the body's length."""

Buffer = bytes | bytearray | memoryview


def decoded(body: Buffer, encoding: str, most: int) -> Buffer:
    """Return `body` without its coding: gzip, deflate or none; at most `most` bytes.

    Raise UnsupportedEncoding, BodyTooLarge, and InputError for a body that is not what its header says.
    """
    coding = encoding.strip().lower()
    if coding in ("", "identity"):
        return body
    if coding in ("gzip", "x-gzip"):
        return _inflated(body, "gzip", _GZIP, most)
    if coding == "deflate":
        # Some senders leave out zlib's header, whose first byte names method 8 and whose first two divide by 31.
        zlib_header = len(body) > 1 and body[0] & 0x0F == 8 and (body[0] << 8 | body[1]) % 31 == 0
        return _inflated(body, "deflate", _ZLIB if zlib_header else _RAW, most)
    raise UnsupportedEncoding(f"the body is encoded as {shortened(coding)!r}; send it as gzip, deflate or unencoded")


def _inflated(body: Buffer, coding: str, container: int, most: int) -> bytes:
    found = bytearray()
    begin = 0
    try:
        while begin < len(body):  # a gzip file may have several members
            begin = _inflate(body, begin, coding, container, found, most)
            if coding == "deflate" and begin < len(body):
                raise InputError("the body is sent as deflate and has bytes after its end")
    except zlib.error as error:
        raise InputError(f"the body is sent as {coding} but is not valid {coding}: {error}") from error
    return bytes(found)


def _inflate(body: Buffer, begin: int, coding: str, container: int, found: bytearray, most: int) -> int:
    """Unpack the member at `begin` and add it to `found`; return where the member ends."""
    view, stream, size = memoryview(body), zlib.decompressobj(container), _FIRST_PIECE
    while begin < len(body):
        piece = view[begin : begin + size]
        found += stream.decompress(piece, most - len(found) + 1)
        if len(found) > most:
            raise BodyTooLarge(f"the body unpacks to over {most} bytes; raise max_body in its @edge_function")
        begin += len(piece) - len(stream.unused_data)
        if stream.eof:
            return begin
        size *= 2
    raise InputError(f"the body is sent as {coding} and is cut off; send all of it")
