"""Indices of int32 and sources larger than their indices: PyTorch takes them, ONNX does not, an artifact does."""

from __future__ import annotations

from typing import Any

import pytest

from edgefn import tensor
from edgefn.compile.capture.capture import capture
from tests.edgefn.compile.capture.test_exporting import check, of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

SIZES = {"batch": 2, "n": 12}


def read(x: Any, i: Any, j: Any) -> Any:
    """Read at one index, at two side by side, and at two with an axis between."""
    return (
        x[:, :, i],
        x[:, :, None].expand(-1, -1, 4, 5)[:, :, i, j],
        x[:, None].expand(-1, 4, -1, 5)[:, i, :, j],
    )


def written(x: Any, i: Any, j: Any) -> Any:
    """Write along the last axis, then at single places; add rows up."""
    y = x * 1
    y[:, :, i] = 7.0
    y[0, i, j] = 5.0
    return y, x.index_put((i.sign(),), x[:1] * 2, accumulate=True), x.index_add(2, i, x[:, :, :4], alpha=2)


def folded(x: Any, i: Any, j: Any) -> Any:
    """Add windows up where they overlap: torch decomposes it to an index of int32."""
    import torch

    return torch.ops.aten.unfold_backward(x.unfold(1, 3, 2), [x.shape[0], x.shape[1], 5], 1, 3, 2)


def scattered(x: Any, i: Any, j: Any) -> Any:
    """Scatter a part of the source."""
    return (
        x.scatter(2, j[:3].expand(*x.shape[:2], 3).long(), x),
        x.scatter_add(2, i.expand(*x.shape[:2], 4).long(), x),
        x.scatter(1, i.long()[None, :2, None].expand(1, 2, 3), x),
    )


def averaged(x: Any, i: Any, j: Any) -> Any:
    """Average what meets at one place: with what was there, without it, and beside other reductions."""
    index = (i % 2).expand(*x.shape[:2], 4).long()
    return (
        x.scatter_reduce(2, index, x, "mean"),
        x.scatter_reduce(2, index, x * 2, "mean", include_self=False),
        x.scatter_reduce(2, index, x * 2, "amax", include_self=False),
    )


def rolled(x: Any, i: Any, j: Any) -> Any:
    """Roll by what follows from a free size, by more than there is, and back; along all axes as one."""
    import torch

    return torch.fft.fftshift(x), x.roll((x.shape[1] // 2, -7), (1, 2)), x.roll(13, -1), x.roll(3)


@pytest.mark.parametrize("forward", [read, written, folded, scattered, averaged, rolled])
def test_indices(forward: Any) -> None:
    """Right at every size."""
    import torch

    i, j = torch.tensor([2, 0, 1, 0], dtype=torch.int32), torch.tensor([1, 3, 0, 2], dtype=torch.int32)
    eager = of(lambda x: forward(x, i, j), x=tensor("float32", "batch", "n", 5))
    captured = capture(eager, SIZES)
    check(eager, captured, SIZES, rounds=4)


@pytest.mark.parametrize("offset", [0, -1, 7])
def test_diagonals_beside_infinities(offset: int) -> None:
    """Of two axes in any order, for any lengths; what is not on it is not read."""
    import torch

    def forward(x: Any) -> Any:
        wide = x[..., None] + torch.arange(5.0)
        is_on = torch.arange(5) - torch.arange(3)[:, None, None] == offset
        beside = wide.masked_fill(~is_on, float("-inf"))
        return x.diagonal(offset), wide.diagonal(offset, 2, 0), beside.diagonal(offset, 1, 3), (x > 0).diagonal(offset)

    eager = of(forward, x=tensor("float32", "batch", 3, "n"))
    check(eager, capture(eager, SIZES), SIZES)
