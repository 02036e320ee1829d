"""JPEG files cut short: whether all is there but the end marker, and how to end one so that it decodes.

Source: ITU-T T.81, annex B (markers) and G.1.1 (progressive scans).
"""

from __future__ import annotations

from collections.abc import Iterator
from math import ceil
from typing import NamedTuple

END = b"\xff\xd9"

CONTINUATIONS = (b"", *(bytes([byte]) * 4096 for byte in (0xAA, 0x33, 0xFE)))
"""What may be put before a missing end. Bits that are missing are read from it, so the pixels differ; when all bits
are there they do not. libjpeg reads zeros where there is nothing. Each is longer than the largest coded unit (10 blocks
of 64 coefficients of 26 bits), of which only some blocks may be seen."""

_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})
_READ = frozenset({0xC0, 0xC1, 0xC2})
"""Frames that are read: baseline, extended and progressive, all with Huffman codes."""
_PROGRESSIVE = 0xC2
_SCAN, _END, _INTERVAL = 0xDA, 0xD9, 0xDD
_RESTARTS = range(0xD0, 0xD8)
_ALONE = frozenset({*_RESTARTS, 0x01, 0xD8, _END})
"""Markers without a segment."""


class Marker(NamedTuple):
    """A marker, the segment after it without its length, and where both begin and end."""

    kind: int
    segment: bytes
    start: int
    end: int


class _Frame(NamedTuple):
    """What a frame's header says: its size, the sampling factors of its components, whether it is progressive."""

    width: int
    height: int
    sampling: dict[int, tuple[int, int]]
    progressive: bool

    def units(self, components: bytes) -> int:
        """Return how many minimum coded units a scan of `components` has (A.2)."""
        across = max(one for one, _ in self.sampling.values())
        down = max(one for _, one in self.sampling.values())
        if len(components) > 1:
            return ceil(self.width / (8 * across)) * ceil(self.height / (8 * down))
        own = self.sampling[components[0]]
        return ceil(ceil(self.width * own[0] / across) / 8) * ceil(ceil(self.height * own[1] / down) / 8)


def lacks_end(data: bytes) -> bool:
    """Return whether `data` holds pixels, and ends without an end marker."""
    kinds = [marker.kind for marker in _markers(data)]
    return _SCAN in kinds and _END not in kinds


def ended(data: bytes, continuation: bytes = b"") -> bytes:
    """Return `data` with `continuation` and an end marker after it, without a last segment that was cut.

    Zeros at its end are no codes: a buffer was larger than the file.
    """
    *_, last = _markers(data)
    whole = data[: last.start] if last.end > len(data) else data
    return whole.rstrip(b"\0").removesuffix(b"\xff") + continuation + END


def has_all_scans(data: bytes) -> bool:
    """Return whether the last bits of all that a file of this kind has were begun to be sent.

    Each coefficient of each component stands in some scan, and each scan has all of its restarts.
    """
    frame: _Frame | None = None
    interval, restarts = 0, 0
    sent: dict[int, set[int]] = {}
    for marker in _markers(data):
        if marker.kind in _RESTARTS:
            restarts -= 1
        elif marker.kind == _INTERVAL and len(marker.segment) >= 2:
            interval = int.from_bytes(marker.segment[:2], "big")
        elif marker.kind in _FRAMES:
            frame = _frame(marker)
        elif marker.kind == _SCAN:
            if frame is None or restarts > 0 or len(marker.segment) < 4 + 2 * marker.segment[0]:
                return False
            components = marker.segment[1 : 1 + 2 * marker.segment[0] : 2]
            first, last, approximation = marker.segment[1 + 2 * marker.segment[0] :][:3]
            restarts = ceil(frame.units(components) / interval) - 1 if interval else 0
            for component in components:
                if not frame.progressive:
                    sent.setdefault(component, set()).update(range(64))
                elif not approximation & 15:  # all bits, none left for a later scan
                    sent.setdefault(component, set()).update(range(first, last + 1))
    return (
        frame is not None and restarts <= 0 and all(len(sent.get(component, ())) == 64 for component in frame.sampling)
    )


def unread_frame(data: bytes) -> str:
    """Return what kind of JPEG `data` is when it is one that is not read, else nothing."""
    kind = next((marker.kind for marker in _markers(data) if marker.kind in _FRAMES), 0xC0)
    if kind in _READ:
        return ""
    return "arithmetic coding" if kind > 0xC8 else {0xC3: "lossless", 0xC7: "lossless"}.get(kind, "hierarchical")


def _frame(marker: Marker) -> _Frame | None:
    segment = marker.segment
    if len(segment) < 6 or len(segment) < 6 + 3 * segment[5]:
        return None
    sampling = {
        segment[at]: (segment[at + 1] >> 4 or 1, segment[at + 1] & 15 or 1) for at in range(6, 6 + 3 * segment[5], 3)
    }
    height, width = int.from_bytes(segment[1:3], "big"), int.from_bytes(segment[3:5], "big")
    return _Frame(width, height, sampling, marker.kind == _PROGRESSIVE) if sampling else None


def _markers(data: bytes) -> Iterator[Marker]:
    """Yield the markers of `data` up to its end, restarts among them; the last segment may be cut short."""
    place = 2
    while (place := data.find(b"\xff", place)) >= 0 and place + 1 < len(data):
        kind = data[place + 1]
        if kind in (0x00, 0xFF):  # a stuffed byte, a fill byte
            place += 2 if kind == 0x00 else 1
            continue
        alone = kind in _ALONE
        length = 0 if alone else max(2, int.from_bytes(data[place + 2 : place + 4], "big"))
        end = place + 2 + length
        yield Marker(kind, data[place + 4 : end], place, end)
        if kind == _END:
            return
        place = end
