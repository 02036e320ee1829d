"""Values that are rare among an output's whole numbers or booleans: a defect in one pixel of a hundred, an alarm.

By the share of all elements an artifact that never gives one is nearly always equal; by the places of that value alone
it shares nothing. PURE.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SHARED = 0.5
"""Least share of the places of a value, in either answer, that both have."""

ENOUGH = 10
"""Places of a value in eager's answers by which it is judged."""

KINDS = 256
"""More different values than this are no classes: tokens, counts, identifiers."""


def lost(found: Sequence[NDArray[Any]], eager: Sequence[NDArray[Any]]) -> tuple[object, int, int, int] | None:
    """Return the value that shares the fewest of its places, too few: how many, of how many of eager's and its own.

    None where each value that is there often enough is where eager has it.
    """
    wanted = np.concatenate([array.ravel() for array in eager])
    given = np.concatenate([array.ravel() for array in found])
    if wanted.dtype.kind not in "biu":
        return None
    values, counts = np.unique(wanted, return_counts=True)
    if len(values) > KINDS:
        return None
    worst: tuple[float, tuple[object, int, int, int]] | None = None
    for value in values[counts >= ENOUGH]:
        there, here = wanted == value, given == value
        shared, either = int((there & here).sum()), int((there | here).sum())
        if shared / either < min(SHARED, worst[0] if worst else SHARED):
            worst = shared / either, (value.item(), shared, int(there.sum()), int(here.sum()))
    return worst[1] if worst else None
