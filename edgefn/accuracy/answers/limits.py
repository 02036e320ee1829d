"""Hold how far an artifact's answer may be from eager's, by the precision of the artifact.

The numbers are the project's own choice, measured on real builds (docs/models.md, "The handler's answers").
"""

from __future__ import annotations

from typing import NamedTuple


class AnswerLimits(NamedTuple):
    """Bounds of one precision.

    number      of a number, relative to how far eager's moves between samples
    relative    of a number that never moves, relative to itself
    rounding    least error of any number, relative to the largest: what the format itself loses
    score       between 0 and 1: labels whose scores are closer may change places
    drift       of a score between 0 and 1, absolute
    array       root mean square of an array's error, relative to how far eager's moves between samples
    iou         least overlap of a box with its partner
    pixels      a box's corners may always move by so many pixels
    lost        share of an answer's boxes that may have no partner
    mask        least overlap of a mask, mean over its classes; `worst_mask` of its worst class
    psnr        least peak signal-to-noise ratio of an image, in dB; `worst_tile` of its worst tile
    strict      every answer must match; else a small share may differ (`share`)
    """

    number: float
    relative: float
    rounding: float
    score: float
    drift: float
    array: float
    iou: float
    pixels: float
    lost: float
    mask: float
    worst_mask: float
    psnr: float
    worst_tile: float
    strict: bool


FP32 = AnswerLimits(1e-3, 1e-4, 1e-6, 1e-4, 1e-4, 3e-4, 0.99, 0.1, 0.0, 0.999, 0.98, 60.0, 45.0, True)
FP16 = AnswerLimits(1e-2, 5e-3, 1e-3, 0.01, 0.02, 1.5e-2, 0.95, 0.5, 0.005, 0.995, 0.97, 45.0, 35.0, True)
BF16 = AnswerLimits(3e-2, 2e-2, 4e-3, 0.02, 0.05, 6e-2, 0.90, 1.0, 0.01, 0.99, 0.95, 40.0, 30.0, False)
INT8 = AnswerLimits(0.1, 5e-2, 1e-6, 0.05, 0.1, 0.3, 0.80, 1.0, 0.03, 0.97, 0.90, 35.0, 25.0, False)

_BY_PRECISION = {"fp32": FP32, "tf32": FP16, "fp16": FP16, "bf16": BF16, "int8": INT8, "int4": INT8}


def limits_for(precision: str) -> AnswerLimits:
    """Return the limits of a target's precision, e.g. "int8"; those of float32 for one that is not known."""
    return _BY_PRECISION.get(precision, FP32)
