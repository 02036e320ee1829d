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
    """The lowest and the highest value that is kept; what is outside is clipped."""

    low: float
    high: float

    @property
    def scale(self) -> float:
        """What one step of the integer is worth."""
        return max(self.high - self.low, 1e-12) / LEVELS

    @property
    def zero(self) -> int:
        """The integer that stands for 0.0."""
        return int(np.clip(np.rint(-self.low / self.scale), 0, LEVELS))


def spanned(low: float, high: float) -> ValueRange:
    """The range of values seen between `low` and `high`, zero in it."""
    return ValueRange(min(float(low), 0.0), max(float(high), 0.0))


def expected(
    lows: NDArray[np.floating[Any]], highs: NDArray[np.floating[Any]], deviations: float = HEADROOM
) -> ValueRange:
    """Return the range of samples that were not seen, from the least and the largest value of each that was.

    Of few samples the next one's largest is often larger than theirs: where it differs between them the range reaches
    so many standard deviations beyond its mean. Pictures, whose largest is about the same in each, keep their range.
    """
    reach = deviations * (len(lows) > 1)
    low, high = lows.mean() - reach * lows.std(), highs.mean() + reach * highs.std()
    return spanned(min(low, lows.min()), max(high, highs.max()))


def least_error(values: NDArray[np.floating[Any]], seen: ValueRange) -> ValueRange:
    """The range within `seen` whose eight bits lose least of `values`, in mean square.

    A few outliers cost all others their resolution; clipping them is cheaper until it is not.
    """
    candidates = [ValueRange(seen.low * share, seen.high * share) for share in CANDIDATES]
    return min(candidates, key=lambda one: error(values, one))


def error(values: NDArray[np.floating[Any]], within: ValueRange) -> float:
    """Mean square of what eight bits of `within` lose of `values`."""
    integers = np.clip(np.rint(values / within.scale) + within.zero, 0, LEVELS)
    return float(np.mean(np.square((integers - within.zero) * within.scale - values)))


UNLIKE = 0.02
"""Of the variance of what a range is for: more than this lost, and eight bits of it are no form of it."""


def lost(values: NDArray[np.floating[Any]], within: ValueRange) -> float:
    """The share of the values' variance that eight bits of the range lose; 0 for values that are all alike.

    Of the bulk of the values: one in a hundred may be a mask's minus infinity, or lie outside the range.
    """
    low, high = np.quantile(values, (0.01, 0.99)) if values.size else (0.0, 0.0)
    bulk = values[(values >= low) & (values <= high)]
    variance = float(bulk.var(dtype=np.float64)) if bulk.size else 0.0
    return error(bulk, within) / variance if variance > 0 else 0.0


def harmless(answers: NDArray[np.floating[Any]], within: ValueRange) -> bool:
    """Whether eight bits of the range show how a layer's output moves between samples, in each of its channels.

    `answers` are [samples, channels, …]. The step is held against the channel's spread between samples, a hundredth of
    which may be lost; a channel that hardly moves is not looked at.
    """
    if len(answers) < 2:
        return False
    spread = answers.astype(np.float64).var(axis=0, ddof=1).reshape(answers.shape[1], -1).mean(axis=1)
    moving = spread[spread > spread.max(initial=0.0) * 1e-4]
    return bool(moving.size and within.scale**2 / 12 <= (STEP * STEP) * moving.min())


STEP = 0.01
"""Error that the grid of an answer may add, over how far the answer moves."""
