"""Each step of a file tried alone, with numbers of every kind: what an engine computes otherwise keeps it out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from edgefn.backends.mnn import Mnn
from edgefn.backends.openvino import session
from edgefn.compile.capture.capture import capture
from edgefn.compile.lower.mnn.lowering import MnnLowering
from edgefn.compile.lower.openvino.lowering import OpenVinoLowering
from edgefn.compile.lower.screening.screen import screen
from edgefn.compile.lower.screening.steps import unlike
from edgefn.errors import BuildError
from edgefn.spec import TensorSpec
from edgefn.targets.profiles import target
from tests.edgefn.compile.capture.test_exporting import of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

FLOAT = 1
OPENVINO = target("x86-64-v3/fp32@openvino")
MNN = target("cortex-a72/fp32@mnn")


def _file(*nodes: onnx.NodeProto, shape: Sequence[int] = (1, 2, 8, 8)) -> onnx.ModelProto:
    graph = helper.make_graph(
        list(nodes),
        "net",
        [helper.make_tensor_value_info(name, FLOAT, shape) for name in ("x", "y")],
        [helper.make_empty_tensor_value_info(nodes[-1].output[0])],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)


@pytest.mark.parametrize(
    ("kind", "inputs", "options"),
    [
        ("Mod", ["x", "y"], {"fmod": 1}),
        ("Softplus", ["x"], {}),
        ("MeanVarianceNormalization", ["x"], {"axes": [2, 3]}),
        (
            "AveragePool",
            ["x"],
            {"kernel_shape": [3, 3], "strides": [2, 2], "pads": [1, 1, 1, 1], "ceil_mode": 1, "count_include_pad": 1},
        ),
    ],
)
def test_known_faults_of_openvino_are_found(kind: str, inputs: list[str], options: dict[str, Any]) -> None:
    """None of them is named in the screen."""
    found = screen(_file(helper.make_node(kind, inputs, ["z"], **options)), {}, session.tried)
    assert found.wrong.startswith(f"its {kind} ")


def test_what_is_right_is_not_refused() -> None:
    """The steps of usual networks, all at once, in under a second beside what starting takes."""
    kinds = ("Relu", "Sigmoid", "Tanh", "Erf", "Exp", "HardSwish", "LeakyRelu", "Elu", "Abs", "Sqrt", "Neg", "Round")
    pairs = ("Add", "Sub", "Mul", "Div", "Max", "Min", "Pow", "Greater", "Equal")
    nodes = [helper.make_node(kind, ["x"], [f"{kind}_z"]) for kind in (*kinds, "Softmax", "ReduceMax", "ArgMax")]
    nodes += [helper.make_node(kind, ["x", "y"], [f"{kind}_z"]) for kind in pairs]
    file = _file(*nodes)
    assert len(unlike(file, {})) == len(nodes)
    started = time.monotonic()
    found = screen(file, {}, session.tried)
    assert time.monotonic() - started < 10
    assert not found.wrong
    assert found.losing >= {"Relu", "Max", "Exp"}


def test_a_step_that_an_engine_does_not_take_keeps_the_others_tried() -> None:
    """All at once fails, so that halves are tried."""
    file = _file(*(helper.make_node(kind, ["x"], [f"{kind}_z"]) for kind in ("Relu", "Softplus", "Abs")))

    def picky(model: onnx.ModelProto, given: Any) -> Any:
        return None if any(node.op_type == "Abs" for node in model.graph.node) else session.tried(model, given)

    assert "Softplus" in screen(file, {}, picky).wrong


@pytest.mark.long
def test_a_target_is_refused_with_the_step(tmp_path: Path) -> None:
    """Samples need not show it: 0.8 goes five times into 4, not 4.999 times."""
    eager = of(lambda x: x % 0.8, x=TensorSpec("float32", (1, 6)))
    with pytest.raises(BuildError, match=r"openvino .* its Mod of .* is 0 for 0\.\d+ .*; leave the target out"):
        OpenVinoLowering().lower(capture(eager), OPENVINO, tmp_path)


def test_mnn_compares_and_rounds_as_pytorch(tmp_path: Path) -> None:
    """Its own Less compares the bits of floats, 0 is not -0 to it, 4.5 is rounded to 5, and 0.1 is false."""
    import torch

    def forward(x: Any) -> Any:
        return x < -0.5, x == 0, x.bool(), x.round(), x.norm(dim=1), x.abs().sum(1), torch.where(x < 0, -x, x)

    eager = of(forward, x=TensorSpec("float32", (4, 6)))
    MnnLowering().lower(capture(eager), MNN, tmp_path)
    loaded = Mnn().load(tmp_path)
    draw = np.random.default_rng(0)
    for numbers in (
        draw.standard_normal((4, 6)),
        draw.integers(-9, 10, (4, 6)) / 2,
        draw.choice([0.0, -0.0, 1], (4, 6)),
    ):
        x = numbers.astype(np.float32)
        found = loaded.run({"x": x})
        for name, wanted in eager.run({"x": x}).items():
            np.testing.assert_allclose(found[name].astype(float), wanted.astype(float), rtol=1e-5, err_msg=name)
