"""The gate of the build: an artifact out of its bound does not pass. Without torch."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgefn import backends
from edgefn.bundle.config import Bound
from edgefn.compile.verify import ROUNDS, gate, measure, verify
from edgefn.errors import BuildError, GateError
from edgefn.golden import Agreement, GoldenSample

X = np.array([[1.0, -2.0, 3.0]], np.float32)


@pytest.fixture
def portable(tmp_path: Path) -> Path:
    """A folder with a portable model: y = x + x."""
    graph = helper.make_graph(
        [helper.make_node("Add", ["x", "x"], ["y"])],
        "double",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), tmp_path / "model.onnx"
    )
    return tmp_path


def verified(portable: Path, eager: np.ndarray[tuple[int, ...], np.dtype[np.float32]], bound: Bound) -> Agreement:
    sample = GoldenSample({"x": X}, {"y": eager})
    return verify(backends.get("onnxruntime"), portable, [sample], bound, "portable/fp32 of model double")


def test_an_artifact_that_agrees_passes(portable: Path) -> None:
    """Figures are exact where outputs are."""
    agreement = verified(portable, 2 * X, Bound())
    assert agreement == Agreement(0.0, 1.0, 1, True)
    gate(agreement, "double")


def test_an_artifact_out_of_its_bound_is_stopped_with_the_figures(portable: Path) -> None:
    """GateError names the artifact and says error, bound and what can be done."""
    agreement = verified(portable, 2.2 * X, Bound(max_error=0.05))
    figures = re.escape("max error 9.09e-02 is over its bound 5.00e-02")
    with pytest.raises(GateError, match=f"double.*{figures}.*tolerance") as caught:
        gate(agreement, "portable/fp32 of model double")
    assert caught.value.exit_code == 4


def test_an_artifact_that_does_not_load_is_a_build_error(portable: Path) -> None:
    """A damaged file is told by the artifact's name."""
    (portable / "model.onnx").write_bytes(b"damaged")
    with pytest.raises(BuildError, match="model double does not load"):
        verified(portable, X, Bound())


def test_an_artifact_that_does_not_run_is_a_build_error(portable: Path) -> None:
    """Inputs that the artifact does not take are a failure and no pass."""
    samples = [GoldenSample({"x": X[:, :2]}, {"y": X[:, :2]})]
    with pytest.raises(BuildError, match="double fails on its golden samples"):
        verify(backends.get("onnxruntime"), portable, samples, Bound(), "double")


def test_both_are_timed_alike(portable: Path) -> None:
    """Eager and artifact run the same number of times."""

    class Counting:
        calls = 0

        def run(self, inputs: object) -> dict[str, np.ndarray[tuple[int, ...], np.dtype[np.generic]]]:
            self.calls += 1
            return {}

    eager = Counting()
    latency = measure(backends.get("onnxruntime"), portable, eager, {"x": X}, "double")
    assert eager.calls == ROUNDS + 1
    assert latency.ratio == latency.artifact_s / latency.eager_s > 0
