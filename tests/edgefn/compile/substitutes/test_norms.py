"""Batch normalisation by the batch's own figures."""

from __future__ import annotations

from typing import Any

import pytest

from edgefn import tensor
from edgefn.compile.capture.capture import capture
from tests.edgefn.compile.capture.test_exporting import check, of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]


def test_a_batch_by_its_own_mean_and_variance() -> None:
    """A layer without running figures, and a call that says so, of one to three dimensions."""
    import torch
    from torch import nn
    from torch.nn import functional

    def forward(one: Any, two: Any, three: Any, x: Any) -> Any:
        called = functional.batch_norm(x, torch.zeros(3), torch.ones(3), training=True, eps=0.1)
        rows = functional.batch_norm(x.flatten(0, 1), None, None, training=True)
        return one(x), two(x[..., None]), three(x[..., None, None]), called, rows

    layers = [
        nn.BatchNorm1d(3, track_running_stats=False),
        nn.BatchNorm2d(3, affine=False, track_running_stats=False),
        nn.BatchNorm3d(3, track_running_stats=False),
    ]
    eager = of(forward, *layers, x=tensor("float32", "batch", 3, "n"))
    with torch.no_grad():
        for weight in eager.network.parameters():
            weight.uniform_(-1, 1)
    captured = capture(eager, {"batch": 4, "n": 12})
    check(eager, captured, {"batch": 4, "n": 12})
