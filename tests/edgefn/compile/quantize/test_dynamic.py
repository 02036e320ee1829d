"""Dynamic int8 of matrix products and LSTMs, without calibration inputs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgefn import backends
from edgefn.compile.capture import capture
from edgefn.compile.eager import EagerSession
from edgefn.quantization import Quantize
from edgefn.spec import ModelSpec, TensorSpec
from edgefn.targets.profiles import target

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

SPEC = ModelSpec("rows", {"x": TensorSpec("float32", ("batch", 48))})


def perceptron() -> Any:
    from torch import nn

    return nn.Sequential(nn.Linear(48, 96), nn.ReLU(), nn.Linear(96, 12))


@pytest.mark.parametrize(("keep", "count"), [((), 2), (("linear_1",), 1)])
def test_linear_layers_need_no_calibration(tmp_path: Path, keep: tuple[str, ...], count: int) -> None:
    """The products are integer ones in the file, but for what the author keeps; the outputs stay near."""
    eager = EagerSession(perceptron, SPEC)
    captured = capture(eager, {"batch": 2})
    captured.quantize = Quantize(keep=keep)
    lowered = backends.get("onnxruntime").lower(captured, target("x86-64-v3/int8"), tmp_path)
    assert sum(lowered.quantized.values()) == count, lowered
    x = np.random.default_rng(0).standard_normal((3, 48)).astype(np.float32)
    wanted: Any = eager.run({"x": x})["output"]
    given: Any = backends.get("onnxruntime").load(tmp_path).run({"x": x})["output"]
    assert np.abs(given - wanted).max() < 0.1 * np.abs(wanted).max()
