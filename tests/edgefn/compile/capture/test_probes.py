"""Lengths that a guard leaves open are tried with numbers that the network takes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgefn import tensor
from edgefn.backends.registry import get
from edgefn.compile.capture.capture import capture
from tests.edgefn.compile.capture.test_exporting import of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]


def test_the_last_step_of_rows_that_have_lengths() -> None:
    """No row has length 0, which has no last step: that says nothing of one row alone."""
    import torch

    def forward(x: Any, lengths: Any) -> Any:
        is_kept = (torch.arange(x.shape[1])[None] < lengths[:, None]).unsqueeze(-1)
        last = x.gather(1, (lengths - 1)[:, None, None].expand(-1, 1, x.shape[2])).squeeze(1)
        return last, x.masked_fill(~is_kept, float("-inf")).amax(1)

    eager = of(forward, x=tensor("float32", "batch", "time", 4), lengths=tensor("int64", "batch"))
    captured = capture(eager, {"batch": 3, "time": 10})
    artifact: Any = get("onnxruntime").load(captured.onnx(20).parent)
    for rows in (1, 3):
        x = np.random.default_rng(rows).standard_normal((rows, 7, 4)).astype(np.float32)
        inputs: dict[str, Any] = {"x": x, "lengths": np.arange(rows) + 2}
        found = artifact.run(inputs)
        for name, wanted in eager.run(inputs).items():
            np.testing.assert_array_equal(found[name], wanted)
