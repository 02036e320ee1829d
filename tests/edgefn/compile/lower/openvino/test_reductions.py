"""Sums, maxima and minima of whole numbers, and what is computed of them, are PyTorch's in openvino at every size."""

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

SIZES = [(4, 8, 9), (1, 1, 1), (2, 1, 5), (17, 8, 9), (1, 65, 3), (9, 9, 9), (64, 33, 2), (1, 200, 1), (130, 2, 17)]


def counted(x: Any) -> Any:
    """Count what is positive along each axis and along two, and compute something of each count."""
    is_above = x > 0
    for axis in (0, 1, 2, (0, 1), (1, 2), (0, 2)):
        yield is_above.sum(axis) - 1
        yield (is_above.sum(axis) * 2).clamp(0, 7)
        yield (x * 9).int().amax(axis) * 3
        yield (x * 9).long().amin(axis) + 5
        yield (is_above.sum(axis, keepdim=True) - x.shape[0]).abs()
    yield (~is_above.any(-1)).int() + 1
    yield x.gather(2, (is_above.sum(-1, keepdim=True) - 1).clamp(min=0))


@pytest.mark.long
def test_what_follows_a_count_is_right_at_every_size(tmp_path: Path) -> None:
    """Each reduction and each step behind it, at the sample's size and at eight others, in two orders."""
    eager = of(lambda x: tuple(counted(x)), x=TensorSpec("float32", ("rows", "columns", "layers")))
    caught = capture(eager, dict(zip(("rows", "columns", "layers"), SIZES[0], strict=True)))
    LOWERING.lower(caught, FP32, tmp_path)
    session = BACKEND.load(tmp_path)
    draw = np.random.default_rng(0)
    for shape in (*SIZES, *reversed(SIZES)):
        inputs = {"x": draw.standard_normal(shape).astype(np.float32)}
        wanted = eager.run(inputs)
        for name, found in session.run(inputs).items():
            np.testing.assert_array_equal(found, wanted[name], err_msg=f"{name} of {shape}", strict=True)


def test_a_fixed_size_is_right(tmp_path: Path) -> None:
    """The same where the size is the sample's."""
    eager = of(lambda x: tuple(counted(x)), x=TensorSpec("float32", (17, 8, 9)))
    LOWERING.lower(capture(eager, {}), FP32, tmp_path)
    inputs = {"x": np.random.default_rng(0).standard_normal((17, 8, 9)).astype(np.float32)}
    wanted = eager.run(inputs)
    for name, found in BACKEND.load(tmp_path).run(inputs).items():
        np.testing.assert_array_equal(found, wanted[name], err_msg=name, strict=True)
