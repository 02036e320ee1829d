"""Pixels to the file of a format, and what each format can hold."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, Literal

from edgefn.images.modes import converted, has_alpha
from edgefn.images.wide import white

if TYPE_CHECKING:
    from PIL.Image import Image as Pixels

EncodedFormat = Literal["PNG", "JPEG", "WEBP"]

MAX_SIDE: dict[str, int] = {"PNG": 2**31 - 1, "JPEG": 65_500, "WEBP": 16_383}
"""Pixels that a side may have: PNG's 31 bits, libjpeg's JPEG_MAX_DIMENSION, the 14 bits of WebP."""

_MODES: dict[str, tuple[str, ...]] = {
    "PNG": ("1", "L", "LA", "P", "RGB", "RGBA", "I;16"),
    "JPEG": ("L", "RGB", "CMYK"),
    "WEBP": ("RGB", "RGBA"),
}


def holds(format: str, size: tuple[int, int]) -> bool:
    """Return whether a file of `format` (PNG, JPEG, WEBP) can hold a picture of `size` (width, height)."""
    return max(size) <= MAX_SIDE[format]


def encode(pixels: Pixels, format: EncodedFormat, quality: int, field: str = "") -> bytes:
    """Return `pixels` as a file of `format`; what that cannot hold (alpha in JPEG, CMYK in PNG) becomes RGB or RGBA.

    Raise ValueError when `format` does not hold pictures of that size.
    """
    if not holds(format, pixels.size):
        fitting = " or ".join(other for other in MAX_SIDE if holds(other, pixels.size))
        raise ValueError(
            f"a picture of {pixels.width}x{pixels.height} pixels does not fit {format}, which has at most "
            f"{MAX_SIDE[format]:,} pixels along a side: encode it as {fitting}, or make it smaller"
        )
    pixels = converted(pixels, _held_mode(pixels, format), field)
    options: dict[str, Any] = {} if format == "PNG" else {"quality": quality}
    file = io.BytesIO()
    pixels.save(file, format=format, **options)
    return file.getvalue()


def _held_mode(pixels: Pixels, format: EncodedFormat) -> str:
    """Return the mode that `format` keeps most of `pixels` in."""
    if format == "PNG" and pixels.mode.startswith("I;16"):
        return "I;16" if white(pixels) == 65535 else "RGB"
    if pixels.mode in _MODES[format]:
        return pixels.mode
    return "RGBA" if format != "JPEG" and has_alpha(pixels) else "RGB"
