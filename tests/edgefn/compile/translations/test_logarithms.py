"""Logarithms and exponentials: PyTorch's digits for numbers of every size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgefn import tensor
from edgefn.backends.registry import get
from edgefn.compile.capture.capture import capture
from tests.edgefn.compile.capture.test_exporting import of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]


def test_numbers_of_every_size() -> None:
    """From 1e-30 to 1e30, of both signs, each as precise as PyTorch's."""
    import torch
    from torch.nn import functional

    sizes = np.logspace(-30, 30, 121)
    numbers = np.concatenate([sizes, -sizes, np.linspace(-120, 120, 97), [0.0, np.inf, -np.inf]]).astype(np.float32)
    others = np.random.default_rng(0).permutation(numbers)
    eager = of(
        lambda x, y: (
            *(x.log1p(), x.expm1(), functional.logsigmoid(x)),
            *(torch.logaddexp(x, y), torch.logaddexp2(x, y), x.clamp(max=9).erfc()),
        ),
        x=tensor("float32", "n"),
        y=tensor("float32", "n"),
    )
    captured = capture(eager, {"n": 4})
    artifact: Any = get("onnxruntime").load(captured.onnx(20).parent)
    for inputs in ({"x": numbers, "y": others}, {"x": numbers, "y": numbers}):
        pairs = zip(artifact.run(inputs).values(), eager.run(inputs).values(), (0, 0, 0, 1e-7, 1e-7, 0), strict=True)
        for found, wanted, least in pairs:  # those with one add numbers of both signs
            np.testing.assert_allclose(np.array(found), np.array(wanted), rtol=2e-6, atol=least + 1e-37, equal_nan=True)


@pytest.mark.parametrize("dim", [0, 1, -1])
def test_a_running_sum_that_grows_by_far(dim: int) -> None:
    """What comes first is not lost beside what comes last."""
    numbers = np.cumsum(np.random.default_rng(0).uniform(0, 60, (3, 4, 9)), dim).astype(np.float32)
    eager = of(lambda x: x.logcumsumexp(dim), x=tensor("float32", "n", "m", 9))
    captured = capture(eager, {"n": 3, "m": 4})
    artifact: Any = get("onnxruntime").load(captured.onnx(20).parent)
    found, wanted = np.asarray(artifact.run({"x": numbers})["output"]), np.asarray(eager.run({"x": numbers})["output"])
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


@pytest.mark.parametrize("dims", [(1,), (0, 2), (-1,)])
def test_a_sum_of_what_is_masked(dims: tuple[int, ...]) -> None:
    """Where minus infinity comes first, in between, last or alone, and the others are far from 0."""
    draw = np.random.default_rng(0)
    numbers = (draw.normal(size=(3, 4, 5)) * draw.choice([1, 300, 3e4], (3, 4, 5))).astype(np.float32)
    eager = of(lambda x: (x.logsumexp(dims), x.logsumexp(dims, keepdim=True)), x=tensor("float32", "n", "m", 5))
    captured = capture(eager, {"n": 3, "m": 4})
    artifact: Any = get("onnxruntime").load(captured.onnx(20).parent)
    for share in (0.0, 0.3, 0.7, 1.0):
        masked = np.where(draw.random(numbers.shape) < share, np.float32(-np.inf), numbers)
        for found, wanted in zip(artifact.run({"x": masked}).values(), eager.run({"x": masked}).values(), strict=True):
            np.testing.assert_allclose(np.array(found), np.array(wanted), rtol=1e-6, atol=1e-5)


def test_the_tail_of_a_normal_distribution() -> None:
    """Its logarithm far out, where the tail itself is 0, and the tail times exp(x * x), from -9 to 1000."""
    import torch

    eager = of(lambda x: (torch.special.log_ndtr(x), torch.special.erfcx(x)), x=tensor("float32", "n"))
    numbers = np.concatenate([np.linspace(-9, 30, 4001), [-1e-7, 0.0, 100.0, 1000.0]]).astype(np.float32)
    captured = capture(eager, {"n": 4})
    artifact: Any = get("onnxruntime").load(captured.onnx(20).parent)
    for inputs in ({"x": numbers}, {"x": np.linspace(-1000, 9, 2001, dtype=np.float32)}):
        logarithm, scaled = (np.asarray(one) for one in artifact.run(inputs).values())
        wanted, other = (np.asarray(one) for one in eager.run(inputs).values())
        np.testing.assert_allclose(logarithm, wanted, rtol=1e-5, atol=1e-37)
        np.testing.assert_allclose(scaled, other, rtol=2e-5)
