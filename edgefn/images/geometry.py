"""The geometry of fitting an image into a size: which part of it, and the scale. Pure geometry, no pixels."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple, get_args

from edgefn.text.suggestion import did_you_mean

Fit = Literal["cover", "contain", "stretch"]
Size = tuple[int, int]

REDUCTION_MARGIN = 2
"""A JPEG is decoded at least this many times larger than wanted: the resampling after it then still sees every
frequency that the wanted size can show (Nyquist), so a reduced decode changes no answer."""


class Fitting(NamedTuple):
    """`box` (left, top, right, bottom, in source pixels) is scaled to `size`, then padded to the wanted size."""

    box: tuple[float, float, float, float]
    size: Size


def fit_into(source: Size, wanted: Size, fit: Fit) -> Fitting:
    """Compute how to fit `source` into `wanted` (both width, height).

    cover    fills it; the middle of the longer side is taken
    contain  the whole image inside it, the rest is padding
    stretch  fills it with the whole image, its proportions lost
    """
    width, height = source
    scales = wanted[0] / width, wanted[1] / height
    if fit == "stretch":
        return Fitting((0, 0, width, height), wanted)
    if fit == "contain":
        scale = min(scales)
        return Fitting(
            (0, 0, width, height),
            (min(wanted[0], max(1, round(width * scale))), min(wanted[1], max(1, round(height * scale)))),
        )
    scale = max(scales)
    left, top = max(0.0, (width - wanted[0] / scale) / 2), max(0.0, (height - wanted[1] / scale) / 2)
    return Fitting((left, top, width - left, height - top), wanted)


def least_decoded(source: Size, fitting: Fitting) -> Size:
    """Return the smallest whole image that `fitting` can be made from.

    The part that it shows is REDUCTION_MARGIN times the wanted size.
    """
    left, top, right, bottom = fitting.box
    across = REDUCTION_MARGIN * fitting.size[0] / (right - left)
    down = REDUCTION_MARGIN * fitting.size[1] / (bottom - top)
    return math.ceil(source[0] * across), math.ceil(source[1] * down)


def check_wanted(size: object, fit: object) -> None:
    """Raise ValueError when `size` is not (width, height) or `fit` is not a Fit."""
    match size:
        case (int(width), int(height)) if width > 0 and height > 0:
            pass
        case _:
            raise ValueError(f"size is {size!r}: use (width, height) in pixels, e.g. (224, 224)")
    if fit not in get_args(Fit):
        raise ValueError(f"fit is {fit!r}{did_you_mean(str(fit), get_args(Fit))}")
