"""Resizing to the nearest pixel, of free sizes and in any ratio, held against eager PyTorch."""

from __future__ import annotations

from typing import Any

import pytest

from edgefn import Dim, tensor
from edgefn.compile.capture.capture import capture
from tests.edgefn.compile.capture.test_exporting import check, of, session

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]


@pytest.mark.parametrize(
    "options",
    [
        {"size": (12, 2)},
        {"size": (12, 2), "mode": "nearest-exact"},
        {"scale_factor": (0.4, 1.7)},
        {"scale_factor": (0.6, 2), "mode": "nearest-exact"},
        {"scale_factor": 0.6, "recompute_scale_factor": True},
    ],
    ids=str,
)
def test_the_nearest_pixel_is_pytorchs_for_any_size(options: Any) -> None:
    """From 20 to 12, or 14 to 2, ONNX Runtime's Resize takes others: sizes that no sample needs to have."""
    from torch.nn import functional

    eager = of(
        lambda x: functional.interpolate(x, **options),
        x=tensor("float32", "batch", 2, Dim("height", min=3, max=30), Dim("width", min=3, max=30)),
    )
    sizes = {"batch": 1, "height": 24, "width": 24}
    check(eager, capture(eager, sizes), sizes, rounds=60)


def test_a_size_that_is_doubled_stays_one_step() -> None:
    """As engines have it, and quantise it."""
    import onnx
    from torch import nn

    for upsample in (nn.Upsample(scale_factor=2), nn.Upsample(scale_factor=2, mode="nearest-exact")):
        eager = session(upsample, x=tensor("float32", "batch", 2, "height", "width"))
        captured = capture(eager, {"batch": 1, "height": 8, "width": 6})
        assert "Resize" in {node.op_type for node in onnx.load(captured.onnx(20)).graph.node}
        check(eager, captured, {"batch": 1, "height": 8, "width": 6})
