"""The gate of the build: an artifact out of its bound does not pass. Without torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from edgefn import backends
from edgefn.accuracy.rules import Judging
from edgefn.accuracy.verdict import Agreement
from edgefn.bundle.config import Bound
from edgefn.compile.verify import ROUNDS, Gate, check, measure, verify
from edgefn.errors import BuildError, GateError
from edgefn.golden import GoldenSample, Pairs

XS = [np.array([[1.0, -2.0, 3.0]], np.float32) * factor for factor in (1, 2, -3)]
X = XS[0]


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


def verified(portable: Path, factor: float, bound: Bound | None = None) -> Agreement:
    pairs = Pairs(tuple(GoldenSample({"x": x}, {"y": np.float32(factor) * x}) for x in XS))
    return verify(
        backends.get("onnxruntime"), portable, pairs, Gate(Judging(), bound=bound), "portable/fp32 of model double"
    )


def test_an_artifact_that_agrees_passes(portable: Path) -> None:
    """Figures are exact where outputs are."""
    agreement = verified(portable, 2)
    assert (agreement.verdict, agreement.error, agreement.max_error, agreement.samples) == ("right", 0.0, 0.0, 3)
    check(agreement, "double")


def test_an_artifact_out_of_its_bound_is_stopped_with_the_figures(portable: Path) -> None:
    """GateError names the artifact and says how far it is off and what can be done."""
    with pytest.raises(GateError, match=r"double.*y is off by 7.4 % of what it moves.*accuracy=") as caught:
        check(verified(portable, 2.2), "portable/fp32 of model double")
    assert caught.value.exit_code == 4


def test_a_tolerance_is_held_beside(portable: Path) -> None:
    """What `tolerance=` asks for keeps its meaning: the largest error over the largest value."""
    agreement = verified(portable, 2 + 1e-5, Bound(max_error=1e-6))
    assert "is over its bound 1.00e-06 (tolerance=)" in agreement.reason
    assert verified(portable, 2 + 1e-5, Bound(max_error=1e-3)).passed


def test_an_artifact_that_does_not_load_is_a_build_error(portable: Path) -> None:
    """A damaged file is told by the artifact's name."""
    (portable / "model.onnx").write_bytes(b"damaged")
    with pytest.raises(BuildError, match="model double does not load"):
        verified(portable, 2)


def test_an_artifact_that_does_not_run_is_a_build_error(portable: Path) -> None:
    """Inputs that the artifact does not take are a failure and no pass."""
    pairs = Pairs((GoldenSample({"x": X[:, :2]}, {"y": X[:, :2]}),))
    with pytest.raises(BuildError, match="double fails on its golden samples"):
        verify(backends.get("onnxruntime"), portable, pairs, Gate(Judging()), "double")


class _Optimising:
    """ONNX Runtime, as if its optimiser had a fault."""

    name = "onnxruntime"

    def __init__(self, factor: float) -> None:
        self._engine: Any = backends.get("onnxruntime")
        self._factor = np.float32(factor)

    def finish(self, portable: Path, folder: Path) -> None:
        self._engine.finish(portable, folder)

    def load(self, folder: Path, *, batched: bool = False) -> Any:
        session = self._engine.load(folder, batched=batched)
        factor = self._factor

        class Session:
            def run(self, inputs: Any) -> Any:
                return {name: array * factor for name, array in session.run(inputs).items()}

        return Session()


@pytest.mark.parametrize(
    ("eager", "engine", "what", "do"),
    [
        (2.0, 1.1, "its engine changes the answer", "leave this target out"),
        (2.2, 1.0, "its translation to ONNX does", "write that step with other operators"),
    ],
)
def test_the_guilty_one_is_named(portable: Path, eager: float, engine: float, what: str, do: str) -> None:
    """The engine where the file answers right as it stands, else the file."""
    pairs = Pairs(tuple(GoldenSample({"x": x}, {"y": np.float32(eager) * x}) for x in XS))
    backend: Any = _Optimising(engine)
    found = verify(backend, portable, pairs, Gate(Judging()), "double")
    assert what in found.reason
    with pytest.raises(GateError, match=do):
        check(found, "double")


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
