"""What a detector finds, likeliest first: of two rows with the same score, either may be the first.

Shares no code with the gate, which has such an allowance too. Rows are paired by what they say, nearest pairs first.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
SAME = 2e-3
"""Scores nearer than this share of their spread are the same: twice what an artifact may be off by."""


def settled(answers: Sequence[Sequence[Array]], wanted: Sequence[Sequence[Array]]) -> list[list[Array]]:
    """Return the answers with the rows of equal scores in the order that `wanted` has them in."""
    found = [list(answer) for answer in answers]
    for place in range(len(wanted[0])):
        if not _falling([one[place] for one in wanted]):
            continue
        beside = [other for other in range(len(wanted[0])) if _has_rows(wanted, place, other)]
        margin = SAME * float(np.concatenate([one[place] for one in wanted]).std())
        for mine, theirs in zip(found, wanted, strict=True):
            if all(n < len(mine) and mine[n].shape == theirs[n].shape for n in beside):
                order = _paired([mine[n] for n in beside], [theirs[n] for n in beside], theirs[place], margin)
                for n in beside:
                    mine[n] = mine[n][order]
    return found


def _falling(scores: Sequence[Array]) -> bool:
    """Return whether these are vectors of floats that never rise, and somewhere fall."""
    if any(one.ndim != 1 or one.dtype.kind != "f" for one in scores):
        return False
    steps = np.concatenate([np.diff(one) for one in scores])
    return bool((steps <= 0).all() and (steps < 0).any())


def _has_rows(answers: Sequence[Sequence[Array]], scores: int, other: int) -> bool:
    return all(one[other].ndim and len(one[other]) == len(one[scores]) for one in answers)


def _paired(mine: Sequence[Array], theirs: Sequence[Array], scores: Array, margin: float) -> Array:
    """Return which row of `mine` is each row of `theirs`: the same one outside of ties."""
    order = np.arange(len(scores))
    for tie in _ties(scores, margin):
        distance = sum(_distances(a[tie], b[tie]) for a, b in zip(mine, theirs, strict=True))
        left = np.array(distance, np.float64)
        for _ in range(len(left)):
            row, column = np.unravel_index(int(left.argmin()), left.shape)
            order[tie.start + row] = tie.start + column
            left[row], left[:, column] = np.inf, np.inf
    return order


def _ties(scores: Array, margin: float) -> Iterator[slice]:
    ends = [0, *(np.flatnonzero(-np.diff(scores) > margin) + 1), len(scores)]
    return (slice(int(a), int(b)) for a, b in itertools.pairwise(ends) if b - a > 1)


def _distances(mine: Array, theirs: Array) -> Array:
    """Return how far each of their rows [rows] is from each of mine [columns], between 0 and 1."""
    a, b = (np.nan_to_num(one.reshape(len(one), -1).astype(np.float64)) for one in (mine, theirs))
    apart = np.stack([np.abs(a - row).mean(1) for row in b])
    return np.asarray(apart / max(float(apart.max()), 1e-30))
