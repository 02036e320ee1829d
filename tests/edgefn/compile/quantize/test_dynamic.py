"""Dynamic int8 of matrix products and LSTMs, without calibration inputs."""

from __future__ import annotations

import copy
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefn import backends
from edgefn.compile import lower
from edgefn.compile.capture.capture import capture
from edgefn.compile.capture.eager import EagerSession
from edgefn.compile.quantize import dynamic
from edgefn.compile.quantize.engine import opened
from edgefn.compile.quantize.graph.preparation import prepared
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
    lowered = lower.get("onnxruntime").lower(captured, target("x86-64-v3/int8"), tmp_path)
    assert sum(lowered.quantized.values()) == count, lowered
    x = np.random.default_rng(0).standard_normal((3, 48)).astype(np.float32)
    wanted: Any = eager.run({"x": x})["output"]
    given: Any = backends.get("onnxruntime").load(tmp_path).run({"x": x})["output"]
    assert np.abs(given - wanted).max() < 0.1 * np.abs(wanted).max()


def _mixed() -> Any:
    """Linear layers that share an input, an LSTM, attention, and a bias each."""
    import torch
    from torch import nn

    class Mixed(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.cells, self.one, self.two = nn.LSTM(16, 16, batch_first=True), nn.Linear(16, 16), nn.Linear(16, 16)
            self.attention = nn.TransformerEncoderLayer(16, 2, 32, 0.0, batch_first=True)

        def forward(self, x: torch.Tensor) -> Any:
            x = self.cells(x)[0]
            return self.attention(self.one(x) + torch.tanh(self.two(x)))

    return Mixed()


@pytest.fixture(scope="module")
def mixed() -> Any:
    """The network as ONNX, and quantised."""
    eager = EagerSession(_mixed, ModelSpec("mixed", {"x": TensorSpec("float32", ("batch", 5, 16))}))
    captured = capture(eager, {"batch": 2})  # its files are there as long as it is
    model = prepared(onnx.load(captured.onnx(20)))
    return model, dynamic.written(model, seven_bits=False)


@settings(max_examples=20, deadline=None)
@given(data=st.data())
def test_a_layer_that_is_put_back_is_as_one_that_never_was_quantised(mixed: Any, data: st.DataObject) -> None:
    """Whichever are in float: the quantiser, asked to leave them out, gives a file with the same answers."""
    model, quantised = mixed
    kept = data.draw(st.sets(st.sampled_from(dynamic.layers(model))))
    x = {"x": np.random.default_rng(0).standard_normal((2, 5, 16)).astype(np.float32)}
    found = dynamic.with_float(quantised, model, tuple(kept))
    onnx.checker.check_model(found)
    wanted = _left_out(model, kept)
    ours, theirs = (np.asarray(opened(one, {}).run(x)["output"], np.float32) for one in (found, wanted))
    np.testing.assert_allclose(ours, theirs, atol=1e-6)
    assert len(found.graph.node) <= len(wanted.graph.node)
    assert {node.name for node in found.graph.node} >= kept


def _left_out(model: onnx.ModelProto, kept: set[str]) -> onnx.ModelProto:
    """What ONNX Runtime's quantiser makes of the model when it is told to leave `kept` out."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        quantize_dynamic(
            copy.deepcopy(model),
            path,
            op_types_to_quantize=list(dynamic.OPERATORS),
            per_channel=True,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[*kept, *(f"{name}_MatMul" for name in kept)],
            extra_options={"MatMulConstBOnly": True},
        )
        return onnx.load(path)
