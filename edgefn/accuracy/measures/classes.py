"""Outputs that are class scores: which axis, how that is known, and how many rows have the same top class. PURE."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from edgefn.accuracy.rules import ClassScores

if TYPE_CHECKING:
    from numpy.typing import NDArray

SURE = 0.5
"""Eager is sure of a row whose top class has at least this probability."""

TIE = 1e-6
"""Scores closer than this, relative to their row's largest, are a tie: float32 does not order them."""


class Top1(msgspec.Struct, frozen=True):
    """Rows whose top class agrees, of all and of those that eager is sure of."""

    agreeing: int = 0
    rows: int = 0
    sure_agreeing: int = 0
    sure: int = 0

    @property
    def share(self) -> float:
        return self.agreeing / self.rows if self.rows else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Return the 95 % interval of the share among all inputs like these."""
        return wilson(self.agreeing, self.rows)

    def __add__(self, other: Top1) -> Top1:
        return Top1(
            *(a + b for a, b in zip(msgspec.structs.astuple(self), msgspec.structs.astuple(other), strict=True))
        )

    def __str__(self) -> str:
        low, high = self.interval
        sure = f", {self.sure_agreeing} of {self.sure} where eager is sure" if self.sure else ""
        return f"top class equal in {self.agreeing} of {self.rows} rows (95 % interval {low:.2f} to {high:.2f}){sure}"


def wilson(successes: int, trials: int, z: float = 1.96) -> tuple[float, float]:
    """Return Wilson's score interval of a share (E. B. Wilson, JASA 22, 1927)."""
    if not trials:
        return 0.0, 1.0
    share = successes / trials
    centre = share + z * z / (2 * trials)
    half = z * math.sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (centre - half) / scale), min(1.0, (centre + half) / scale)


def probable(arrays: Sequence[NDArray[Any]], axes: Sequence[int]) -> int | None:
    """Return the axis of `axes` along which every row of `arrays` is a distribution: 0 or more, 1 together."""
    if any(array.min(initial=0.0) < 0 or not np.isfinite(array).all() for array in arrays):
        return None
    for axis in axes:
        if arrays[0].shape[axis] >= 2 and all(
            np.allclose(array.sum(axis=axis, dtype=np.float64), 1.0, atol=1e-3) for array in arrays if array.size
        ):
            return axis
    return None


def top1(found: NDArray[Any], eager: NDArray[Any], scores: ClassScores, margin: float = 0.0) -> Top1:
    """Return how many rows of one sample have the same top class; a tie of eager's own is no disagreement.

    `margin` is how near two scores of a row may be for their order not to matter.
    """
    wanted = np.moveaxis(np.asarray(eager, np.float64), scores.axis, -1)
    wanted = wanted.reshape(-1, wanted.shape[-1])
    given = np.moveaxis(np.asarray(found, np.float64), scores.axis, -1).reshape(wanted.shape)
    if not wanted.size:
        return Top1()
    rows = np.arange(len(wanted))
    largest = wanted.max(axis=1)
    slack = np.maximum(TIE * np.abs(np.where(np.isfinite(wanted), wanted, 0.0)).max(axis=1), margin)
    agree = wanted[rows, given.argmax(axis=1)] >= largest - slack
    sure = _probability(wanted, scores) >= SURE
    return Top1(int(agree.sum()), len(wanted), int((agree & sure).sum()), int(sure.sum()))


def last_axis(found: NDArray[Any], eager: NDArray[Any]) -> Top1:
    """Return how many rows of the last axis have the same top class, as `Bound(top1=...)` means it.

    For integers, return how many elements are equal.
    """
    if not np.issubdtype(eager.dtype, np.floating):
        return Top1(int((found == eager).sum()), eager.size)
    if eager.ndim == 0 or eager.shape[-1] < 2:
        return Top1()
    return top1(found, eager, ClassScores(eager.ndim - 1, "Bound(top1=...)"))


def _probability(wanted: NDArray[np.float64], scores: ClassScores) -> NDArray[np.float64]:
    """Return the probability of each row's top class."""
    largest = wanted.max(axis=1)
    if scores.probabilities:
        certain: NDArray[np.float64] = largest
        return certain
    with np.errstate(over="ignore", invalid="ignore"):
        probability: NDArray[np.float64] = 1.0 / np.exp(wanted - largest[:, None]).sum(axis=1)
    return probability
