"""The size of a WebP from its first bytes: Pillow's reader allocates two canvases of it before it can be asked.

Source: RFC 9649 (2.7 VP8X, 3.4 VP8L), RFC 6386, 9.1 (VP8).
"""

from __future__ import annotations

CANVAS_BYTES = 8
"""What Pillow's reader allocates for each pixel as it opens a file: two RGBA canvases."""


def size(data: bytes) -> tuple[int, int]:
    """Return (width, height) of the WebP `data`; (0, 0) when it is cut before them, or of no known kind."""
    kind, body = data[12:16], data[20:30]
    if len(body) < 10:
        return 0, 0
    if kind == b"VP8X":
        return 1 + int.from_bytes(body[4:7], "little"), 1 + int.from_bytes(body[7:10], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    if kind == b"VP8 ":
        return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF
    return 0, 0
