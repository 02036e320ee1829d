"""Recurrent layers of no row: an artifact answers as PyTorch does, or refuses; ONNX Runtime itself ends its process."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgefn import tensor
from edgefn.backends import get
from edgefn.compile.capture.capture import capture
from tests.edgefn.compile.capture.test_exporting import of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]


@pytest.mark.parametrize("kind", ["GRU", "LSTM"])
def test_no_row_ends_no_process(kind: str) -> None:
    """It is refused, and what comes after it is answered as before."""
    import torch

    layer = getattr(torch.nn, kind)(3, 4, batch_first=True, bidirectional=kind == "LSTM")
    eager = of(lambda layer, x: layer(x)[0], layer, x=tensor("float32", "rows", "steps", 3))
    captured = capture(eager, {"rows": 2, "steps": 5})
    artifact: Any = get("onnxruntime").load(captured.onnx(20).parent)
    for rows in (2, 0, 1):
        inputs = {"x": np.ones((rows, 5, 3), np.float32)}
        if not rows:
            with pytest.raises(Exception, match="out of data bounds"):
                artifact.run(inputs)
            continue
        wanted: Any = eager.run(inputs)["output"]
        np.testing.assert_allclose(artifact.run(inputs)["output"], wanted, rtol=1e-5, atol=1e-6)
