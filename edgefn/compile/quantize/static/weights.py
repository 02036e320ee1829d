"""Integer weights: per-channel scales, within which no pair of products can saturate.

x86 CPUs without VNNI multiply eight bits by `vpmaddubsw`: the products of two unsigned activations with two signed
weights are added in 16 bits, and what does not fit is clipped without a word. 255·(a + b) fits while a + b ≤ 128,
so what must be bounded is the sum of the two weights of a pair, not each of them: most channels keep almost eight
bits where `reduce_range` would leave them seven.

Pure: NumPy in, NumPy out.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Matrix = NDArray[np.floating[Any]]

LARGEST = 127
PAIR = 128
"""The most that two weights of one sign may sum to: 255 · 128 = 32,640 fits sixteen bits, 255 · 129 does not."""


class Form(NamedTuple):
    """How a layer's weights lie: as rows, one an output channel, in the order in which the kernels multiply them.

    layout   "conv": [out, in, h, w]; "rows": [out, in]; "columns": [in, out]
    groups   of a convolution; each output channel sees its group's inputs only
    """

    layout: str
    groups: int = 1

    @classmethod
    def of(cls, kind: str, *, groups: int = 1, transposed: bool = False) -> Form:
        """Return the form of an ONNX operator's weights."""
        if kind == "Conv":
            return cls("conv", groups)
        return cls("rows" if transposed else "columns")

    @property
    def axis(self) -> int:
        """Return the axis of the output channels."""
        return 1 if self.layout == "columns" else 0

    def rows(self, weight: NDArray[Any]) -> NDArray[Any]:
        """Return the weights as rows, [out, k].

        A convolution's rows go by position first, then by channel, because kernels take channels-last input.
        """
        match self.layout:
            case "conv":
                return np.moveaxis(weight, 1, -1).reshape(len(weight), -1)
            case "columns":
                return weight.reshape(-1, weight.shape[-1]).T
        return weight

    def weight(self, rows: NDArray[Any], shape: tuple[int, ...]) -> NDArray[Any]:
        """Return `rows` in the layout that an array of `shape` had; the inverse of `rows`."""
        match self.layout:
            case "conv":
                last = (shape[0], *shape[2:], shape[1])
                return np.ascontiguousarray(np.moveaxis(rows.reshape(last), -1, 1))
            case "columns":
                return np.ascontiguousarray(rows.T.reshape(shape))
        return rows

    def depthwise(self, weight: NDArray[Any]) -> bool:
        """Tell whether each channel is convolved by itself.

        Kernels widen those products, so they never saturate.
        """
        return self.layout == "conv" and self.groups > 1 and weight.shape[:2] == (self.groups, 1)


def scales(rows: Matrix, *, paired: bool) -> Matrix:
    """Return the smallest scale of each row, [out], with which its integers keep the limits.

    The integers are within ±127 and, if `paired`, within `PAIR` by pairs.
    """
    largest = np.abs(rows).max(axis=1, initial=0.0) / LARGEST
    if paired:
        largest = np.maximum(largest, pair_sums(rows).max(axis=1, initial=0.0) / (PAIR - 1))
    return np.where(largest > 0, largest, 1.0).astype(np.float32)


def pair_sums(rows: NDArray[Any]) -> NDArray[Any]:
    """Sum each pair's positive weights and its negative ones, both as magnitudes: [out, 2·pairs].

    The pairs are those of every alignment: kernels differ in where they begin when a row has an odd length.
    """
    positive, negative = np.maximum(rows, 0), np.maximum(-rows, 0)
    if rows.shape[1] % 2 == 0:
        sums = [side[:, 0::2] + side[:, 1::2] for side in (positive, negative)]
    else:
        sums = [side[:, :-1] + side[:, 1:] for side in (positive, negative)] if rows.shape[1] > 1 else [positive]
    return np.concatenate(sums, axis=1)


def rounded(rows: Matrix, scale: Matrix, *, paired: bool) -> NDArray[np.int8]:
    """Round to the nearest integers that keep the limits.

    In a pair above its limit, the weight that was rounded up steps back.
    """
    exact = rows / scale[:, None]
    integers = np.clip(np.rint(exact), -LARGEST, LARGEST)
    return (within_pairs(integers, exact) if paired else integers).astype(np.int8)


def within_pairs(integers: Matrix, exact: Matrix) -> Matrix:
    """Reduce integers in pairs above `PAIR` towards zero, least harm first."""
    integers = integers.copy()
    columns = integers.shape[1]
    for first in range(0, columns - 1, 2 if columns % 2 == 0 else 1):
        pair, wanted = integers[:, first : first + 2], exact[:, first : first + 2]
        over = (np.sign(pair[:, 0]) == np.sign(pair[:, 1])) * (np.abs(pair).sum(axis=1) - PAIR)
        for row in np.flatnonzero(over > 0):
            for _ in range(int(over[row])):
                place = np.argmax((pair[row] - wanted[row]) * np.sign(pair[row]))
                pair[row, place] -= np.sign(pair[row, place])
    return integers
