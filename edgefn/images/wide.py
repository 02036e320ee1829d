"""Pixels of one channel of more than 8 bits, by NumPy, some rows at a time.

It must never guess what is white: values beyond the known ranges are an InputError.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from edgefn.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL.Image import Image as Pixels

WIDE = {"I;16": "<u2", "I;16L": "<u2", "I;16B": ">u2", "I;16N": "=u2", "I": "=i4", "F": "=f4"}
"""Modes of one channel of more than 8 bits, and NumPy's dtype of it."""

BAND = 2**20
"""Pixels that are converted at once: what NumPy holds of a large picture beside Pillow's."""

_TOLERANCE = 1 / 510
"""Half a step of 8 bits: floats that far beyond 0 to 1 (a resampling's rounding) still round to black or white."""

_BITS_PER_SAMPLE = 258
"""The tag of TIFF."""


def white(pixels: Pixels) -> int:
    """Return the value of white in 16-bit grey: 4095 in TIFFs of 12 bits."""
    tags = getattr(pixels, "tag_v2", {})
    return 4095 if tags.get(_BITS_PER_SAMPLE) == (12,) else 65535


def grey(pixels: Pixels, field: str) -> Pixels:
    """Return 8-bit grey of a wide picture."""
    import numpy as np

    if pixels.mode == "F":
        _check_range(pixels, 0.0, 1.0, _TOLERANCE, field)
        return _mapped(pixels, "L", lambda band: (band.clip(0, 1) * 255 + 0.5).astype(np.uint8))
    if pixels.mode == "I":
        _check_range(pixels, 0, 65535, 0, field)
    shift = white(pixels).bit_length() - 8
    return _mapped(pixels, "L", lambda band: (band >> shift).astype(np.uint8))


def widened(pixels: Pixels, mode: str, field: str) -> Pixels:
    """Return a wide picture in another wide mode, its values unchanged.

    Raise InputError where that cannot be.
    """
    import numpy as np

    if mode != "F" and (pixels.mode == "F" or (pixels.mode == "I" and mode != "I")):
        low, high, whole = _extent(pixels)
        least, most = (-(2**31), 2**31 - 1) if mode == "I" else (0, 65535)
        if not (whole and least <= low and high <= most):
            raise InputError(
                f"is a picture of {_range(low, high)}{'' if whole else ', with fractions'}, which mode {mode} cannot "
                f"hold: use .pil({pixels.mode!r})",
                field=field,
            )
    return _mapped(pixels, mode, lambda band: band.astype(np.dtype(WIDE[mode])))


def opaque(pixels: Pixels) -> Pixels:
    """Return the alpha of a wide picture with a transparent grey."""
    import numpy as np

    clear = pixels.info["transparency"]
    return _mapped(pixels, "L", lambda band: np.where(band == clear, 0, 255).astype(np.uint8))


def inverted(pixels: Pixels) -> Pixels:
    """Return 16-bit grey with black and white changed over."""
    return _mapped(pixels, pixels.mode, lambda band: 65535 - band)


def array(pixels: Pixels) -> NDArray[np.uint8]:
    """Copy 8-bit pixels to a new array, some rows at a time.

    Pillow's own way to NumPy holds the pixels three times.
    """
    import numpy as np

    rows = max(1, BAND // pixels.width)
    if pixels.height <= rows:
        return np.array(pixels, dtype=np.uint8)
    made = np.empty((pixels.height, pixels.width, len(pixels.getbands())), np.uint8)
    for top in range(0, pixels.height, rows):
        made[top : top + rows] = np.asarray(pixels.crop((0, top, pixels.width, min(top + rows, pixels.height))))
    return made


def _check_range(pixels: Pixels, black: float, white: float, tolerance: float, field: str) -> None:
    low, high, _ = _extent(pixels)
    if not (black - tolerance <= low and high <= white + tolerance):
        raise InputError(
            f"is a picture of {_range(low, high)}, but 8 bits only hold {black:g} (black) to {white:g} (white): send "
            f"it scaled to that, or scale .pil({pixels.mode!r}) in the handler",
            field=field,
        )


def _range(low: float, high: float) -> str:
    kind = "floats" if isinstance(low, float) else "integers"
    if math.isnan(low) or math.isnan(high):
        return "floats, some of them NaN"
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

    rows = max(1, BAND // pixels.width)
    for top in range(0, pixels.height, rows):
        bottom = min(top + rows, pixels.height)
        part = pixels.crop((0, top, pixels.width, bottom)).tobytes()
        yield top, np.frombuffer(part, WIDE[pixels.mode]).reshape(bottom - top, pixels.width)
