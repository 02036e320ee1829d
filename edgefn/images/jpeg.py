"""JPEG files cut short: whether all is there but the end marker, and how to end one so that it decodes.

Source: ITU-T T.81, annex B (markers) and G.1.1 (progressive scans).
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

END = b"\xff\xd9"

CONTINUATIONS = (b"", b"\xaa" * 16, b"\xfe" * 16)
"""What may be put before a missing end. Bits that are missing are read from it, so the pixels differ; when all bits
are there they do not. libjpeg reads zeros where there is nothing."""

_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_READ = frozenset({0xC0, 0xC1, 0xC2})
"""Frames that are read: baseline, extended and progressive, all with Huffman codes."""
_PROGRESSIVE = 0xC2
_SCAN, _END = 0xDA, 0xD9


class Marker(NamedTuple):
    """A marker, and the segment after it without its length."""

    kind: int
    segment: bytes


def lacks_end(data: bytes) -> bool:
    """Return whether `data` holds pixels, and ends without an end marker."""
    kinds = [marker.kind for marker in _markers(data)]
    return _SCAN in kinds and _END not in kinds


def ended(data: bytes, continuation: bytes = b"") -> bytes:
    """Return `data` with `continuation` and an end marker after it."""
    return data.removesuffix(b"\xff") + continuation + END


def has_all_scans(data: bytes) -> bool:
    """Return whether every coefficient that a file of this kind has was begun to be sent in full."""
    components, progressive = 0, False
    sent: dict[int, set[int]] = {}
    for kind, segment in _markers(data):
        if kind in _FRAMES and len(segment) > 5:
            components, progressive = segment[5], kind == _PROGRESSIVE
        elif kind == _SCAN and len(segment) >= 4 + 2 * segment[0]:
            first, last, approximation = segment[1 + 2 * segment[0] :][:3]
            for place in range(segment[0]):
                coefficients = sent.setdefault(segment[1 + 2 * place], set())
                if not progressive:
                    coefficients.update(range(64))
                elif not approximation & 15:  # all bits, none left for a later scan
                    coefficients.update(range(first, last + 1))
    return len(sent) >= components and all(len(coefficients) == 64 for coefficients in sent.values())


def unread_frame(data: bytes) -> str:
    """Return what kind of JPEG `data` is when it is one that is not read, else nothing."""
    kind = next((marker.kind for marker in _markers(data) if marker.kind in _FRAMES), 0xC0)
    if kind in _READ:
        return ""
    return {0xC3: "lossless", 0xC7: "lossless", 0xCB: "lossless", 0xCF: "lossless"}.get(
        kind, "arithmetic coding" if kind > 0xC8 else "hierarchical"
    )


def _markers(data: bytes) -> Iterator[Marker]:
    """Yield the markers of `data` up to its end, without those inside a scan's codes."""
    place = 2
    while (place := data.find(b"\xff", place)) >= 0 and place + 1 < len(data):
        kind = data[place + 1]
        if kind in (0x00, 0xFF) or 0xD0 <= kind <= 0xD7:  # a stuffed byte, a fill byte, a restart
            place += 1 if kind == 0xFF else 2
            continue
        if kind in (_END, 0xD8, 0x01):
            yield Marker(kind, b"")
            if kind == _END:
                return
            place += 2
            continue
        length = int.from_bytes(data[place + 2 : place + 4], "big")
        yield Marker(kind, data[place + 4 : place + 2 + length])
        place += 2 + max(length, 2)
