"""Rounding that undoes its own error: a layer's weights are rounded one column after the other, and what rounding a
column did to the layer's output is taken back by the columns that are still to come.

The method is GPTQ (Frantar et al., 2022, arXiv:2210.17323), on the activations as the layers before, quantised
already, give them. The bias takes back what is left of the mean. Fitting the weights to the float activations as well
was tried and made it worse: a layer then learns the calibration inputs by heart (docs/decisions/quantisation.md).

Pure: NumPy in, NumPy out.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edgefn.compile.quantize.static import weights

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.floating[Any]]

DAMPING = 0.01
"""Share of the mean diagonal that is added to it: columns of little signal then move little."""


BLOCK = 64
"""Columns whose errors are carried to the rest together."""


class Statistics(NamedTuple):
    """Means over a layer's input rows: x from the quantised layers before it, f from the float ones.

    mean_x   [groups, k]; mean_f likewise
    xx       [groups, k, k]: Σ x xᵀ / count
    """

    mean_x: Matrix
    mean_f: Matrix
    xx: Matrix


class Rounded(NamedTuple):
    """A layer's weights as integers [out, k], their scales [out], and its bias [out] in float."""

    integers: NDArray[np.int8]
    scale: Matrix
    bias: Matrix

    @property
    def rows(self) -> Matrix:
        """Return the weights that the integers stand for."""
        return (self.integers * self.scale[:, None]).astype(np.float32)


def compensated(rows: Matrix, bias: Matrix, seen: Statistics, *, paired: bool) -> Rounded:
    """Round `rows` so that the output on the inputs `seen` is nearest to the output of `rows` themselves.

    The new bias makes the mean output equal to the float layer's on the float activations.
    """
    groups, size = seen.mean_x.shape
    scale = weights.scales(rows, paired=paired)
    grouped = rows.reshape(groups, -1, size).astype(np.float64)
    integers = _rounded(grouped, scale.reshape(groups, -1), _hessian(seen), paired=paired).reshape(rows.shape)
    return Rounded(integers.astype(np.int8), scale, _bias(rows, bias, integers * scale[:, None], seen))


def noise(rows: Matrix, rounded: Rounded, seen: Statistics) -> float:
    """Return the error that rounding adds to the layer's output, over that output's variance.

    Both are mean squares about the mean.
    """
    groups, size = seen.mean_x.shape
    covariance = seen.xx - seen.mean_x[:, :, None] * seen.mean_x[:, None, :]
    wrong, whole = (
        float(np.einsum("gok,gkl,gol->", one, covariance, one, optimize=True))
        for one in (part.reshape(groups, -1, size).astype(np.float64) for part in (rows - rounded.rows, rows))
    )
    return wrong / whole if whole > 0 else 0.0


def plain(rows: Matrix, bias: Matrix, *, paired: bool) -> Rounded:
    """Round `rows` to the nearest integers, and keep the bias unchanged."""
    scale = weights.scales(rows, paired=paired)
    return Rounded(weights.rounded(rows, scale, paired=paired), scale, bias)


def _hessian(seen: Statistics) -> Matrix:
    """Return the damped covariance of the inputs, [groups, k, k].

    The bias takes care of the means.
    """
    covariance = seen.xx - seen.mean_x[:, :, None] * seen.mean_x[:, None, :]
    size = covariance.shape[-1]
    mean = np.trace(covariance, axis1=1, axis2=2) / size
    return np.asarray(covariance + (DAMPING * mean + 1e-9)[:, None, None] * np.eye(size))


def _rounded(wanted: Matrix, scale: Matrix, hessian: Matrix, *, paired: bool) -> Matrix:
    """Round column by column, and spread each column's error over the columns after it.

    Returns integers, [groups, out, k]. Within a block the error is spread at once, over the blocks after it once a
    block: the result is the same, with a hundredth of the memory traffic.
    """
    spread = _spread(hessian)
    rest, integers = wanted.copy(), np.zeros_like(wanted)
    size = wanted.shape[2]
    for start in range(0, size, BLOCK):
        end = min(start + BLOCK, size)
        block, errors = rest[:, :, start:end].copy(), np.zeros_like(rest[:, :, start:end])
        for column in range(start, end):
            exact = block[:, :, column - start] / scale
            chosen = np.clip(np.rint(exact), -weights.LARGEST, weights.LARGEST)
            if paired and column and (size % 2 or column % 2):
                chosen = _beside(chosen, integers[:, :, column - 1])
            integers[:, :, column] = chosen
            error = (block[:, :, column - start] - chosen * scale) / spread[:, None, column, column]
            block[:, :, column - start + 1 :] -= error[:, :, None] * spread[:, None, column, column + 1 : end]
            errors[:, :, column - start] = error
        rest[:, :, end:] -= errors @ spread[:, start:end, end:]
    return integers


def _spread(hessian: Matrix) -> Matrix:
    """Return the upper triangular factor of the inverse of `hessian`.

    Where inputs nearly repeat others, it is damped more, tenfold each time.
    """
    size = hessian.shape[-1]
    mean = np.trace(hessian, axis1=1, axis2=2)[:, None, None] / size
    for damping in (0.0, 0.01, 0.1, 1.0):
        with suppress(np.linalg.LinAlgError):
            inverse = np.linalg.inv(hessian + damping * mean * np.eye(size))
            return np.swapaxes(np.linalg.cholesky((inverse + np.swapaxes(inverse, 1, 2)) / 2), 1, 2)
    return np.broadcast_to(np.eye(size), hessian.shape)


def _beside(chosen: Matrix, before: Matrix) -> Matrix:
    """Limit `chosen` to the values that the other weight of the pair allows."""
    highest = weights.PAIR - np.maximum(before, 0)
    lowest = -weights.PAIR + np.maximum(-before, 0)
    return np.clip(chosen, lowest, highest)


def _bias(rows: Matrix, bias: Matrix, quantised: Matrix, seen: Statistics) -> Matrix:
    """Return the bias that makes the mean output equal to the float layer's."""
    groups, size = seen.mean_x.shape
    wanted = (rows.reshape(groups, -1, size) @ seen.mean_f[:, :, None]).reshape(-1)
    given = (quantised.reshape(groups, -1, size) @ seen.mean_x[:, :, None]).reshape(-1)
    return np.asarray(bias + wanted - given, np.float32)
