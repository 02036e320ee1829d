"""How far outputs are from the eager ones, for a search: it moves where agreement, a count, does not yet. Pure.

A square error over how far the eager output moves between samples, position by position: boxes in pixels do not hide
scores from 0 to 1 beside them, and an offset that all samples have counts for nothing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgefn.golden import GoldenSample

    Outputs = Mapping[str, NDArray[np.generic]]

FLOOR = 0.05
"""Least variance of a position, over the mean of its output's: one may happen not to move."""


class Distance:
    """Distances from the outputs of `samples`."""

    def __init__(self, samples: Sequence[GoldenSample]) -> None:
        names = (
            {name: value for name, value in samples[0].outputs.items() if value.dtype.kind == "f"} if samples else {}
        )
        self._scales = {name: _scale([sample.outputs[name] for sample in samples]) for name in names}

    def of(self, found: Outputs, wanted: Outputs) -> float:
        """Return the mean distance over the outputs.

        It is infinite if an output is missing, has another shape, or is not a number.
        """
        return sum(self._one(name, found.get(name), wanted[name]) for name in self._scales) / max(1, len(self._scales))

    def _one(self, name: str, found: NDArray[Any] | None, wanted: NDArray[Any]) -> float:
        if found is None or found.shape != wanted.shape:
            return float("inf")
        finite = np.isfinite(wanted)
        square = np.square(np.subtract(found, wanted, where=finite, out=np.zeros(wanted.shape), dtype=np.float64))
        scale = self._scales[name]
        error = (
            float((square / (scale if scale.shape == square.shape else scale.mean())).mean()) if square.size else 0.0
        )
        return error if np.isfinite(error) else float("inf")


def _scale(values: Sequence[NDArray[Any]]) -> NDArray[np.float64]:
    """Return the variance of each position between the samples.

    If the samples' shapes differ, it is one variance, over all values.
    """
    if len(values) > 1 and len({one.shape for one in values}) == 1:
        found = np.stack(values).astype(np.float64).var(axis=0, ddof=1)
    else:
        found = np.array(np.concatenate([one.reshape(-1) for one in values]).astype(np.float64).var())
    found = np.where(np.isfinite(found), found, 0.0)
    least = FLOOR * float(found.mean()) + 1e-12
    return np.maximum(found, least)
