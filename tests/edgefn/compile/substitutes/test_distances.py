"""Distances between rows, of any number of them, held against eager PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgefn import Dim, tensor
from edgefn.backends.registry import get
from edgefn.compile.capture.capture import capture
from tests.edgefn.compile.capture.test_exporting import check, of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]


@pytest.mark.parametrize("rows", [7, 40])
def test_rows_are_held_against_a_bank(rows: int) -> None:
    """As for maps of anomalies: for fewer than 26 rows and for more, which PyTorch computes in two ways."""
    import torch

    torch.manual_seed(1)
    bank = torch.randn(rows, 5)

    def forward(x: Any) -> Any:
        return (
            torch.cdist(x, bank),
            torch.cdist(x, bank, p=1),
            torch.cdist(x, x + 9),
            torch.cdist(x, x + 9, float("inf")),
        )

    eager = of(forward, x=tensor("float32", "batch", Dim("n", max=60), 5))
    captured = capture(eager, {"batch": 2, "n": 30})
    assert captured.model.ranges["n"].min == 1
    check(eager, captured, {"batch": 2, "n": 30}, rounds=6)


def test_the_longest_side() -> None:
    """Also of what has no square in float32, of zeros and of one infinity."""
    import torch

    eager = of(torch.hypot, x=tensor("float32", "n"), y=tensor("float32", "n"))
    captured = capture(eager, {"n": 6})
    artifact: Any = get("onnxruntime").load(captured.onnx(20).parent)
    x = np.array([3, 0, 1e30, -1e-30, np.inf, np.nan, 5], np.float32)
    y = np.array([4, 0, -2e30, 1e-30, np.inf, 1, 0], np.float32)
    wanted: Any = eager.run({"x": x, "y": y})["output"]
    np.testing.assert_allclose(artifact.run({"x": x, "y": y})["output"], wanted, rtol=1e-6)
