"""Sums of very many numbers are as near as PyTorch's, at sizes that no sample has; those of few cost nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgefn import Dim, tensor
from edgefn.backends import get
from edgefn.compile import lower
from edgefn.compile.capture.capture import capture
from edgefn.targets.profiles import Target, target
from tests.edgefn.compile.capture.test_exporting import of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

SIZES = {"batch": 1, "high": 5, "wide": 7, "long": 11}
NEAR = 2e-5
"""Of the largest answer. ONNX Runtime's own are up to 4e-3 off, a standard deviation by as much as itself."""


def figures(x: Any, y: Any) -> Any:
    """What pictures and series are told by."""
    import torch
    from torch.nn import functional

    yield from (x.mean((1, 2, 3)), x.mean((2, 3), keepdim=True), x.sum((1, 2, 3)), x.std((1, 2, 3)), x.var((2, 3)))
    yield from (x.sum(), x.norm(), x.abs().mean(), x.flatten(2).mean(-1), functional.mse_loss(x, torch.zeros_like(x)))
    yield from (y.mean(1), y.sum((0, 1)), y.std(1), y.square().mean(1).sqrt(), y.norm(1, 1))
    yield functional.instance_norm(x)[..., :9, :9]
    yield functional.group_norm(x, 1)[..., :9, :9]


@pytest.mark.parametrize("engine", ["onnxruntime", pytest.param("openvino", marks=pytest.mark.long)])
def test_sums_of_many_are_right(engine: str, tmp_path: Path) -> None:
    """Of a picture whose numbers have much in common, and of a long series; held against float64."""
    eager = of(
        lambda x, y: tuple(figures(x, y)),
        x=tensor("float32", "batch", 3, "high", "wide"),
        y=tensor("float32", "batch", "long", 2),
    )
    captured = capture(eager, SIZES)
    captured.sizes = SIZES
    profile = "portable" if engine == "onnxruntime" else "x86-64-v3"
    lower.get(engine).lower(captured, Target(profile, "fp32", engine), tmp_path)
    session = get(engine).load(tmp_path)
    draw = np.random.default_rng(0)
    for high, wide, long in ((600, 500, 200_001), (3, 2, 2), (1, 70_000, 512)):
        x = (draw.standard_normal((1, 3, high, wide)) + 1003.3).astype(np.float32)
        y = (draw.standard_normal((1, long, 2)) + 295.7).astype(np.float32)
        wanted: Any = eager.network(*map(_double, (x, y)))
        for (name, found), exact in zip(session.run({"x": x, "y": y}).items(), wanted, strict=True):
            most = float(exact.abs().max())
            message = f"{name} of {high} x {wide}, {long}"
            np.testing.assert_allclose(np.array(found), exact.numpy(), rtol=0, atol=NEAR * most, err_msg=message)


def _double(array: Any) -> Any:
    import torch

    return torch.from_numpy(array).double()


def test_running_sums_are_right() -> None:
    """PyTorch adds them up in float64."""
    eager = of(lambda y: y.cumsum(1), y=tensor("float32", "batch", "long", 2))
    y = np.random.default_rng(0).random((1, 300_000, 2), np.float32) + 20
    captured = capture(eager, {"batch": 1, "long": 9})
    artifact: Any = get("onnxruntime").load(captured.onnx(20).parent)
    (found,) = artifact.run({"y": y}).values()
    np.testing.assert_allclose(found, y.astype(np.float64).cumsum(1), rtol=1e-6)


@pytest.mark.long
@pytest.mark.parametrize("engine", ["x86-64-v3/fp32@openvino", "cortex-a72/fp32@mnn"])
def test_running_sums_of_engines_without_float64(engine: str, tmp_path: Path) -> None:
    """In blocks: one after the other, a tenth a hundred thousand times is 0.14 % off."""
    eager = of(lambda y: y.cumsum(1), y=tensor("float32", "batch", "long", 2))
    wanted = target(engine)
    lower.get(wanted.backend).lower(capture(eager, {"batch": 1, "long": 9}), wanted, tmp_path)
    session: Any = get(wanted.backend).load(tmp_path)
    for length in (100_003, 512, 7):
        y = np.full((1, length, 2), 0.1, np.float32)
        (found,) = session.run({"y": y}).values()
        np.testing.assert_allclose(found, y.astype(np.float64).cumsum(1), rtol=1e-5)


def test_sums_of_few_are_left_alone() -> None:
    """No step is added where at most a few thousand numbers are summed: a size that is fixed, or has a bound."""
    import onnx

    eager = of(
        lambda x, y: (x.mean((1, 2)), y.mean(1), y.cumsum(1)),
        x=tensor("float32", "batch", 40, 30),
        y=tensor("float32", "batch", Dim("long", max=512)),
    )
    captured = capture(eager, {"batch": 1, "long": 9})
    kinds = {node.op_type for node in onnx.load(captured.onnx(20)).graph.node}
    assert not kinds & {"Cast", "Pad"}, kinds


@pytest.mark.parametrize("length", [9, 1009, 16_018])
def test_a_transform_of_many_is_right(length: int, tmp_path: Path) -> None:
    """At lengths that are no powers of two, to the spectrum and back; ONNX Runtime's own was up to 1e-3 off."""
    import torch

    def forward(x: Any) -> Any:
        spectrum = torch.fft.rfft(x)
        return spectrum.abs(), torch.fft.irfft(spectrum, n=x.shape[-1])

    eager = of(forward, x=tensor("float32", "batch", "long"))
    captured = capture(eager, {"batch": 1, "long": 11})
    lower.get("onnxruntime").lower(captured, Target("portable", "fp32", "onnxruntime"), tmp_path)
    x: Any = np.random.default_rng(0).standard_normal((2, length)).astype(np.float32)
    found: Any = get("onnxruntime").load(tmp_path).run({"x": x})
    for name, exact in (("output_0", np.abs(np.fft.rfft(x.astype(np.float64)))), ("output_1", x)):
        assert np.abs(found[name] - exact).max() <= 1e-5 * np.abs(exact).max(), name
