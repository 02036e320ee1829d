"""Quotients of float64 in openvino: the mean over a free axis is that of each row."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

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


def _means(x: torch.Tensor) -> Any:
    """Pool as a sequence's encoder does, and in float64 as who is careful does."""
    return (x * 2).mean(1), (x + 1).mean(1, keepdim=True), x.double().mean(1).float(), (x.double().sum(1) / 8).float()


@pytest.mark.parametrize("sizes", [{"batch": 6, "n": 8}, {"batch": 1, "n": 8}, {"batch": 2, "n": 32}])
def test_a_mean_over_a_free_axis_is_right_in_each_row(sizes: dict[str, int], tmp_path: Path) -> None:
    """At the sizes that it is compiled for and at others: all rows but the first were wrong."""
    eager = of(_means, x=TensorSpec("float32", ("batch", "n", 16)))
    caught = capture(eager, sizes)
    caught.sizes = sizes
    LOWERING.lower(caught, FP32, tmp_path / "portable")
    BACKEND.finish(tmp_path / "portable", tmp_path / "finished")
    session = BACKEND.load(tmp_path / "finished")
    for batch, length in (tuple(sizes.values()), (1, 9), (3, 8), (4, 600)):
        inputs: Any = {"x": np.random.default_rng(length).standard_normal((batch, length, 16)).astype(np.float32)}
        found: Any = session.run(inputs)
        wanted: Any = eager.run(inputs)
        for name, answer in wanted.items():
            np.testing.assert_allclose(found[name], answer, rtol=1e-4, atol=1e-5, err_msg=name)
