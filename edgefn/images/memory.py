"""How much memory a picture needs decoded, and how much this process may still have.

The bound is the process's own (RLIMIT_DATA, RLIMIT_AS), whoever set it; without one nothing is refused.
"""

from __future__ import annotations

import ctypes
import traceback
from typing import TYPE_CHECKING

from edgefn.errors import PictureTooLarge
from edgefn.text.quantities import format_bytes

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

LOOKED_AT = 2**24
"""Pictures that need less are just decoded: looking would take as long as a thumbnail's decoding."""

SLACK = 2**24
"""By how much the need and what is there may be misjudged before anything is tried: one of Pillow's blocks."""

_STORED = {"1": 1, "L": 1, "P": 1, "I;16": 2, "I;16B": 2, "I;16L": 2, "I;16N": 2}
"""Bytes of a pixel as Pillow stores it, where they are not 4."""

_WORKING = {"WEBP": 4, "AVIF": 4, "HEIF": 4, "JPEG2000": 8}
"""Bytes that a decoder holds for each pixel beside the result, at least: its own copy of the whole picture."""

_COEFFICIENTS = 3
"""Bytes for each pixel of a progressive JPEG: 16-bit coefficients of brightness and of two quartered colours."""


def needed_bytes(opened: ImageFile) -> int:
    """Return what decoding `opened` takes at least, at the size that it is to be decoded to."""
    width, height = opened.size
    each = _STORED.get(opened.mode, 4) + _WORKING.get(opened.format or "", 0)
    return width * height * each


def progressive_bytes(opened: ImageFile) -> int:
    """Return the bytes of a progressive JPEG's coefficients before it is reduced; 0 for other pictures."""
    return opened.width * opened.height * _COEFFICIENTS if opened.info.get("progressive") else 0


def left_bytes() -> int | None:
    """Return what this process may still allocate, or None where it has no limit."""
    try:
        import resource

        bounds = resource.getrlimit(resource.RLIMIT_AS)[0], resource.getrlimit(resource.RLIMIT_DATA)[0]
        if bounds == (resource.RLIM_INFINITY, resource.RLIM_INFINITY):
            return None
        with open("/proc/self/statm", "rb") as statm:
            pages = statm.read().split()
    except (ImportError, OSError):  # a laptop without either
        return None
    used = int(pages[0]), int(pages[5])
    return _free_bytes() + min(
        bound - each * resource.getpagesize()
        for bound, each in zip(bounds, used, strict=True)
        if bound != resource.RLIM_INFINITY
    )


def _free_bytes() -> int:
    """Return what malloc holds of freed blocks, which the limits count: 0 where that is not known."""
    ask = getattr(ctypes.CDLL(None), "mallinfo2", None)  # glibc's
    if ask is None:
        return 0
    ask.restype = _Mallinfo
    return int(ask().fordblks)


class _Mallinfo(ctypes.Structure):
    """struct mallinfo2 (mallinfo(3)): `fordblks` bytes are free."""

    _fields_ = (("others", ctypes.c_size_t * 8), ("fordblks", ctypes.c_size_t), ("keepcost", ctypes.c_size_t))


def is_short(needed: int, slack: int = 0) -> bool:
    """Return whether `needed` bytes are more than this process may still have and `slack`."""
    if needed < LOOKED_AT:
        return False
    left = left_bytes()
    return left is not None and needed > left + slack


def release(error: BaseException) -> None:
    """Drop the values that the frames of `error` hold, and give malloc's free memory back, for later use."""
    traceback.clear_frames(error.__traceback__)
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc's
    if trim is not None:
        trim(0)


def too_large(size: tuple[int, int], needed: int, field: str) -> PictureTooLarge:
    """Return the error for a picture of `size`, whose decoding takes `needed` bytes and more."""
    return PictureTooLarge(
        f"is {size[0]}x{size[1]} pixels, which need at least {format_bytes(needed)} of memory for decoding, more than "
        "the function has left; send a smaller picture, or give the function more `memory`",
        field=field,
    )
