"""How far eager's answer moves between samples: what an error is measured by.

An artifact that ignores its input has an error of 1.0 by this measure, whatever the offset, the unit or a fixed
pattern in the output; by the largest value of the tensor it may have 0.01. PURE.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edgefn.accuracy.measures import special

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgefn.accuracy.measures.special import Masks
    from edgefn.spec import Dimension


class AnswerField(NamedTuple):
    """The answers of several samples, position by position.

    mean     broadcasts against each sample's array
    square   the variance between items, averaged over the axes of free length, which have length 1 here
    items    rows of all samples where the first axis is free, else samples
    aligned  whether all samples have one shape but for the first axis; else positions are pooled over the free axes
    """

    mean: NDArray[np.float64]
    square: NDArray[np.float64]
    items: int
    aligned: bool


def free_axes(shape: Sequence[Dimension]) -> tuple[int, ...]:
    """Return the axes whose length differs from call to call."""
    return tuple(axis for axis, size in enumerate(shape) if not isinstance(size, int))


def field(arrays: Sequence[NDArray[Any]], shape: Sequence[Dimension], masks: Masks) -> AnswerField:
    """Return the field of one output's `arrays`, whose declared shape is `shape`.

    Masked positions do not count. For a single answer, the differences between its positions count: there are no
    others.
    """
    free = free_axes(shape)
    rows = bool(free) and free[0] == 0
    aligned = len({array.shape[1:] if rows else array.shape for array in arrays}) == 1
    items = sum(array.shape[0] if rows else 1 for array in arrays)
    pooled = free if not aligned else ((0,) if rows else ())
    if items == 1:
        pooled = tuple(range(arrays[0].ndim))
    first = special.plain(arrays[0], masks)
    base = np.float64(np.nanmean(first) if np.isfinite(first).any() else 0.0)
    total, squares, count = 0.0, 0.0, 0.0
    for array in arrays:
        value = special.plain(array, masks) - base
        known = np.isfinite(value)
        value = np.where(known, value, 0.0)
        total = total + value.sum(axis=pooled, keepdims=True)
        squares = squares + np.square(value).sum(axis=pooled, keepdims=True)
        count = count + known.sum(axis=pooled, keepdims=True)
    known_count = np.maximum(count, 1)
    mean = total / known_count
    square = np.maximum(squares - total * mean, 0.0) / np.maximum(count - 1, 1)
    # What rounding of the sums leaves is no spread.
    square = np.where((count > 1) & (square > 1e-13 * squares / known_count), square, 0.0)
    rest = tuple(axis for axis in free if axis not in pooled)
    return AnswerField(mean + base, square.mean(axis=rest, keepdims=True) if rest else square, items, aligned)


def by_index(square: NDArray[np.float64], axis: int) -> NDArray[np.float64]:
    """Return the spread of each index along `axis`, from a field's `square`."""
    others = tuple(other for other in range(square.ndim) if other != axis)
    averaged: NDArray[np.float64] = np.sqrt(square.mean(axis=others))
    return averaged
