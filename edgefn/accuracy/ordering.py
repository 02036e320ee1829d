"""Outputs whose rows are ordered by scores: what a detector finds, the best k. Rows of nearly equal scores may swap.

Two detections whose scores differ by less than an artifact may be off come in either order, with boxes and labels
beside them: each is right. Of rows that all have the very score of the last one, which come in is chance. PURE: arrays
in, arrays out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgefn.accuracy.rules import Order

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[Any]]

ROWS = 8
"""So many rows must fall in order, of all samples together, before scores count as the order."""

LONGEST = 512
"""A run of nearly equal scores that is longer is left as it is."""

FEATURES = 256
"""Numbers of a row by which it is known again."""


def found(answers: Sequence[Arrays]) -> tuple[Order, ...]:
    """Return the orders in eager's `answers`: scores that fall in each of them, and the outputs that go with them."""
    orders: list[Order] = []
    taken: set[str] = set()
    for name in answers[0] if answers else ():
        arrays = [answer[name] for answer in answers]
        if name in taken or not _falls(arrays):
            continue
        axis = arrays[0].ndim - 1
        beside = tuple(other for other in answers[0] if other not in taken and _goes_with(answers, name, other, axis))
        orders.append(Order(name, axis, beside))
        taken.update(beside)
    return tuple(orders)


def _falls(arrays: Sequence[NDArray[Any]]) -> bool:
    """Whether values along the last axis never rise, in enough rows that differ."""
    if not np.issubdtype(arrays[0].dtype, np.floating) or not arrays[0].ndim:
        return False
    steps = [np.diff(np.asarray(array, np.float64), axis=-1) for array in arrays]
    if any((step > 0).any() or np.isnan(step).any() for step in steps):
        return False
    return sum(int((step < 0).sum()) for step in steps) >= ROWS


def _goes_with(answers: Sequence[Arrays], scores: str, other: str, axis: int) -> bool:
    """Whether an output has a row for each score of each answer."""
    shapes = [(answer[scores].shape, answer[other].shape) for answer in answers]
    return all(theirs[: axis + 1] == mine for mine, theirs in shapes)


def aligned(given: Arrays, wanted: Arrays, orders: Sequence[Order], margins: Mapping[str, float]) -> Arrays:
    """Return `given` with its rows as eager's, `wanted`, has them, wherever scores are within their margin.

    `margins` are by the scores' name, in their own unit.
    """
    for order in orders:
        if wanted[order.scores].size and all(given[name].shape == wanted[name].shape for name in order.outputs):
            given = _aligned(given, wanted, order, margins.get(order.scores, 0.0))
    return given


def _aligned(given: Arrays, wanted: Arrays, order: Order, margin: float) -> Arrays:
    scores = np.asarray(wanted[order.scores], np.float64)
    length = scores.shape[-1]
    flat, own = scores.reshape(-1, length), np.asarray(given[order.scores], np.float64).reshape(-1, length)
    picks = np.tile(np.arange(length), (len(flat), 1))
    excused = np.zeros((len(flat), length), bool)
    for lead in range(len(flat)):
        for first, stop in _runs(flat[lead], margin):
            mine, theirs = (_features(side, order, lead, slice(first, stop)) for side in (given, wanted))
            near = np.abs(own[lead, first:stop][None] - flat[lead, first:stop][:, None]) <= 2 * margin
            picks[lead, first:stop] = first + _matched(mine, theirs, near)
            if stop == length and flat[lead, first] == flat[lead, -1] and near.all():
                excused[lead, first:stop] = True
    if (picks == np.arange(length)).all() and not excused.any():
        return given
    changed = {}
    for name in order.outputs:
        array = given[name].reshape(-1, length, *given[name].shape[order.axis + 1 :])
        rows = np.arange(len(array))[:, None]
        eagers = wanted[name].reshape(array.shape)
        shown = excused.reshape(*excused.shape, *[1] * (array.ndim - 2))
        changed[name] = np.where(shown, eagers, array[rows, picks]).reshape(given[name].shape)
    return {**given, **changed}


def _runs(scores: NDArray[np.float64], margin: float) -> list[tuple[int, int]]:
    """Return the runs of two and more scores of which each is within `margin` of the one before."""
    with np.errstate(invalid="ignore"):
        near = np.concatenate([[False], np.abs(np.diff(scores)) <= margin, [False]])
    starts = np.flatnonzero(~near[:-1] & near[1:])
    stops = np.flatnonzero(near[:-1] & ~near[1:]) + 1
    return [(int(a), int(b)) for a, b in zip(starts, stops, strict=True) if b - a <= LONGEST]


def _features(answer: Arrays, order: Order, lead: int, rows: slice) -> NDArray[np.float64]:
    """Return what rows are known by, [rows, features]."""
    parts = []
    for name in order.outputs:
        array = np.asarray(answer[name])
        length = array.shape[order.axis]
        own = array.reshape(-1, length, int(np.prod(array.shape[order.axis + 1 :], dtype=np.int64)))[lead, rows]
        parts.append(np.nan_to_num(own[:, :: max(1, own.shape[1] // FEATURES)].astype(np.float64)))
    return np.concatenate(parts, axis=1)


def _matched(given: NDArray[np.float64], wanted: NDArray[np.float64], near: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Return for each wanted row the nearest given one that no row before it has taken."""
    unit = np.maximum(wanted.std(axis=0), 1e-12)
    left = np.ones(len(given), bool)
    picks = np.full(len(wanted), -1, np.int64)
    for row, target in enumerate(wanted):
        allowed = np.flatnonzero(left & near[row])
        if allowed.size:
            distance = np.square((given[allowed] - target) / unit).sum(axis=1)
            picks[row] = allowed[int(np.argmin(distance))]
            left[picks[row]] = False
    picks[picks < 0] = np.flatnonzero(left)
    return picks
