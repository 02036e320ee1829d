"""How a picture was held when it was taken, and how it is put upright.

Source: CIPA DC-008 (EXIF), tag 0x0112.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable
from typing import TYPE_CHECKING

from edgefn.images.files import png

if TYPE_CHECKING:
    from PIL.Image import Exif
    from PIL.Image import Image as Pixels

UPRIGHT = 1
_ROTATED = frozenset({5, 6, 7, 8})
"""Orientations that lay the picture on its side."""
_TAG = 0x0112
_KINDS = {1: "B", 3: "H", 4: "I"}
"""Whole numbers, by TIFF's type."""
_MAX_ENTRIES = 1000
_ELSEWHERE = frozenset({"xmp", "XML:com.adobe.xmp", "Raw profile type exif"})
"""Other places that Pillow finds an orientation in."""


def orientation(pixels: Pixels, data: bytes = b"") -> int:
    """Return the orientation still to be applied to `pixels`; 1 (upright) when none can be read.

    Nothing is decoded when `data`, the file of `pixels`, is given.
    """
    if pixels.format == "TIFF":  # Pillow turns these by itself as it loads them, and their size before that
        return UPRIGHT
    if not data:
        return _valid(_of_pillow(pixels.getexif))
    block = png.exif(data) if pixels.format == "PNG" else pixels.info.get("exif")
    found: object = _of_exif(block) if isinstance(block, bytes) else None
    if found is None and _ELSEWHERE & pixels.info.keys():
        from PIL.Image import Image

        found = _of_pillow(lambda: Image.getexif(pixels))  # not a plugin's own: PNG's decodes the picture
    return _valid(found)


def lies_on_its_side(orientation: int) -> bool:
    """Return whether width and height change places when a picture of `orientation` is put upright."""
    return orientation in _ROTATED


def upright(pixels: Pixels, orientation: int) -> Pixels:
    """Return `pixels` as its camera's holder saw them; the same object when nothing is to be done."""
    from PIL.Image import Transpose

    method = {
        2: Transpose.FLIP_LEFT_RIGHT,
        3: Transpose.ROTATE_180,
        4: Transpose.FLIP_TOP_BOTTOM,
        5: Transpose.TRANSPOSE,
        6: Transpose.ROTATE_270,
        7: Transpose.TRANSVERSE,
        8: Transpose.ROTATE_90,
    }.get(orientation)
    return pixels if method is None else pixels.transpose(method)


def _of_exif(block: bytes) -> int | None:
    # Pillow's own reader warns of a damaged block, on stderr, and reads all of it.
    block = block.removeprefix(b"Exif\0\0").removeprefix(b"Exif\0\0")
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(block[:4])
    if order is None:
        return None
    try:
        (start,) = struct.unpack_from(order + "I", block, 4)
        (entries,) = struct.unpack_from(order + "H", block, start)
        for place in range(start + 2, start + 2 + 12 * min(entries, _MAX_ENTRIES), 12):
            tag, kind, count = struct.unpack_from(order + "HHI", block, place)
            if tag == _TAG and count == 1 and kind in _KINDS:
                return int(struct.unpack_from(order + _KINDS[kind], block, place + 8)[0])
    except struct.error:  # a damaged block says nothing about the pixels, which may be whole
        pass
    return None


def _of_pillow(read: Callable[[], Exif]) -> object:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return read().get(_TAG)
    except Exception:
        return None


def _valid(found: object) -> int:
    return found if isinstance(found, int) and 1 <= found <= 8 else UPRIGHT
