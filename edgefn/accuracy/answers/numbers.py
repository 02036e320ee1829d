"""Compare numbers and arrays: their distance from eager's, relative to how far eager's move between samples."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from edgefn.accuracy.answers.limits import AnswerLimits
from edgefn.accuracy.answers.spread import Spread

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Array = NDArray[np.generic]

TINY = 1e-12
"""Two numbers closer than this are one."""


def allowed(expected: float, limits: AnswerLimits, spread: Spread) -> float:
    """Return how far a number may be from `expected`."""
    largest = max(abs(expected), spread.largest)
    moved = max(limits.number * spread.size, spread.step * 1.001)
    bound = moved if spread.moves else limits.relative * largest
    return max(bound, limits.rounding * largest, TINY)


def same_number(expected: float, actual: float, bound: float) -> bool:
    """Return whether the numbers are within `bound`; NaN is NaN, and infinity itself alone."""
    if math.isnan(expected) or math.isnan(actual):
        return math.isnan(expected) and math.isnan(actual)
    if math.isinf(expected) or math.isinf(actual):
        return expected == actual
    return abs(expected - actual) <= bound


def shown(number: float) -> str:
    """Return a number for people: four digits that count."""
    return str(number) if isinstance(number, int) else f"{number:.4g}"


def compare_arrays(expected: Array, actual: Array, limits: AnswerLimits, spread: Spread) -> str:
    """Return why an array does not match, or "". Floats by their centred error, all others exactly."""
    import numpy as np

    if expected.shape != actual.shape:
        return f"has the shape {list(actual.shape)} instead of {list(expected.shape)}"
    if expected.dtype.kind not in "fc" or actual.dtype.kind not in "fc":
        differing = int((expected != actual).sum())
        return f"differs in {differing} of {expected.size} values" if differing else ""
    wanted, given = (
        np.asarray(one, np.complex128 if one.dtype.kind == "c" else np.float64) for one in (expected, actual)
    )
    finite = np.isfinite(wanted)
    if not np.array_equal(finite, np.isfinite(given)) or not _same_special(wanted[~finite], given[~finite]):
        return "has NaN or infinity at other positions"
    return _distance(wanted[finite], given[finite], limits, spread)


def _same_special(expected: NDArray[Any], actual: NDArray[Any]) -> bool:
    import numpy as np

    return bool(np.array_equal(expected, actual, equal_nan=True))


def _distance(expected: NDArray[Any], actual: NDArray[Any], limits: AnswerLimits, spread: Spread) -> str:
    import numpy as np

    if not expected.size:
        return ""
    largest = max(float(np.abs(expected).max()), spread.largest)
    with np.errstate(all="ignore"):  # an error may be so large that its square is infinite
        error = float(np.sqrt(np.mean(np.abs(actual - expected) ** 2)))
        moves = spread.size if spread.moves else float(np.std(expected))
    bound = limits.array * moves if moves > 0 else limits.relative * largest
    if error <= max(bound, limits.rounding * largest, TINY):
        return ""
    share = f", {error / moves:.0%} of its spread between samples" if moves > 0 else ""
    return f"is off by {shown(error)} on average{share}"
