"""A function whose model is an ONNX file: built, deployed, and held against the file's own answers over HTTP."""

from __future__ import annotations

import numpy as np
import onnx
import pytest

from edgefn.backends.onnxruntime import import_onnxruntime
from edgefn.compile.cache.sources import Sources
from tests.cases.case import Case
from tests.e2e.box import RunningBox
from tests.edgefn.compile.files import doors

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

SOURCE = '''
"""Scores of rows of four numbers, by a network that came as a file."""
from pathlib import Path

import numpy as np

from edgefn import edge_function, edge_model, tensor


@edge_model(inputs={"x": tensor("float32", "batch", 4)}, samples="samples/*.npz")
def net():
    return Path("net.onnx")


@edge_function
def score_rows(rows: list[list[float]]) -> list[list[float]]:
    return net(x=np.array(rows, np.float32)).tolist()
'''


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The function, built for two targets; one of them compiles programs of PyTorch, and there is none."""
    source = tmp_path_factory.mktemp("source")
    (source / "samples").mkdir()
    (source / "score_rows.py").write_text(SOURCE)
    onnx.save(doors.as_onnx(), source / "net.onnx")
    for count in (1, 2, 3):
        np.savez(source / "samples" / f"{count}.npz", **doors.rows(count))
    case = Case("score_rows", tmp_path_factory.mktemp("built"), source)
    outcome = case.built("--target", "portable/fp32", "--target", "x86-64-v2/fp32@torchscript")
    rows = outcome.rows
    assert rows["portable/fp32"]["status"] == "built"
    assert rows["portable/fp32"]["opset"] == 17
    assert rows["x86-64-v2/fp32@torchscript"]["status"] == "failed"
    assert "its file is ONNX" in rows["x86-64-v2/fp32@torchscript"]["reason"]
    return case


def test_a_box_serves_the_answers_of_the_file(case: Case, box: RunningBox) -> None:
    """At a size that no sample has, what a box answers is what ONNX Runtime makes of the file itself."""
    box.deploy(case.bundle)
    inputs = doors.rows(5)
    response = box.http.post("/fn/score_rows", json=inputs["x"].tolist())
    assert response.status_code == 200, response.text
    session = import_onnxruntime().InferenceSession(str(case.folder / "net.onnx"), providers=["CPUExecutionProvider"])
    np.testing.assert_allclose(response.json(), session.run(None, inputs)[0], rtol=1e-4, atol=1e-5)


def test_another_file_is_another_network(case: Case) -> None:
    """New weights in the file are new answers: they are in the key of all that is made of the network."""
    before = Sources(case.folder).builder_key(case.model)
    model = onnx.load(case.folder / "net.onnx")
    (bias,) = (tensor for tensor in model.graph.initializer if tensor.name == "second.bias")
    bias.CopyFrom(onnx.numpy_helper.from_array(np.array([9, 9, 9], np.float32), "second.bias"))
    onnx.save(model, case.folder / "net.onnx")
    assert Sources(case.folder).builder_key(case.model) != before
