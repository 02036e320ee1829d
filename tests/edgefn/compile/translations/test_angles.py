"""Angles: as PyTorch's, on the axes, of both zeros, of infinities and of NaN."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgefn import tensor
from edgefn.backends.registry import get
from edgefn.compile.capture.capture import capture
from tests.edgefn.compile.capture.test_exporting import of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

PLACES = (0.0, -0.0, 1.0, -1.0, 0.3, -7.0, 1e-30, 1e30, np.inf, -np.inf, np.nan)


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_every_pair_of_special_numbers(dtype: Any) -> None:
    """A flat picture has gradients of 0 and -1: its direction is π, not -π."""
    with np.errstate(over="ignore", under="ignore"):
        heights, widths = (one.ravel().astype(dtype) for one in np.meshgrid(PLACES, PLACES))
    eager = of(lambda y, x: y.atan2(x), y=tensor(dtype, "n"), x=tensor(dtype, "n"))
    inputs = {"y": heights, "x": widths}
    captured = capture(eager, {"n": 4})
    artifact: Any = get("onnxruntime").load(captured.onnx(20).parent)
    wanted: Any = eager.run(inputs)["output"]
    found: Any = artifact.run(inputs)["output"]
    np.testing.assert_allclose(found, wanted, rtol=1e-6 if dtype == "float32" else 2e-3, equal_nan=True)
    assert np.array_equal(np.signbit(found[~np.isnan(found)]), np.signbit(wanted[~np.isnan(wanted)]))
