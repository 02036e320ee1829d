"""The BigTIFFs of big-endian machines, in the form that Pillow reads.

Source: AWare Systems, "The BigTIFF File Format Proposal"; Adobe, TIFF 6.0.
"""

from __future__ import annotations

import struct
from typing import Any

from edgefn.images.files.tiff import MAX_PAGES

_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
"""Bytes of a value, by TIFF's type."""
_NUMBERS = {3: "H", 4: "I", 9: "i", 16: "Q", 17: "q", 18: "Q"}
_CLASSIC = {16: 4, 17: 9, 18: 4}
"""BigTIFF's types of 8 bytes, and those of 4 that hold the same in a file below 4 GiB."""
_ELSEWHERE = frozenset({330, 34665, 34853, 40965})
"""Tags that point to further directories, which are left behind: no pixel hangs on them."""
_STRIPS = ((273, 279), (324, 325))
"""Tags of the offsets and lengths of strips, and of tiles."""
_PIXELS = frozenset(tag for pair in _STRIPS for tag in pair)
_MAX_ENTRIES = 1000


def classic(data: bytes) -> bytes:
    """Return a big-endian BigTIFF as a TIFF, which Pillow reads: the same data, its directories anew at the end.

    Raises struct.error, KeyError or ValueError when `data` is damaged.
    """
    (place,) = struct.unpack_from(">Q", data, 8)
    made = bytearray(b"MM\0*\0\0\0\0" + data[8:])
    link, seen = 4, set[int]()
    while place and place not in seen and len(seen) < MAX_PAGES:
        if len(made) > 2 * len(data):
            raise ValueError("its directories hold more than the file")
        seen.add(place)
        (count,) = struct.unpack_from(">Q", data, place)
        entries = range(place + 8, place + 8 + 20 * min(count, _MAX_ENTRIES), 20)
        _check_pixels(data, {tag: _values(data, at) for at in entries if (tag := _tag(data, at)) in _PIXELS})
        kept = [_entry(data, at, made) for at in entries if _tag(data, at) not in _ELSEWHERE]
        made += b"\0" * (len(made) % 2)
        struct.pack_into(">I", made, link, len(made))
        made += struct.pack(">H", len(kept)) + b"".join(kept)
        link = len(made)
        made += b"\0\0\0\0"
        (place,) = struct.unpack_from(">Q", data, place + 8 + 20 * count)
    return bytes(made)


def _tag(data: bytes, entry: int) -> int:
    return int.from_bytes(data[entry : entry + 2], "big")


def _values(data: bytes, entry: int) -> tuple[int, tuple[Any, ...]]:
    """Return TIFF's type of an entry's values, and these; bytes where they are no numbers that become shorter."""
    _, kind, count, offset = struct.unpack_from(">HHQQ", data, entry)
    size = _SIZES[kind] * count
    start = entry + 12 if size <= 8 else offset
    values = data[start : start + size]
    if len(values) < size:
        raise ValueError("a tag's values are missing")
    return kind, struct.unpack(f">{count}{_NUMBERS[kind]}", values) if kind in _NUMBERS else (values,)


def _check_pixels(data: bytes, found: dict[int, tuple[int, tuple[Any, ...]]]) -> None:
    """Raise ValueError when strips or tiles end beyond `data`.

    The appended bytes would be taken for their pixels.
    """
    for offsets, lengths in _STRIPS:
        for offset, length in zip(found.get(offsets, (0, ()))[1], found.get(lengths, (0, ()))[1], strict=True):
            if offset + length > len(data):
                raise ValueError("image file is truncated")


def _entry(data: bytes, entry: int, made: bytearray) -> bytes:
    """Return a directory's entry in the classic form, its values appended to `made` where 4 bytes do not hold them."""
    tag, _, count = struct.unpack_from(">HHQ", data, entry)
    kind, values = _values(data, entry)
    kind = _CLASSIC.get(kind, kind)
    packed = struct.pack(f">{count}{_NUMBERS[kind]}", *values) if kind in _NUMBERS else values[0]
    if len(packed) > 4:
        at = len(made)
        made += packed
        packed = struct.pack(">I", at)
    return struct.pack(">HHI", tag, kind, count) + packed.ljust(4, b"\0")
