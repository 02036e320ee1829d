"""NaN: an answer that eager has is an engine's answer, too, or none is given; never a number in its place."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgefn.backends.registry import get
from edgefn.compile.capture import capture
from edgefn.spec import TensorSpec
from edgefn.targets.profiles import target
from tests.edgefn.compile.test_exporting import of

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
)
"""Each is right in some engine, and each of OpenVINO and MNN answered with numbers."""

ROWS = {
    "usual": [1, 2, 3, 1, 4, 2],
    "zeros": [0, 0, 0, 0, 0, 0],
    "below 0": [-1, -2, -3, -1, -4, -2],
    "NaN": [1, np.nan, 3, 1, 4, 2],
}


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("way", [0, *(pytest.param(way, marks=pytest.mark.long) for way in range(1, len(WAYS)))])
def test_no_number_for_nan(way: int, engine: str, tmp_path: Path) -> None:
    """Whether NaN is given or made; and what is usual is answered."""
    eager = of(WAYS[way], x=TensorSpec("float32", (1, 6)))
    wanted_of = target(engine)
    backend = get(wanted_of.backend)
    backend.lower(capture(eager), wanted_of, tmp_path)
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
    get(wanted_of.backend).lower(capture(eager), wanted_of, tmp_path)
    session = get(wanted_of.backend).load(tmp_path)
    for row in ([1, 2, 0, 0, -4, 2], [np.nan, 1, 2, 3, 4, 0])[: 2 if engine == "portable/fp32" else 1]:
        x = np.array([row], np.float32)
        answers: Any = eager.run({"x": x})
        for name, found in session.run({"x": x}).items():
            np.testing.assert_array_equal(found, answers[name], err_msg=name)


def test_what_loses_no_nan_is_left_as_it_is(tmp_path: Path) -> None:
    """A network without an extreme has no step more in ONNX Runtime."""
    eager = of(lambda x: (x / x.norm()).relu(), x=TensorSpec("float32", (1, 6)))
    caught = capture(eager)
    get("onnxruntime").lower(caught, target("portable/fp32"), tmp_path)
    assert (tmp_path / "model.onnx").read_bytes() == caught.onnx(20).read_bytes()
