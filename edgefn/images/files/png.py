"""PNG files by their chunks: EXIF without a decode, and what is left of a file that was cut short.

Source: Portable Network Graphics (Third Edition), W3C, 5.3 (chunks), 7.2 (scanlines), 8 (interlace).
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

_SIGNATURE = 8
_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
"""Samples of a pixel, by colour type."""
_PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
"""Adam7: first column, first row, column step, row step."""
_PIECE = 2**12
"""Bytes that are inflated at once: a fault costs no more than what they hold."""
GREY = b"\x80"


def exif(data: bytes) -> bytes | None:
    """Return the first eXIf block of `data`, which may stand after the pixels."""
    return next((body for kind, body in _chunks(data) if kind == b"eXIf"), None)


def transparent(data: bytes, found: object) -> object:
    """Return the transparent colour of `data` in 8 bits, where Pillow has `found` it in those of the file.

    It scales pixels of 2 and 4 bits of grey up, and those of 16 bits of a colour down, and not this.
    """
    depth, colour = data[24], data[25]
    if colour == 0 and depth in (2, 4) and isinstance(found, int):
        return found * 255 // (2**depth - 1)
    if colour == 2 and depth == 16 and isinstance(found, tuple):
        return tuple(value >> 8 for value in found)
    return found


def completed(data: bytes) -> bytes | None:
    """Make a whole file of the remaining `data`, with the missing rows grey; return None without a row."""
    head: list[tuple[bytes, bytes]] = []
    deflated: list[bytes] = []
    for kind, body in _chunks(data):
        if kind == b"IDAT":
            deflated.append(body)
        elif deflated:
            break
        elif kind not in (b"acTL", b"fcTL"):  # one picture is left, no animation
            head.append((kind, body))
    if not deflated or not head or len(head[0][1]) != 13:
        return None
    rows = _inflated(deflated)
    missing = _raw_bytes(head[0][1])[len(rows) :]
    chunks = [*head, (b"IDAT", zlib.compress(rows + missing, 1)), (b"IEND", b"")]
    return data[:_SIGNATURE] + b"".join(_chunk(kind, body) for kind, body in chunks)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield (kind, body) of each chunk; the last body may be cut short. Checksums are not looked at."""
    place = _SIGNATURE
    while place + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, place)
        yield kind, data[place + 8 : place + 8 + length]
        place += 12 + length


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I4s", len(body), kind) + body + struct.pack(">I", zlib.crc32(kind + body))


def _inflated(deflated: list[bytes]) -> bytes:
    stream, found = zlib.decompressobj(), bytearray()
    joined = b"".join(deflated)
    try:
        for place in range(0, len(joined), _PIECE):
            found += stream.decompress(joined[place : place + _PIECE])
    except zlib.error:
        pass  # what came before it is whole
    return bytes(found)


def _raw_bytes(header: bytes) -> bytes:
    """Return all scanlines of a grey picture, unfiltered, as a file of `header` (IHDR) holds them."""
    width, height, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    bits = depth * _CHANNELS.get(colour, 1)
    raw = bytearray()
    for left, top, across, down in _PASSES if interlaced else ((0, 0, 1, 1),):
        columns, rows = -(-(width - left) // across), -(-(height - top) // down)
        if columns > 0 and rows > 0:
            raw += (b"\0" + GREY * -(-columns * bits // 8)) * rows
    return bytes(raw)
