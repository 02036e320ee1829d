"""A tensor of free lengths is one of the lengths at hand, as detectors need to bring boxes to the picture's size."""

from __future__ import annotations

from typing import Any

import pytest

from edgefn import tensor
from edgefn.compile.capture.capture import capture
from tests.edgefn.compile.capture.test_exporting import check, of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]


def test_lengths_in_tensors_stay_free() -> None:
    """Whole and as fractions, alone, in lists and in lists of lists, beside numbers, of any type."""
    import torch

    def forward(x: Any) -> Any:
        height, width = x.shape[-2:]
        boxes = x.mean((2, 3))
        return (
            *(boxes / torch.tensor([width, height, width, height]), boxes * x.new_tensor([width, 2.5, 1, height])),
            *(x / torch.as_tensor(height), torch.tensor(height / width, dtype=torch.float64) * boxes.double()),
            torch.tensor([[width, 0], [0, height]], dtype=torch.float32) @ boxes[:, :2, None],
            *(torch.tensor((height, width)), torch.tensor([height, 1.5]), torch.tensor([1, 2]) * boxes[:, :2]),
            torch.tensor([height // 2, max(width, 7)]).sum() + x.new_tensor(3),
        )

    eager = of(forward, x=tensor("float32", "batch", 4, "height", "width"))
    sizes = {"batch": 2, "height": 6, "width": 9}
    captured = capture(eager, sizes)
    assert not captured.model.ranges
    check(eager, captured, sizes)
