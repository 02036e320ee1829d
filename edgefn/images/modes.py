"""From one of Pillow's modes to another, so that a picture stays what it shows.

Pillow cuts wide values off where it makes 8 bits of them: 16-bit grey turns white, floats of 0 to 1 turn black. Here
what is black stays black, and what is white stays white. It must never guess what is white: values beyond the known
ranges are an InputError.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from edgefn.errors import InputError
from edgefn.suggestion import did_you_mean

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image as Pixels

WIDE = {"I;16": "<u2", "I;16L": "<u2", "I;16B": ">u2", "I;16N": "=u2", "I": "=i4", "F": "=f4"}
"""Modes of one channel of more than 8 bits, and NumPy's dtype of it."""

EIGHT_BITS = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBX", "RGBa", "CMYK", "YCbCr", "HSV", "LAB")
MODES = (*EIGHT_BITS, *WIDE)

_PLAIN = {"La": "LA", "RGBa": "RGBA", "PA": "RGBA", "LAB": "RGB", "HSV": "RGB", "RGBX": "RGB"}
"""Modes that Pillow converts to few others, each by way of one that it converts to all."""
_BY_WAY_OF = {"1": "L", "La": "LA", "RGBa": "RGBA", "LAB": "RGB", "I;16": "L", "I;16L": "L", "I;16B": "L", "I;16N": "L"}
_ALPHA = frozenset({"LA", "La", "PA", "RGBA", "RGBa"})

_BAND = 2**20
"""Pixels that are converted at once: what NumPy holds of a large picture beside Pillow's."""

_TOLERANCE = 1 / 510
"""Half a step of 8 bits: floats that far beyond 0 to 1 (a resampling's rounding) still round to black or white."""

_BITS_PER_SAMPLE = 258
"""The tag of TIFF."""


def check_mode(mode: object) -> None:
    """Raise ValueError, naming the nearest mode, when `mode` is none."""
    if mode not in MODES:
        raise ValueError(f"mode is {mode!r}{did_you_mean(str(mode), MODES)}")


def converted(pixels: Pixels, mode: str, field: str = "") -> Pixels:
    """Return `pixels` in `mode`: scaled where 8 bits are made of more, the same values where more are made of 8.

    The same object when it is of that mode. Raises InputError for wide values whose range is not known.
    """
    if pixels.mode == mode:
        return pixels
    if pixels.mode not in WIDE:
        return _of_eight_bits(pixels, mode)
    if mode in WIDE:
        return _wide(pixels, mode, field)
    grey = _grey(pixels, field)
    if mode in _ALPHA and isinstance(pixels.info.get("transparency"), int):
        grey.putalpha(_opaque(pixels))
    return _of_eight_bits(grey, mode)


def rgb(pixels: Pixels, field: str = "") -> Pixels:
    """Return `pixels` as 8-bit RGB: alpha is dropped, 16-bit grey keeps its upper 8 bits."""
    return converted(pixels, "RGB", field)


