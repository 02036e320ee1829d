"""Rules that eager's answers keep in all samples, so an artifact's must: they need no sample that moves anything.

    between 0 and 1, at least 0, rows that sum to 1, rows of length 1, values that fall in order

PURE: arrays in, words out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgefn.accuracy.measures import special

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgefn.accuracy.rules import OutputRule

EXACT = 1e-3
"""How near to 1 eager's rows are in length."""


def norms(arrays: Sequence[NDArray[Any]], axes: Sequence[int]) -> int | None:
    """Return the axis of `axes` along which every row of `arrays` has the length 1."""
    for axis in reversed(axes):
        if arrays[0].shape[axis] < 2:
            continue
        lengths = [np.linalg.norm(np.asarray(array, np.float64), axis=axis) for array in arrays if array.size]
        if lengths and all(np.allclose(one, 1.0, atol=EXACT) for one in lengths):
            return axis
    return None


def positive(arrays: Sequence[NDArray[Any]], masks: special.Masks) -> bool:
    """Tell whether no value of `arrays` is below 0 and at least one is above."""
    values = [special.plain(array, masks) for array in arrays]
    return all(np.nanmin(value, initial=0.0) >= 0 for value in values) and any((value > 0).any() for value in values)


def broken(name: str, rule: OutputRule, given: NDArray[Any], wanted: NDArray[Any], allowed: float) -> str:
    """Return the rule of the output that an artifact's answer breaks, or "".

    Empty also where eager's own answer breaks a rule. Samples may be all sorted while an input made of them is not.
    Sums and lengths may be off by `allowed`, values by the same fraction of their spread.
    """
    return "" if _broken(name, rule, wanted, allowed) else _broken(name, rule, given, allowed)


def _broken(name: str, rule: OutputRule, given: NDArray[Any], allowed: float) -> str:
    if not rule.slices or not given.size:
        return ""
    value = special.plain(given, rule.masks)
    moves = max(cut.spread for cut in rule.slices)
    low, high = float(np.nanmin(value, initial=0.0)), float(np.nanmax(value, initial=0.0))
    if rule.unit and (low < -allowed or high > 1 + allowed):
        return f"{name} is from {low:.3g} to {high:.3g}, but eager's is always between 0 and 1"
    if rule.positive and low < -allowed * max(moves, high):
        return f"{name} holds {low:.3g}, but eager's is never below 0"
    if rule.sums is not None:
        off = np.abs(np.nansum(value, axis=rule.sums) - 1).max(initial=0.0)
        if off > allowed:
            return f"{name}: rows along axis {rule.sums} sum to 1 in eager, but are off by {off:.3g}"
    if rule.norms is not None:
        off = np.abs(np.sqrt(np.nansum(np.square(value), axis=rule.norms)) - 1).max(initial=0.0)
        if off > allowed:
            return f"{name}: rows along axis {rule.norms} have the length 1 in eager, but are off by {off:.3g}"
    return ""
