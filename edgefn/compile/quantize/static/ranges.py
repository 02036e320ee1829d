"""Ranges of activations: what of a tensor's values eight unsigned bits shall span. Pure.

Zero is always in the range, and exactly on its grid: padding and ReLU depend on it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

LEVELS = 255

CANDIDATES = tuple(np.linspace(1.0, 0.5, 26))
"""Shares of the observed range that `least_error` tries."""

HEADROOM, OUTLIERS = 3.0, 4.0
"""Standard deviations of the samples' extremes that a range covers: an input's, and where an outlier is the answer."""


class ValueRange(NamedTuple):
    """The lowest and the highest value that is kept; values outside are clipped."""

    low: float
    high: float

    @property
    def scale(self) -> float:
        """Return the value of one step of the integer."""
        return max(self.high - self.low, 1e-12) / LEVELS

    @property
    def zero(self) -> int:
        """Return the integer that stands for 0.0."""
        return int(np.clip(np.rint(-self.low / self.scale), 0, LEVELS))


def spanned(low: float, high: float) -> ValueRange:
    """Return the range from `low` to `high`, widened to include zero."""
    return ValueRange(min(float(low), 0.0), max(float(high), 0.0))


def expected(
    lows: NDArray[np.floating[Any]], highs: NDArray[np.floating[Any]], deviations: float = HEADROOM
) -> ValueRange:
    """Return the range of samples that were not seen, from the least and largest value of each seen one.

    Of few samples the next one's largest is often larger than theirs: where it differs between them the range reaches
    so many standard deviations beyond its mean. Pictures, whose largest is about the same in each, keep their range.
    """
    reach = deviations * (len(lows) > 1)
    low, high = lows.mean() - reach * lows.std(), highs.mean() + reach * highs.std()
    return spanned(min(low, lows.min()), max(high, highs.max()))


def least_error(values: NDArray[np.floating[Any]], seen: ValueRange) -> ValueRange:
    """Find the range within `seen` whose eight bits lose least of `values`, in mean square.

    A few outliers cost all other values their resolution. Clipping the outliers is cheaper, up to a point.
    """
    candidates = [ValueRange(seen.low * share, seen.high * share) for share in CANDIDATES]
    return min(candidates, key=lambda one: error(values, one))


def error(values: NDArray[np.floating[Any]], within: ValueRange) -> float:
    """Return the mean square error of `values` in eight bits of the range `within`."""
    integers = np.clip(np.rint(values / within.scale) + within.zero, 0, LEVELS)
    return float(np.mean(np.square((integers - within.zero) * within.scale - values)))


UNLIKE = 0.02
"""Of the variance of what a range is for: more than this lost, and eight bits of it are no form of it."""


def lost(values: NDArray[np.floating[Any]], within: ValueRange) -> float:
    """Return the share of the values' variance that eight bits of the range lose; 0 if all are alike.

    Only the bulk of the values counts: one in a hundred may be a mask's minus infinity, or lie outside the range.
    """
    low, high = np.quantile(values, (0.01, 0.99)) if values.size else (0.0, 0.0)
    bulk = values[(values >= low) & (values <= high)]
    variance = float(bulk.var(dtype=np.float64)) if bulk.size else 0.0
    return error(bulk, within) / variance if variance > 0 else 0.0


def harmless(answers: NDArray[np.floating[Any]], within: ValueRange) -> bool:
    """Tell whether eight bits of the range show the movement of a layer's output between samples.

    Each channel must show its own. `answers` are [samples, channels, …]. The error of a step may be a hundredth of the
    channel's spread between samples. A channel that hardly moves is ignored.
    """
    if len(answers) < 2:
        return False
    spread = answers.astype(np.float64).var(axis=0, ddof=1).reshape(answers.shape[1], -1).mean(axis=1)
    moving = spread[spread > spread.max(initial=0.0) * 1e-4]
    return bool(moving.size and within.scale**2 / 12 <= (STEP * STEP) * moving.min())


STEP = 0.01
"""Error that the grid of an answer may add, over how far the answer moves."""
