"""Corrections for TIFFs that Pillow reads differently from what the file shows.

Source: Adobe, TIFF 6.0; Digital Negative 1.7.
"""

from __future__ import annotations

import ctypes
import logging
import struct
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from PIL.Image import Image as Pixels
    from PIL.ImageFile import ImageFile

_SUBFILE, _BITS, _PHOTOMETRIC, _SUB_IFDS, _FORMAT, _DNG = 254, 258, 262, 330, 339, 50706
_REDUCED = 1
MAX_PAGES = 10_000
"""Pillow looks at all pages before the one it turns to."""
_SWAPPED = {"F;32BF": "F;32F", "I;32BS": "I;32S", "I;16BS": "I;16S"}
"""Pillow's names of big-endian samples, and those of the same in little-endian."""
_UNSIGNED, _SIGNED, _FLOAT = 1, 2, 3


@cache
def silence() -> None:
    """Keep libtiff and Pillow from writing to stderr of a TIFF, once: what matters is raised as well."""
    logging.getLogger("PIL").addHandler(logging.NullHandler())  # else Python writes what nobody listens to
    try:
        with open("/proc/self/maps") as maps:
            found = {line.split(maxsplit=5)[5].strip() for line in maps if "/libtiff" in line}
        for path in found:
            library = ctypes.CDLL(path)
            library.TIFFSetErrorHandler(None)
            library.TIFFSetWarningHandler(None)
    except (OSError, AttributeError, IndexError):
        pass


def count_pages(data: bytes) -> int:
    """Return how many directories follow each other in a TIFF.

    Raise ValueError when they are more than MAX_PAGES. Pillow looks at the pixels of each, and for each at all that
    went before.
    """
    order: str = "<" if data.startswith(b"II") else ">"
    big = 43 in data[2:4]
    head, count, entry, next_ = (8, order + "Q", 20, order + "Q") if big else (4, order + "H", 12, order + "I")
    (place,) = struct.unpack_from(next_, data, head)
    seen: set[int] = set()
    while place and place not in seen and place < len(data):
        if len(seen) == MAX_PAGES:
            raise ValueError(f"unsupported: more than {MAX_PAGES:,} pages")
        seen.add(place)
        (entries,) = struct.unpack_from(count, data, place)
        after = place + struct.calcsize(count) + entry * entries
        place = struct.unpack_from(next_, data, after)[0] if after + struct.calcsize(next_) <= len(data) else 0
    return len(seen)


def unread_reason(opened: ImageFile, data: bytes) -> str:
    """Return why the pixels that Pillow finds in a TIFF are not its picture, or nothing when they are."""
    tags: Any = getattr(opened, "tag_v2", {})
    thumbnail = tags.get(_SUBFILE, 0) & _REDUCED and _SUB_IFDS in tags
    if _DNG in tags or data[8:10] == b"CR" or thumbnail:
        return "a camera's raw photo"
    format = (tags.get(_FORMAT) or (_UNSIGNED,))[0]
    if format == _SIGNED and tags.get(_BITS, (1,))[0] == 8:
        return "signed 8-bit samples"
    if format == _FLOAT and tags.get(_PHOTOMETRIC) == 0:
        return "floats whose white is zero"
    return ""


def prepare(opened: ImageFile) -> None:
    """Make Pillow read the compressed pixels of a big-endian TIFF in this machine's order.

    libtiff gives them in that order. Pillow does so itself for 16 bits without a sign, and takes the rest for the
    file's order.
    """
    if sys.byteorder == "little" and getattr(opened, "use_load_libtiff", False):
        opened.tile = [
            tile._replace(args=(_SWAPPED.get(tile.args[0], tile.args[0]), *tile.args[1:]))
            for tile in opened.tile
            if isinstance(tile.args, tuple)
        ]


def mended(pixels: Pixels) -> Pixels:
    """Return the loaded `pixels` of a TIFF with 0 as black, where the file has it as white.

    Raise ValueError.
    """
    tags: Any = getattr(pixels, "tag_v2", {})
    if pixels.mode == "I" and (tags.get(_FORMAT) or (_UNSIGNED,))[0] == _UNSIGNED:
        low, _ = pixels.getextrema()
        if isinstance(low, int | float) and low < 0:
            raise ValueError("unsupported: unsigned integers of 2^31 and more")
    if pixels.mode.startswith("I;16") and tags.get(_PHOTOMETRIC) == 0:
        from edgefn.images.wide import inverted

        return inverted(pixels)
    return pixels
