"""The statistics of one slice: an artifact's answers against eager's, by how far eager's answer moves. PURE."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edgefn.accuracy.measures import special

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgefn.accuracy.rules import OutputRule, Slice

SEEN = 400_000
"""The number of values from which tails and distinct values are computed; more change nothing."""

TAIL = 0.99
"""The tail are positions whose distance from the mean is above this quantile."""

DISTINCT, MANY = 8, 64
"""An artifact with fewer than DISTINCT values where eager has more than MANY rounds the answer away."""


class SliceFigures(NamedTuple):
    """One slice. RMS errors are in the output's own unit; the others are fractions.

    error        RMS error of all samples together, and `worst` of the worst sample, number `sample`
    bias         mean error
    gain         slope of the artifact on eager, both from eager's mean; None where eager does not move
    tail         RMS error where eager is furthest from its mean, over that distance; None likewise
    distinct     values of the artifact, and `eager_distinct` of eager, up to 1,000 of those looked at
    channels     RMS error by index of the channel axis
    unmasked     share of positions that only one of both masks
    """

    error: float
    worst: float
    sample: int
    bias: float
    gain: float | None
    tail: float | None
    distinct: int
    eager_distinct: int
    channels: tuple[float, ...]
    unmasked: float


def of(
    cut: Slice,
    rule: OutputRule,
    found: Sequence[NDArray[Any]],
    eager: Sequence[NDArray[Any]],
    mean: NDArray[np.float64],
) -> SliceFigures:
    """Return the figures of `cut`, whose eager answers have `mean`, which broadcasts against each of them."""
    stride = max(1, sum(cut.of(array).size for array in eager) // SEEN)
    count, total, square, product, moved = 0, 0.0, 0.0, 0.0, 0.0
    worst, sample, differing, positions = 0.0, 0, 0, 0
    channel_squares, channel_counts = 0.0, 0.0
    looked: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    values: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
    for number, (given, wanted) in enumerate(zip(found, eager, strict=True)):
        own, reference = cut.of(given), cut.of(wanted)
        masked = rule.masks.of(reference)
        differing += int((rule.masks.of(own) != masked).sum())
        positions += reference.size
        reference, own = special.plain(reference, rule.masks), special.plain(own, rule.masks)
        centre = np.broadcast_to(cut.of(np.broadcast_to(mean, wanted.shape)), reference.shape)
        known = np.isfinite(reference) & np.isfinite(own)
        difference = np.where(known, own - reference, 0.0)
        away = np.where(known, reference - centre, 0.0)
        squares = np.square(difference)
        these = int(known.sum())
        if these and (mine := float(np.sqrt(squares.sum() / these))) > worst:
            worst, sample = mine, number
        count += these
        total += float(difference.sum())
        square += float(squares.sum())
        product += float((difference * away).sum())
        moved += float(np.square(away).sum())
        if rule.channel_axis is not None and cut.channels:
            others = tuple(axis for axis in range(reference.ndim) if axis != rule.channel_axis)
            channel_squares = channel_squares + squares.sum(axis=others)
            channel_counts = channel_counts + known.sum(axis=others)
        looked.append((difference.ravel()[::stride], away.ravel()[::stride]))
        values.append((own.ravel()[::stride], reference.ravel()[::stride]))
    size = max(count, 1)
    return SliceFigures(
        error=float(np.sqrt(square / size)),
        worst=worst,
        sample=sample,
        bias=total / size,
        gain=1.0 + product / moved if moved else None,
        tail=_tail(looked),
        distinct=_distinct([one for one, _ in values]),
        eager_distinct=_distinct([one for _, one in values]),
        channels=tuple(map(float, np.sqrt(channel_squares / np.maximum(channel_counts, 1)))) if cut.channels else (),
        unmasked=differing / max(positions, 1),
    )


def _tail(looked: Sequence[tuple[NDArray[np.float64], NDArray[np.float64]]]) -> float | None:
    difference = np.concatenate([one for one, _ in looked])
    away = np.abs(np.concatenate([one for _, one in looked]))
    if not away.size or not (top := float(np.quantile(away, TAIL))):
        return None
    far = away >= top
    return float(np.sqrt(np.square(difference[far]).mean() / np.square(away[far]).mean()))


def _distinct(parts: Sequence[NDArray[np.float64]]) -> int:
    found: NDArray[np.float64] = np.unique(np.concatenate([part[np.isfinite(part)] for part in parts]))
    return min(len(found), 1000)
