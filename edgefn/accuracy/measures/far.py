"""Values so far from all others that they are taken for a mask, and that differ from each other: a second range.

A mask is one number, or a score far below zero: -1e9, -1e4 + score. Where nothing is found a network may give 0.01 and
else 500 metres: those are measured by how far they differ among themselves. PURE.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgefn.accuracy.rules import OutputRule

MASKED = -1e3
"""Below this a score is a masked one, whatever else was added to it."""

SEVERAL = 4
"""So many different values are no mask."""

LIKE = 0.25
"""Nor are values of which this share is different."""


def off(
    found: Sequence[NDArray[Any]], eager: Sequence[NDArray[Any]], rule: OutputRule
) -> tuple[int, float, float, float]:
    """Return of values taken for masked that are none: how many, the RMS error, how far they move, the largest."""
    masks = rule.masks
    pairs = []
    for given, wanted in zip(found, eager, strict=True):
        there = (masks.of(wanted) != 0) & np.isfinite(wanted) & (wanted > MASKED) & np.isfinite(given)
        pairs.append((np.asarray(given[there], np.float64), np.asarray(wanted[there], np.float64)))
    own, reference = (np.concatenate(side) for side in zip(*pairs, strict=True))
    different = len(np.unique(reference))
    if different < SEVERAL or different < LIKE * reference.size:
        return 0, 0.0, 0.0, 0.0
    error = float(np.sqrt(np.square(own - reference).mean()))
    return reference.size, error, float(reference.std()), float(np.abs(reference).max())
