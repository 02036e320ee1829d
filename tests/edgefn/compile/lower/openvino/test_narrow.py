"""Arithmetic of 8 and 16 bits wraps in openvino as in PyTorch, where its own saturates."""

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


@pytest.mark.parametrize("kind", ["uint8", "int8", "int16"])
def test_it_wraps(kind: Any, tmp_path: Path) -> None:
    """Every pair of numbers, at the sample's size and at another."""
    limits = np.iinfo(kind)

    def forward(x: Any, y: Any) -> Any:
        return x + y, x - y, x * y, x + 100, x // 3, x % 7, -x, x.int() + y, (x.float() * 1.5).to(y.dtype), x * 3 - y

    eager = of(forward, x=TensorSpec(kind, ("batch", 64)), y=TensorSpec(kind, ("batch", 64)))
    LOWERING.lower(capture(eager, {"batch": 2}), FP32, tmp_path)
    session = BACKEND.load(tmp_path)
    draw = np.random.default_rng(0)
    for rows in (2, 1, 300):
        inputs: dict[str, Any] = {
            name: draw.integers(limits.min, limits.max, (rows, 64), endpoint=True).astype(kind) for name in "xy"
        }
        wanted = eager.run(inputs)
        for name, found in session.run(inputs).items():
            np.testing.assert_array_equal(found, wanted[name], err_msg=name, strict=True)


def test_a_file_without_such_arithmetic_is_left_as_it_is(tmp_path: Path) -> None:
    """A picture of uint8 that becomes float costs no step more."""
    eager = of(lambda x: x.float() / 255, x=TensorSpec("uint8", ("batch", 3, 8, 8)))
    caught = capture(eager, {"batch": 2})
    LOWERING.lower(caught, FP32, tmp_path)
    assert (tmp_path / "model.onnx").read_bytes() == caught.onnx(20).read_bytes()