def array(pixels: Pixels) -> NDArray[np.uint8]:
    """Return 8-bit pixels as an array of its own; some rows at a time, as Pillow's way to NumPy holds them thrice."""
    import numpy as np

    rows = max(1, _BAND // pixels.width)
    if pixels.height <= rows:
        return np.array(pixels, dtype=np.uint8)
    made = np.empty((pixels.height, pixels.width, len(pixels.getbands())), np.uint8)
    for top in range(0, pixels.height, rows):
        made[top : top + rows] = np.asarray(pixels.crop((0, top, pixels.width, min(top + rows, pixels.height))))
    return made


def inverted(pixels: Pixels) -> Pixels:
    """Return 16-bit grey with black and white changed over."""
    return _mapped(pixels, pixels.mode, lambda band: 65535 - band)


def has_alpha(pixels: Pixels) -> bool:
    """Return whether some of `pixels` may be transparent."""
    return pixels.mode in _ALPHA or "transparency" in pixels.info


def white(pixels: Pixels) -> int:
    """Return the value of white in 16-bit grey: 4095 in TIFFs of 12 bits."""
    tags = getattr(pixels, "tag_v2", {})
    return 4095 if tags.get(_BITS_PER_SAMPLE) == (12,) else 65535


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


def _grey(pixels: Pixels, field: str) -> Pixels:
    """Return 8-bit grey of a wide picture."""
    import numpy as np

    if pixels.mode == "F":
        _check_range(pixels, 0.0, 1.0, _TOLERANCE, field)
        return _mapped(pixels, "L", lambda band: (band.clip(0, 1) * 255 + 0.5).astype(np.uint8))
    if pixels.mode == "I":
        _check_range(pixels, 0, 65535, 0, field)
    shift = white(pixels).bit_length() - 8
    return _mapped(pixels, "L", lambda band: (band >> shift).astype(np.uint8))


def _wide(pixels: Pixels, mode: str, field: str) -> Pixels:
    """Return a wide picture in another wide mode, its values unchanged. Raises InputError where that cannot be."""
    import numpy as np

    if mode != "F" and (pixels.mode == "F" or (pixels.mode == "I" and mode != "I")):
        low, high, whole = _extent(pixels)
        least, most = (-(2**31), 2**31 - 1) if mode == "I" else (0, 65535)
        if not (whole and least <= low and high <= most):
            raise InputError(
                f"is a picture of {_range(low, high)}{'' if whole else ', fractions among them'}, which mode {mode} "
                f"cannot hold: use .pil({pixels.mode!r})",
                field=field,
            )
    return _mapped(pixels, mode, lambda band: band.astype(np.dtype(WIDE[mode])))


def _opaque(pixels: Pixels) -> Pixels:
    """Return the alpha of a wide picture with a transparent grey."""
    import numpy as np

    clear = pixels.info["transparency"]
    return _mapped(pixels, "L", lambda band: np.where(band == clear, 0, 255).astype(np.uint8))


def _check_range(pixels: Pixels, black: float, white: float, tolerance: float, field: str) -> None:
    low, high, _ = _extent(pixels)
    if not (black - tolerance <= low and high <= white + tolerance):
        raise InputError(
            f"is a picture of {_range(low, high)}; only {black:g} (black) to {white:g} (white) can be shown in 8 bits: "
            f"send it scaled to that, or scale .pil({pixels.mode!r}) in the handler",
            field=field,
        )


def _range(low: float, high: float) -> str:
    kind = "floats" if isinstance(low, float) else "integers"
    if math.isnan(low) or math.isnan(high):
        return "floats, some of which are no numbers (NaN)"
    return f"{kind} from {low:.6g} to {high:.6g}" if kind == "floats" else f"{kind} from {low} to {high}"


def _extent(pixels: Pixels) -> tuple[float, float, bool]:
    """Return the least and the greatest value, NaN where one is, and whether all are whole."""
    import numpy as np

    low: list[Any] = []
    high: list[Any] = []
    whole = True
    for _, band in _bands(pixels):
        with np.errstate(invalid="ignore"):
            low.append(band.min())
            high.append(band.max())
            whole = whole and (band.dtype.kind != "f" or bool((np.trunc(band) == band).all()))
    return np.min(low).item(), np.max(high).item(), whole


def _mapped(pixels: Pixels, mode: str, change: Any) -> Pixels:
    """Return the picture in `mode` whose values are `change` of those of `pixels`."""
    from PIL.Image import frombytes, new

    made = new(mode, pixels.size)
    made.info = {name: value for name, value in pixels.info.items() if name != "transparency"}
    for top, band in _bands(pixels):
        rows: NDArray[Any] = change(band)
        made.paste(frombytes(mode, rows.shape[::-1], rows.tobytes()), (0, top))
    return made


def _bands(pixels: Pixels) -> Iterator[tuple[int, NDArray[np.generic]]]:
    """Yield (first row, values) of a wide picture, some rows at a time."""
    import numpy as np

    rows = max(1, _BAND // pixels.width)
    for top in range(0, pixels.height, rows):
        bottom = min(top + rows, pixels.height)
        part = pixels.crop((0, top, pixels.width, bottom)).tobytes()
        yield top, np.frombuffer(part, WIDE[pixels.mode]).reshape(bottom - top, pixels.width)
