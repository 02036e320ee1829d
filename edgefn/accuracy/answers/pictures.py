"""Compare images by their peak signal-to-noise ratio, and masks by their overlap, class by class.

A mask is an array of truth values of two dimensions or more, or one of whole numbers there that holds few different
ones (a map of classes); any other uint8 array [height, width] or [height, width, 1, 3 or 4] is an image.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from edgefn.accuracy.answers.limits import AnswerLimits
from edgefn.accuracy.answers.values import Picture, Plain, is_array

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.generic]

CLASSES = 256
"""More different whole numbers than this are quantities, not classes."""

TILE = 32
"""Edge of a tile in pixels: a fault in one corner is not to drown in the rest of the image."""

SMALLEST_IMAGE = 8
"""An array of fewer rows or columns is a table."""

EDGE = 2
"""A class of fewer pixels than this may be lost at an edge."""


def is_mask(value: Plain) -> bool:
    """Return whether `value` is a mask or a map of classes."""
    import numpy as np

    if not is_array(value) or value.ndim < 2 or value.dtype.kind not in "biu":
        return False
    if value.dtype.kind == "b":
        return True
    if min(value.shape[:2]) < SMALLEST_IMAGE or (value.ndim > 2 and value.shape[-1] in (3, 4)):
        return False
    limit = 16 if value.dtype.name == "uint8" else CLASSES
    return len(np.unique(value)) <= limit


def is_image(value: Plain) -> bool:
    """Return whether `value` is a picture, or an array that is one."""
    if isinstance(value, Picture):
        return True
    if not is_array(value) or value.dtype.name != "uint8" or value.ndim not in (2, 3):
        return False
    return min(value.shape[:2]) >= SMALLEST_IMAGE and (value.ndim == 2 or value.shape[2] in (1, 3, 4))


def compare_masks(expected: Array, actual: Array, limits: AnswerLimits) -> str:
    """Return why the masks do not match, or ""."""
    import numpy as np

    if expected.shape != actual.shape:
        return f"is a mask of {list(actual.shape)} instead of {list(expected.shape)}"
    background = expected.dtype.kind == "b"
    kinds: list[Any] = [True] if background else np.unique(np.concatenate([expected.ravel(), actual.ravel()])).tolist()
    overlaps = {one: iou for one in kinds if not math.isnan(iou := _overlap(expected == one, actual == one))}
    if not overlaps:
        return ""
    mean, worst = sum(overlaps.values()) / len(overlaps), min(overlaps, key=lambda one: overlaps[one])
    if mean < limits.mask:
        return f"the mask overlaps eager's by {mean:.1%}"
    if overlaps[worst] < limits.worst_mask:
        return f"the mask of class {worst} overlaps eager's by {overlaps[worst]:.1%}"
    return ""


def compare_images(expected: Plain, actual: Plain, limits: AnswerLimits) -> str:
    """Return why the images do not match, or ""."""
    wanted, given = _pixels(expected), _pixels(actual)
    if wanted.shape != given.shape:
        return f"the image is {_size(given)} instead of {_size(wanted)}"
    error = (wanted - given) ** 2
    psnr = _psnr(error)
    if psnr < limits.psnr:
        return f"the image differs from eager's by {math.sqrt(float(error.mean())):.3g} of 255 on average"
    worst = min((_psnr(tile) for tile in _tiles(error)), default=math.inf)
    if worst < limits.worst_tile:
        return f"a part of the image differs from eager's: {worst:.0f} dB, at least {limits.worst_tile:.0f} is required"
    return ""


def _overlap(expected: NDArray[Any], actual: NDArray[Any]) -> float:
    """Return the intersection over the union; NaN where neither side has enough to tell."""
    union = int((expected | actual).sum())
    shared = int((expected & actual).sum())
    if union - shared <= EDGE and union <= EDGE:
        return math.nan
    return shared / union


def _pixels(value: Plain) -> NDArray[np.float64]:
    import numpy as np

    pixels = value.pixels if isinstance(value, Picture) else value
    return np.asarray(pixels, np.float64)


def _psnr(error: NDArray[np.float64]) -> float:
    mean = float(error.mean()) if error.size else 0.0
    return math.inf if mean == 0 else 10 * math.log10(255**2 / mean)


def _tiles(error: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    rows, columns = (max(1, size // TILE) for size in error.shape[:2])
    import numpy as np

    return [tile for band in np.array_split(error, rows, axis=0) for tile in np.array_split(band, columns, axis=1)]


def _size(pixels: NDArray[np.float64]) -> str:
    return f"{pixels.shape[1]}×{pixels.shape[0]}"
