"""Outputs whose rows are ordered by scores: what a detector finds, the best k. Rows of nearly equal scores may swap.

Two detections whose scores differ by less than an artifact may be off come in either order, with boxes and labels
beside them: each is right. Of rows that all have the very score of the last one, which come in is chance. PURE: arrays
in, arrays out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgefn.accuracy.rules import RowOrder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Arrays = Mapping[str, NDArray[Any]]

ROWS = 8
"""So many rows must fall in order, of all samples together, before scores count as the order."""

LONGEST = 512
"""A run of nearly equal scores that is longer is left as it is."""

FEATURES = 256
"""Numbers of a row by which it is known again."""


def found(answers: Sequence[Arrays]) -> tuple[RowOrder, ...]:
    """Return the orders in eager's `answers`: scores that fall in each of them, and the outputs that go with them."""
    orders: list[RowOrder] = []
    taken: set[str] = set()
    for name in answers[0] if answers else ():
        arrays = [answer[name] for answer in answers]
        if name in taken or not _falls(arrays):
            continue
        axes = {other: _rows_of(answers, name, other) for other in answers[0] if other not in taken}
        beside = {other: axis for other, axis in axes.items() if axis is not None}
        orders.append(RowOrder(name, beside))
        taken.update(beside)
    return tuple(orders)


def _falls(arrays: Sequence[NDArray[Any]]) -> bool:
    """Tell whether values along the last axis never rise, and fall in at least `ROWS` places."""
    if not np.issubdtype(arrays[0].dtype, np.floating) or not arrays[0].ndim:
        return False
    with np.errstate(invalid="ignore"):
        steps = [np.diff(np.asarray(array, np.float64), axis=-1) for array in arrays]
    if any((step > 0).any() or np.isnan(step).any() for step in steps):
        return False
    return sum(int((step < 0).sum()) for step in steps) >= ROWS


def _rows_of(answers: Sequence[Arrays], scores: str, other: str) -> int | None:
    """Return the axis along which an output has a row for each score of each answer; None where there is none."""
    axis = answers[0][scores].ndim - 1
    shapes = [(answer[scores].shape, answer[other].shape) for answer in answers]
    if any(len(theirs) <= axis or theirs[:axis] != mine[:axis] for mine, theirs in shapes):
        return None
    places = range(axis, len(shapes[0][1]))
    return next((place for place in places if all(theirs[place] == mine[axis] for mine, theirs in shapes)), None)


def aligned(given: Arrays, wanted: Arrays, orders: Sequence[RowOrder], margins: Mapping[str, float]) -> Arrays:
    """Return `given` with its rows as eager's, `wanted`, has them, wherever scores are within their margin.

    `margins` are by the scores' name, in their own unit.
    """
    for order in orders:
        if wanted[order.scores].size and all(given[name].shape == wanted[name].shape for name in order.outputs):
            given = _aligned(given, wanted, order, margins.get(order.scores, 0.0))
    return given


def _aligned(given: Arrays, wanted: Arrays, order: RowOrder, margin: float) -> Arrays:
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
            last = np.flatnonzero(flat[lead, first:stop] == flat[lead, -1])
            if stop == length and len(last) > 1 and near[np.ix_(last, last)].all():
                excused[lead, first + last] = True
    if (picks == np.arange(length)).all() and not excused.any():
        return given
    changed = {}
    for name, place in order.outputs.items():
        array, eagers = (_flat(side[name], order.axis, place) for side in (given, wanted))
        rows = np.arange(len(array))[:, None]
        shown = excused.reshape(*excused.shape, *[1] * (array.ndim - 2))
        moved = np.moveaxis(given[name], place, order.axis).shape
        changed[name] = np.moveaxis(np.where(shown, eagers, array[rows, picks]).reshape(moved), order.axis, place)
    return {**given, **changed}


def _flat(array: NDArray[Any], axis: int, place: int) -> NDArray[Any]:
    """Return an output as [leading, rows, ...], whose rows lie along axis `place`."""
    moved = np.moveaxis(np.asarray(array), place, axis)
    lead = int(np.prod(moved.shape[:axis], dtype=np.int64))
    return moved.reshape(lead, *moved.shape[axis:])


def _runs(scores: NDArray[np.float64], margin: float) -> list[tuple[int, int]]:
    """Return the runs of two and more scores of which each is within `margin` of the one before."""
    with np.errstate(invalid="ignore"):
        near = np.concatenate([[False], np.abs(np.diff(scores)) <= margin, [False]])
    starts = np.flatnonzero(~near[:-1] & near[1:])
    stops = np.flatnonzero(near[:-1] & ~near[1:]) + 1
    return [(int(a), int(b)) for a, b in zip(starts, stops, strict=True) if b - a <= LONGEST]


def _features(answer: Arrays, order: RowOrder, lead: int, rows: slice) -> NDArray[np.float64]:
    """Return what rows are known by, [rows, features]."""
    parts = []
    for name, place in order.outputs.items():
        own = _flat(answer[name], order.axis, place)[lead, rows]
        own = own.reshape(len(own), -1)
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
