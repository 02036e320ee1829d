"""How far an artifact may be off, by precision. Every number is a fraction of the spread unless it says otherwise.

`docs/decisions/judging.md` has the gap between good builds and planted faults that these stand in.
"""

from __future__ import annotations

from typing import NamedTuple

from edgefn.accuracy.options import Accuracy


class PrecisionLimits(NamedTuple):
    """The limits of one precision.

    error     RMS error of a slice, all samples together
    sample    how many times that for one sample, one stress input or one size; `sample_most` bounds it
    bias      mean error
    gain      how far the slope of the artifact on eager is from 1
    tail      error where eager's answer is furthest from its mean, by that distance
    channel   how many times `error` for one channel
    rounding  error by the largest eager value, which the format alone causes
    masks     share of positions that may be masked otherwise
    top1      share of rows whose top class agrees
    invariant how far a rule that eager keeps may be broken: rows that sum to 1, values between 0 and 1
    exact     whether a float64 run of the network may excuse an error
    """

    error: float
    sample: float
    sample_most: float
    bias: float
    gain: float
    tail: float
    channel: float
    rounding: float
    masks: float
    top1: float
    invariant: float
    exact: bool

    def scaled(self, error: float) -> PrecisionLimits:
        """Return the limits for another `error`, the others in proportion."""
        by = error / self.error
        return self._replace(
            error=error,
            sample_most=max(self.sample_most, self.sample * error),
            bias=self.bias * by,
            gain=self.gain * by,
            tail=self.tail * by,
        )


FLOAT32 = PrecisionLimits(1e-4, 3, 1e-3, 2e-5, 1e-4, 3e-4, 2, 1e-6, 0.0, 1.0, 1e-3, True)
FLOAT16 = PrecisionLimits(5e-3, 3, 5e-2, 1e-3, 5e-3, 1e-2, 2, 1e-3, 0.0, 0.995, 5e-3, True)
BFLOAT16 = PrecisionLimits(2e-2, 3, 0.1, 5e-3, 2e-2, 4e-2, 2, 8e-3, 0.0, 0.98, 2e-2, True)
INT8 = PrecisionLimits(0.10, 3, 0.3, 0.03, 0.05, 0.15, 2, 0.0, 1e-4, 0.93, 0.05, False)

BY_PRECISION = {"fp32": FLOAT32, "fp16": FLOAT16, "bf16": BFLOAT16, "int8": INT8}


def limits_of(precision: str, accuracy: Accuracy, coarse: str = "") -> PrecisionLimits:
    """Return the limits of `precision`: the author's where `accuracy` has them.

    Unknown precisions are held as int8. An artifact of a network that itself computes in less, `coarse`, is held as
    that.
    """
    limits = max(BY_PRECISION.get(one, INT8) for one in (precision, coarse or precision))
    if (error := accuracy.error_of(precision)) is not None:
        limits = limits.scaled(error)
    if (top1 := accuracy.top1_of(precision)) is not None:
        limits = limits._replace(top1=top1)
    return limits
