"""Angles of complex numbers, held against eager PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgefn import tensor
from edgefn.backends.registry import get
from edgefn.compile.capture.capture import capture
from tests.edgefn.compile.capture.test_exporting import of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]


def test_the_half_lines_and_nan() -> None:
    """Of every pair of signed zeros, ones, infinities and NaN, as a function and as a method; of real numbers too."""
    import torch

    def forward(x: Any, y: Any) -> Any:
        z = torch.complex(x, y)
        return z.angle(), torch.angle(z * 2), x.angle()

    eager = of(forward, x=tensor("float32", "n"), y=tensor("float32", "n"))
    captured = capture(eager, {"n": 6})
    artifact: Any = get("onnxruntime").load(captured.onnx(20).parent)
    numbers = np.array([0, -0.0, 1, -1, -2.5, np.inf, -np.inf, np.nan], np.float32)
    x, y = np.repeat(numbers, len(numbers)), np.tile(numbers, len(numbers))
    answers: Any = artifact.run({"x": x, "y": y})
    for name, wanted in eager.run({"x": x, "y": y}).items():
        apart = np.isinf(x) | np.isinf(y) if name == "output_1" else np.zeros(len(x), bool)  # what a product makes
        np.testing.assert_allclose(answers[name][~apart], np.asarray(wanted)[~apart], rtol=1e-6, err_msg=name)
