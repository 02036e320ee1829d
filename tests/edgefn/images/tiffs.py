"""TIFF files written by hand, byte by byte: those that Pillow does not write."""

from __future__ import annotations

import struct
from typing import Any, Literal

from numpy.typing import NDArray

Order = Literal["<", ">"]
Tags = dict[int, tuple[int, int]]
"""Tag → (TIFF's type, value)."""


def tiff(
    *pages: NDArray[Any],
    order: Order = "<",
    big: bool = False,
    white_is_zero: bool = False,
    more: Tags | None = None,
    bits: int = 0,
    packed: bytes = b"",
) -> bytes:
    """A TIFF or BigTIFF of grey or RGB pages, in either byte order; or of `packed` values of `bits` in their place."""
    head = (b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42)
    file = bytearray(head + (struct.pack(order + "HHQ", 8, 0, 0) if big else struct.pack(order + "I", 0)))
    link = 8 if big else 4
    for page in pages:
        data = packed or page.astype(page.dtype.newbyteorder(order)).tobytes()
        strip = len(file)
        file += data + b"\0" * (len(data) % 2)
        directory = _directory(page, strip, len(data), bits, 0 if white_is_zero else 1, more or {})
        struct.pack_into(order + ("Q" if big else "I"), file, link, len(file))
        file += struct.pack(order + ("Q" if big else "H"), len(directory))
        for tag, (kind, value) in sorted(directory.items()):
            file += struct.pack(order + ("HHQ" if big else "HHI"), tag, kind, 1)
            file += struct.pack(order + {3: "H", 4: "I"}[kind], value).ljust(8 if big else 4, b"\0")
        link = len(file)
        file += bytes(8 if big else 4)
    return bytes(file)


def _directory(page: NDArray[Any], strip: int, length: int, bits: int, grey: int, more: Tags) -> Tags:
    return {
        256: (4, page.shape[1]),
        257: (4, page.shape[0]),
        258: (3, bits or page.dtype.itemsize * 8),
        259: (3, 1),
        262: (3, grey if page.ndim == 2 else 2),
        273: (4, strip),
        277: (3, 1 if page.ndim == 2 else page.shape[2]),
        278: (4, page.shape[0]),
        279: (4, length),
        339: (3, {"u": 1, "i": 2, "f": 3}[page.dtype.kind]),
    } | more
