"""Names of inputs and outputs: a state that comes in and goes out under one name, and names that only half match."""

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


def test_gru_stream_has_its_state_under_one_name(tmp_path: Path) -> None:
    """The declared names are the artifact's, in order; a stream of ten frames is what eager PyTorch makes of it."""
    case = Case("gru_stream", tmp_path)
    case.edit('"time"', "10")
    captured = capture(EagerSession(case.model.builder, case.model.spec), {"batch": 1})
    artifact = get("onnxruntime").load(captured.onnx(20).parent)
    state: Any
    state = wanted_state = np.zeros((2, 3, 96), np.float32)
    for step in range(3):
        frames = np.random.default_rng(step).standard_normal((3, 10, 64)).astype(np.float32)
        found: Any = artifact.run({"frames": frames, "state": state})
        gains, wanted_state = case.eager({"frames": frames, "state": wanted_state})
        assert list(found) == ["gains", "state"]
        np.testing.assert_allclose(found["gains"], gains, rtol=1e-4, atol=1e-5)
        state = found["state"]
        np.testing.assert_allclose(state, wanted_state, rtol=1e-4, atol=1e-5)


def test_names_that_half_match_are_refused(tmp_path: Path) -> None:
    """`state` matches and `audio` does not: neither goes by position without a word."""
    case = Case("gru_stream", tmp_path)
    case.edit('inputs={"frames"', 'inputs={"audio"')
    case.edit('return {"frames"', 'return {"audio"')
    outcome = case.build()
    assert outcome.exit_code == 8
    assert "inputs= declares audio, state and forward() takes frames, state" in outcome.last["detail"]
