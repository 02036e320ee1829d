"""A softplus in openvino has the digits of its small values, and is never below 0."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgefn.backends.openvino import OpenVino
from edgefn.compile.capture.capture import capture
from edgefn.compile.lower.openvino.lowering import OpenVinoLowering
from edgefn.spec import TensorSpec
from edgefn.targets.profiles import target
from tests.edgefn.compile.capture.test_exporting import of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

BACKEND = OpenVino()
LOWERING = OpenVinoLowering()
FP32 = target("x86-64-v3/fp32@openvino")


def test_what_divides_by_one_or_takes_its_logarithm_is_right(tmp_path: Path) -> None:
    """From -42, where one of them has float32's last digits, to 85: itself, its logarithm, root and reciprocal."""
    import torch

    def forward(x: torch.Tensor) -> Any:
        scale = torch.nn.functional.softplus(x)
        sharp = torch.nn.functional.softplus(x, beta=2.0, threshold=15.0)
        return scale, scale.log(), scale.sqrt(), 1 / scale, torch.exp(-1e10 * scale), sharp.log()

    eager = of(forward, x=TensorSpec("float32", ("rows", 100)))
    LOWERING.lower(capture(eager, {"rows": 3}), FP32, tmp_path)
    session = BACKEND.load(tmp_path)
    for rows, low, high in ((3, -42, 42), (1, -20, 20), (50, -42, 5), (2, 20, 85)):
        inputs: dict[str, Any] = {"x": np.linspace(low, high, rows * 100, dtype=np.float32).reshape(rows, 100)}
        found, wanted = session.run(inputs), eager.run(inputs)
        for name in wanted:
            one: Any = found[name]
            other: Any = wanted[name]
            near = 1e-4 if name != "output_4" else 0.05  # a hundredth of its exponent's last digit
            np.testing.assert_allclose(one, other, rtol=near, atol=1e-30, err_msg=name)
