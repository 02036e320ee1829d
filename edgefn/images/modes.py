"""From one of Pillow's modes to another, so that a picture stays what it shows.

Pillow cuts wide values off where it makes 8 bits of them: 16-bit grey turns white, floats of 0 to 1 turn black. Here
what is black stays black, and what is white stays white. It must never guess what is white: values beyond the known
ranges are an InputError.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgefn.images.wide import WIDE, grey, opaque, widened
from edgefn.text.suggestion import did_you_mean

if TYPE_CHECKING:
    from PIL.Image import Image as Pixels

EIGHT_BITS = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "HSV", "LAB")
MODES = (*EIGHT_BITS, *WIDE)

_PLAIN = {"La": "LA", "RGBa": "RGBA", "PA": "RGBA", "LAB": "RGB", "HSV": "RGB", "RGBX": "RGB"}
"""Modes that Pillow converts to few others, each by way of one that it converts to all."""
_BY_WAY_OF = {"1": "L", "La": "LA", "RGBa": "RGBA", "LAB": "RGB", "I;16": "L", "I;16L": "L", "I;16B": "L", "I;16N": "L"}
_ALPHA = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})


def check_mode(mode: object) -> None:
    """Raise ValueError, naming the nearest mode, when `mode` is none."""
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}{did_you_mean(str(mode), MODES)}")


def converted(pixels: Pixels, mode: str, field: str = "") -> Pixels:
    """Return `pixels` in `mode`.

    Values are scaled where 8 bits are made of more, and stay the same where more are made of 8. The same object when it
    is of that mode. Raise InputError for wide values whose range is not known.
    """
    if pixels.mode == mode:
        return pixels
    if pixels.mode not in WIDE:
        return _of_eight_bits(pixels, mode)
    if mode in WIDE:
        return widened(pixels, mode, field)
    made = grey(pixels, field)
    if mode in _ALPHA and isinstance(pixels.info.get("transparency"), int):
        made.putalpha(opaque(pixels))
    return _of_eight_bits(made, mode)


def rgb(pixels: Pixels, field: str = "") -> Pixels:
    """Return `pixels` as 8-bit RGB: alpha is dropped, 16-bit grey keeps its upper 8 bits."""
    return converted(pixels, "RGB", field)


def has_alpha(pixels: Pixels) -> bool:
    """Return whether some of `pixels` may be transparent."""
    return pixels.mode in _ALPHA or "transparency" in pixels.info


def _of_eight_bits(pixels: Pixels, mode: str) -> Pixels:
    if pixels.mode == mode:
        return pixels
    if pixels.mode in _PLAIN:
        return _of_eight_bits(pixels.convert(_PLAIN[pixels.mode]), mode)
    if "transparency" in pixels.info:
        pixels = _with_alpha(pixels, mode)
    if pixels.mode == "LA" and mode == "PA":  # Pillow drops the alpha
        made = pixels.convert("L").convert("PA")
        made.putalpha(pixels.getchannel("A"))
        return made
    if pixels.mode in ("LA", "RGBA") and mode not in (*_ALPHA, "P"):
        pixels = pixels.convert(pixels.mode[:-1])
    if mode in _BY_WAY_OF:
        pixels = pixels.convert(_BY_WAY_OF[mode])
    return pixels if pixels.mode == mode else pixels.convert(mode)


def _with_alpha(pixels: Pixels, mode: str) -> Pixels:
    """Return `pixels` with its transparent colour or palette as alpha, where Pillow would warn or lose it."""
    if pixels.mode == "P":
        return pixels.convert("RGBA")
    if mode in _ALPHA or mode == "P":
        return pixels.convert("RGBA" if pixels.mode == "RGB" else "LA")
    return pixels
