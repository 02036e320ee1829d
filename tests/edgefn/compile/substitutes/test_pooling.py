"""Pooling that torch.export would fix to the example's length: right at every size, in no other way for fixed ones."""

from __future__ import annotations

from typing import Any

import pytest

from edgefn import tensor
from edgefn.compile.capture.capture import capture
from tests.edgefn.compile.capture.test_exporting import check, of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

SIZES = {"batch": 2, "n": 40}


def whole(x: Any) -> Any:
    """Pool with windows as large as the input, along all axes or some."""
    from torch.nn import functional

    wide = x[:, None]
    return (
        functional.avg_pool1d(x, x.shape[-1]),
        functional.max_pool1d(x, x.size(2)),
        functional.avg_pool2d(wide, wide.shape[2:]),
        functional.avg_pool2d(wide, (2, wide.shape[3]), stride=(1, 1)),
        functional.max_pool2d(wide, (2, wide.shape[3]), 1),
        functional.max_pool3d(wide[:, None], (1, 1, x.shape[2])),
    )


def along_one_axis(x: Any) -> Any:
    """Pool a signal, by layers and by functions."""
    import torch
    from torch import nn
    from torch.nn import functional

    return (
        nn.MaxPool1d(4)(x),
        nn.MaxPool1d(3, 2, 1, ceil_mode=True)(x[0]),
        functional.max_pool1d(x, 3, stride=1, dilation=2),
        torch.max_pool1d(x, [2]),
        functional.avg_pool1d(x, 3, 2, 1, count_include_pad=False),
    )


def by_another_divisor(x: Any) -> Any:
    """Pool sums."""
    from torch import nn
    from torch.nn import functional

    wide = x[:, None]
    return (
        nn.AvgPool2d(3, 2, 1, count_include_pad=False, divisor_override=1)(wide),
        functional.avg_pool2d(wide, (2, 3), divisor_override=-4),
        functional.avg_pool3d(wide[:, None], (1, 2, 2), 1, divisor_override=3),
        *(
            functional.avg_pool2d(wide, (2, width), (2, step), (1, edge), True, count, divisor_override=2)
            for width, step, edge, count in ((2, 3, 1, True), (4, 3, 1, False), (3, 5, 0, True), (2, 2, 1, False))
        ),
        functional.avg_pool3d(wide[:, None], (1, 2, 2), (1, 2, 3), (0, 1, 1), True, False, 2),
    )


@pytest.mark.parametrize("forward", [whole, along_one_axis, by_another_divisor])
def test_pooling_of_a_free_length(forward: Any) -> None:
    """From the shortest that forward() takes."""
    eager = of(forward, x=tensor("float32", "batch", 3, "n"))
    captured = capture(eager, SIZES)
    assert all(allowed.max is None and allowed.multiple_of == 1 for allowed in captured.model.ranges.values())
    check(eager, captured, SIZES, rounds=6)


def test_pooling_of_a_fixed_length_is_recorded_as_it_is() -> None:
    """The program of a network that torch.export can take has PyTorch's own operators."""
    program = capture(of(along_one_axis, x=tensor("float32", 2, 3, 40)), {}).program
    targets = [str(node.target) for node in program.graph.nodes]
    assert targets.count("aten.max_pool1d.default") == 4
