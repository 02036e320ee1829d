"""NaN: an answer that eager has is an engine's answer, too, or none is given; never a number in its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import helper

from edgefn.backends import inexact, not_numbers, out_of_range
from edgefn.backends.openvino import session
from edgefn.backends.registry import get
from edgefn.compile import lower
from edgefn.compile.capture.capture import capture
from edgefn.compile.lower.openvino import mending
from edgefn.spec import TensorSpec
from edgefn.targets.profiles import target
from tests.edgefn.compile.capture.test_exporting import of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

ENGINES = ("portable/fp32", "x86-64-v3/fp32@openvino", "cortex-a72/fp32@mnn")


def _masked(x: Any) -> Any:
    import torch

    return torch.where(x > 0, x, -torch.inf).softmax(1).relu()


WAYS: tuple[Callable[[Any], Any], ...] = (
    lambda x: (x / x.norm()).relu(),
    lambda x: x.log().amax(1),
    lambda x: x.sqrt().argmax(1),
    lambda x: (x / x.sum(1, keepdim=True)).clamp(0, 1),
    lambda x: x.relu() * 2,
    _masked,
    lambda x: (x - x.mean(1, keepdim=True)).argmax(1),
    lambda x: (x @ x.new_tensor([[1.0, -1], [1, 1], [0, 1], [1, 2], [1, 3], [1, 1]])).relu(),
    lambda x: x.softmax(1).argmax(1),
    lambda x: x.sort(1).values,
    lambda x: x.topk(2).values,
    lambda x: x.sin() > 0.5,
)
"""Each is right in some engine, and each of OpenVINO and MNN answered with numbers."""

ROWS = {
    "usual": [1, 2, 3, 1, 4, 2],
    "zeros": [0, 0, 0, 0, 0, 0],
    "below 0": [-1, -2, -3, -1, -4, -2],
    "NaN": [1, np.nan, 3, 1, 4, 2],
    "infinite": [1, np.inf, 3, -np.inf, 4, 2],
    "one infinity": [1, 0, 3, np.inf, 4, 2],
    "minus infinity": [-np.inf, 1, 3, 1, 4, 2],
}


@pytest.mark.parametrize(
    "engine", [ENGINES[1], *(pytest.param(engine, marks=pytest.mark.long) for engine in (ENGINES[0], ENGINES[2]))]
)
@pytest.mark.parametrize("way", [0, *(pytest.param(way, marks=pytest.mark.long) for way in range(1, len(WAYS)))])
def test_no_number_for_nan(way: int, engine: str, tmp_path: Path) -> None:
    """Whether NaN is given or made; and what is usual is answered."""
    eager = of(WAYS[way], x=TensorSpec("float32", (1, 6)))
    wanted_of = target(engine)
    backend = get(wanted_of.backend)
    lower.get(wanted_of.backend).lower(capture(eager), wanted_of, tmp_path)
    session = backend.load(tmp_path)
    for name, row in ROWS.items():
        x = np.array([row], np.float32)
        try:
            found: Any = session.run({"x": x})["output"]
        except ValueError:
            assert name != "usual"
            continue
        wanted: Any = eager.run({"x": x})["output"]
        np.testing.assert_allclose(found, wanted, rtol=1e-5, atol=1e-6, err_msg=name)


def test_masks_of_minus_infinity_are_answered(tmp_path: Path) -> None:
    """An attention mask is given as 0 and minus infinity: no engine is left for it, and a row without any is none."""
    eager = of(
        lambda x, mask: (x @ x.transpose(1, 2) + mask).softmax(2).argmax(2),
        x=TensorSpec("float32", (1, 3, 4)),
        mask=TensorSpec("float32", (3, 3)),
    )
    lower.get("openvino").lower(capture(eager), target(ENGINES[1]), tmp_path)
    session = get("openvino").load(tmp_path)
    x = np.random.default_rng(0).standard_normal((1, 3, 4)).astype(np.float32)
    mask = np.triu(np.full((3, 3), -np.inf, np.float32), 1)
    np.testing.assert_array_equal(
        session.run({"x": x, "mask": mask})["output"], eager.run({"x": x, "mask": mask})["output"]
    )
    mask[1] = -np.inf
    with pytest.raises(ValueError, match="NaN or infinities go into steps"):
        session.run({"x": x, "mask": mask})
    with pytest.raises(ValueError, match="NaN or infinities go into steps"):
        session.run({"x": x + np.inf, "mask": np.ones_like(mask)})


@pytest.mark.long
@pytest.mark.parametrize("engine", ENGINES[:2])
def test_what_is_taken_out_is_answered(engine: str, tmp_path: Path) -> None:
    """A quotient by 0 that is not chosen, and in ONNX Runtime NaN that a network expects of its callers."""
    import torch

    def forward(x: Any) -> Any:
        kept = torch.where(x > 0, x / x.relu(), 0.5).amax(1)
        return kept, x.nan_to_num(7).amax(1)

    eager = of(forward, x=TensorSpec("float32", (1, 6)))
    wanted_of = target(engine)
    lower.get(wanted_of.backend).lower(capture(eager), wanted_of, tmp_path)
    session = get(wanted_of.backend).load(tmp_path)
    for row in ([1, 2, 0, 0, -4, 2], [np.nan, 1, 2, 3, 4, 0])[: 2 if engine == "portable/fp32" else 1]:
        x = np.array([row], np.float32)
        answers: Any = eager.run({"x": x})
        for name, found in session.run({"x": x}).items():
            np.testing.assert_array_equal(found, answers[name], err_msg=name)


@pytest.mark.long
def test_what_loses_no_nan_is_left_as_it_is(tmp_path: Path) -> None:
    """A network without an extreme has no step more in ONNX Runtime."""
    eager = of(lambda x: (x / x.norm()).relu(), x=TensorSpec("float32", (1, 6)))
    caught = capture(eager)
    lower.get("onnxruntime").lower(caught, target("portable/fp32"), tmp_path)
    assert (tmp_path / "model.onnx").read_bytes() == caught.onnx(20).read_bytes()


@pytest.mark.parametrize("opset", [11, 13, 17, 20])
def test_files_of_every_opset_are_rewritten(opset: int, tmp_path: Path) -> None:
    """Indices, whole numbers and NaN are counted with operators that old files have, too."""
    nodes = [
        helper.make_node("Gather", ["table", "i"], ["row"], axis=0),
        helper.make_node("Div", ["x", "row"], ["share"]),
        helper.make_node("Relu", ["share"], ["y"]),
        helper.make_node("Mul", ["i", "i"], ["square"]),
    ]
    table = helper.make_tensor("table", 1, [3], [0.0, 1.0, 2.0])
    inputs = [helper.make_tensor_value_info("x", 1, [4]), helper.make_tensor_value_info("i", 7, [4])]
    outputs = [helper.make_tensor_value_info("y", 1, [4]), helper.make_tensor_value_info("square", 7, [4])]
    graph = helper.make_graph(nodes, "net", inputs, outputs, [table])
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=7), tmp_path / "a.onnx"
    )
    mending.mend(tmp_path / "a.onnx")
    mending.keep_numbers(tmp_path / "a.onnx", frozenset())
    runner = session.Runner(session.compiled(session.read(tmp_path / "a.onnx")))
    x, i = np.array([0, 1, 2, 3], np.float32), np.array([2, 1, 2, 1])

    def counts(x: Any, i: Any) -> list[int]:
        found: Any = runner.run({"x": x, "i": i})
        return [int(found[name].sum()) for name in (out_of_range.OUTPUT, inexact.OUTPUT, not_numbers.OUTPUT)]

    assert counts(x, i) == [0, 0, 0]
    assert counts(x, i - 1) == [0, 0, 0], "a number divided by 0 is infinite"
    assert counts(x * 0, i * 0) == [0, 0, 4]
    assert counts(x, i * 5000)[:2] == [4, 4]
