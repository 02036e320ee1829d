"""Values that are no measurements: minus infinity and the large numbers that stand for it, NaN. PURE.

A mask is a cluster of repeated values far outside of all others. It is found by the gap, so it needs no constant: -inf,
-1e9, float16's lowest and -1e4 added to a score are masks alike.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

GAP = 100.0
"""A mask is further from the other values than this many times their range, and its own."""

MIN_MASKED_SHARE = 1e-3
"""Least share of the values that are masked: a single outlier is a measurement."""

SEEN = 500_000
"""Values by which a mask is looked for; more change nothing."""


class Masks(NamedTuple):
    """Thresholds: a value below `low` or above `high` means "masked"; None where there is no such mask."""

    low: float | None = None
    high: float | None = None

    def of(self, array: NDArray[Any]) -> NDArray[np.int8]:
        """Return -1 where `array` is masked low, 1 where it is masked high, else 0."""
        found = np.zeros(array.shape, np.int8)
        if self.low is not None:
            found[array < self.low] = -1
        if self.high is not None:
            found[array > self.high] = 1
        return found


def find(arrays: Sequence[NDArray[Any]]) -> Masks:
    """Return the masks in one output's eager `arrays`."""
    if not arrays or not np.issubdtype(arrays[0].dtype, np.floating):
        return Masks()
    total = sum(array.size for array in arrays)
    step = max(1, total // SEEN)
    values = np.sort(np.concatenate([array.ravel()[::step] for array in arrays]).astype(np.float64))
    values = values[~np.isnan(values)]
    low, high = _below(values), _below(-values[::-1])
    if low is not None and high is not None and low > -high:
        # Two clusters and one gap: the one that is further from zero is no measurement.
        return Masks(low, None) if abs(values[0]) > abs(values[-1]) else Masks(None, -high)
    return Masks(low, None if high is None else -high)


def _below(values: NDArray[np.float64]) -> float | None:
    """Return the threshold under which sorted `values` are masked, or None."""
    distinct = np.unique(values)
    if distinct.size < 2:
        return None
    with np.errstate(invalid="ignore"):
        gaps = np.diff(distinct)
    cut = int(np.argmax(np.where(np.isnan(gaps), 0.0, gaps)))
    rest = distinct[cut + 1 :]
    finite = rest[np.isfinite(rest)]
    if finite.size < 2 and not np.isneginf(distinct[cut]):
        return None
    extent = float(finite[-1] - finite[0]) if finite.size else 0.0
    lowest = float(finite[0]) if finite.size else float(distinct[cut + 1])
    masked = values <= distinct[cut]
    enough = masked.sum() >= 2 and masked.mean() >= MIN_MASKED_SHARE
    cluster = float(distinct[cut] - distinct[0]) if np.isfinite(distinct[0]) else 0.0
    far = gaps[cut] > GAP * max(extent, cluster, 1e-30)
    if not (np.isneginf(distinct[cut]) or (enough and far)):
        return None
    # Whatever stands clearly below all measurements is masked: an artifact may use another constant.
    clear = lowest - 10.0 * max(extent, 1e-6 * abs(lowest), 1e-6)
    return clear if clear > distinct[cut] else (lowest + float(distinct[cut])) / 2


def plain(array: NDArray[Any], masks: Masks) -> NDArray[np.float64]:
    """Return `array` in float64 with NaN where it is masked, infinite or NaN."""
    value = np.asarray(array, dtype=np.float64)
    hidden = masks.of(array) != 0
    if hidden.any() or not np.isfinite(value).all():
        value = np.where(hidden | ~np.isfinite(value), np.nan, value)
    return value
