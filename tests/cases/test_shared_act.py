"""One SiLU for all convolutions, as every YOLO has it: builds, and computes what eager PyTorch does."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgefn.backends import get
from edgefn.compile.capture.capture import capture
from edgefn.compile.capture.eager import EagerSession
from tests.cases.case import Case

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]


def test_shared_act_builds_and_is_right(tmp_path: Path) -> None:
    """Built as the CLI does; the artifact agrees with the network at inputs and batches that are no samples."""
    case = Case("shared_act", tmp_path)
    assert case.built().rows["portable/fp32"]["status"] == "built"
    captured = capture(EagerSession(case.model.builder, case.model.spec))
    artifact = get("onnxruntime").load(captured.onnx(20).parent)
    for batch in (1, 2, 5):
        inputs = {"x": np.random.default_rng(90 + batch).random((batch, 3, 32, 32), np.float32)}
        found: Any = artifact.run(inputs)["output"]
        np.testing.assert_allclose(found, case.eager(inputs), rtol=1e-4, atol=1e-5)
