"""An LSTM of packed sequences: no artifact can have them, and what to write instead is right."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgefn.backends import get
from edgefn.compile.capture.capture import capture
from edgefn.compile.capture.eager import EagerSession
from edgefn.errors import CaptureError
from edgefn.spec import ModelSpec, TensorSpec
from tests.cases.case import Case

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]
SIZES = {"batch": 3, "time": 20}


def test_a_packed_lstm_is_refused_with_the_way_out(tmp_path: Path) -> None:
    """In one line, with the author's own: packed sequences, the padded tensor, the step at lengths - 1."""
    case = Case("packed_lstm", tmp_path)
    with pytest.raises(CaptureError) as refused:
        capture(EagerSession(case.model.builder, case.model.spec), SIZES)
    message = str(refused.value)
    assert "packed sequences" in message
    assert "packed_lstm.py" in message
    assert "lengths - 1" in message
    assert "\n" not in message


def test_one_unpadded_row_a_call_answers_as_packed_ones_do(tmp_path: Path) -> None:
    """What the message says of a bidirectional network: of each length, by the network as it was written."""
    case = Case("packed_lstm", tmp_path)
    whole = case.network

    def builder() -> Any:
        import torch

        class Row(torch.nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.whole = whole

            def forward(self, x: torch.Tensor) -> Any:
                _, (hidden, _) = self.whole.lstm(x)
                return self.whole.head(torch.cat([hidden[-2], hidden[-1]], 1))

        return Row()

    spec = ModelSpec("row", {"x": TensorSpec("float32", (1, "time", 8))})
    captured = capture(EagerSession(builder, spec), {"time": 20})
    artifact = get("onnxruntime").load(captured.onnx(20).parent)
    for seed in range(100, 103):
        given = case.module.draw(seed)
        wanted = case.eager(given)
        rows = [x[None, :length] for x, length in zip(given["x"], given["lengths"], strict=True)]
        found = np.concatenate([artifact.run({"x": row})["output"] for row in rows])
        np.testing.assert_allclose(found, wanted, rtol=1e-4, atol=1e-5)
