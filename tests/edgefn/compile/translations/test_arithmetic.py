"""Divisions and remainders: PyTorch's answer for every kind of number, whole ones beyond 2^24 and tenths among them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgefn import tensor
from edgefn.backends.registry import get
from edgefn.compile import lower
from edgefn.compile.capture.capture import capture
from edgefn.targets.profiles import Target
from tests.edgefn.compile.capture.test_exporting import of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]


def numbers(dtype: str) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Return numbers, and what to divide each by; a float may be divided by 0."""
    source = np.random.default_rng(0)
    if dtype.startswith("float"):
        most = 3.0 if dtype == "float16" else 6.0
        wide = source.standard_normal(500) * 10 ** source.uniform(-3, most, 500)
        above = np.concatenate([np.arange(-100, 101) / 10, wide, [np.inf, 0.0]])
        below = source.choice([0.1, 0.2, -0.3, 0.7, 2 * np.pi, -1.0, 0.0, 5.0], above.size)
    else:
        limits = np.iinfo(dtype)
        above = source.integers(limits.min // 2, limits.max // 2, 600)
        below = source.choice([one for one in (1, 2, 3, 7, 100, 9973, -1, -7) if limits.min <= one <= limits.max], 600)
    return above.astype(dtype), below.astype(dtype)


def by_a_tensor(above: Any, below: Any) -> Any:
    """Divide by a tensor, in every way."""
    return above % below, above // below, above.div(below, rounding_mode="floor"), _cut(above, below), above.fmod(below)


def by_a_number(above: Any, below: Any) -> Any:
    """Divide by numbers of Python, and one of them by a tensor."""
    import torch

    one = 0.1 if above.is_floating_point() else 7
    left = above % one, torch.remainder(5, below), 7 // (below * below + 1)
    if above.element_size() == 2:  # PyTorch rounds each step of such a quotient to a half
        return left
    return *left, above // one, above.div(one, rounding_mode="floor"), _cut(above, one)


def _cut(above: Any, below: Any) -> Any:
    """Divide and round to zero. PyTorch rounds a quotient of halves to a half before, ONNX Runtime after."""
    return above.div(below, rounding_mode="trunc") if above.element_size() != 2 else above


@pytest.mark.parametrize("forward", [by_a_tensor, by_a_number])
@pytest.mark.parametrize(
    "dtype", ["float32", "int64", *(pytest.param(one, marks=pytest.mark.long) for one in ("float16", "int32", "uint8"))]
)
def test_divisions(dtype: Any, forward: Any) -> None:
    """To the last digit of whole numbers; a quotient of floats near a whole number is rounded as PyTorch rounds it."""
    above, below = numbers(dtype)
    eager = of(forward, above=tensor(dtype, "n"), below=tensor(dtype, "n"))
    captured = capture(eager, {"n": 4})
    artifact: Any = get("onnxruntime").load(captured.onnx(20).parent)
    inputs = {"above": above, "below": below}
    for found, wanted in zip(artifact.run(inputs).values(), eager.run(inputs).values(), strict=True):
        np.testing.assert_allclose(
            np.array(found), np.array(wanted), rtol=1e-6 if dtype != "float16" else 2e-3, atol=1e-6, equal_nan=True
        )


def test_whole_numbers_by_a_float() -> None:
    """They become floats first."""
    eager = of(
        lambda x: (x % 0.5, x.div(0.3, rounding_mode="floor"), x.div(0.3, rounding_mode="trunc")),
        x=tensor("int64", "n"),
    )
    captured = capture(eager, {"n": 4})
    inputs = {"x": np.arange(-40, 40)}
    artifact: Any = get("onnxruntime").load(captured.onnx(20).parent)
    for found, wanted in zip(artifact.run(inputs).values(), eager.run(inputs).values(), strict=True):
        np.testing.assert_allclose(np.array(found), np.array(wanted), rtol=1e-6)


@pytest.mark.parametrize("dtype", ["int8", "uint8", pytest.param("int32", marks=pytest.mark.long), "int64"])
def test_shifts_and_divisions_to_the_ends_of_a_type(dtype: Any) -> None:
    """Of the least number and of the largest, in the type that PyTorch gives."""
    limits = np.iinfo(dtype)
    near = np.arange(256) % 128
    numbers = np.unique(np.concatenate([near, limits.max - near, limits.min + near])).astype(dtype)

    def forward(x: Any, y: Any) -> Any:
        return x >> 1, x >> 3, x >> limits.bits - 1, x // 3, x % 7, x // y, x % y, x // 80 % 24

    eager = of(forward, **dict.fromkeys("xy", tensor(dtype, "n")))
    captured = capture(eager, {"n": 4})
    artifact: Any = get("onnxruntime").load(captured.onnx(20).parent)
    divisors = [
        one for one in (1, 3, 7, 80, 127, -2, -9, limits.max, limits.min) if limits.min <= one <= limits.max and one
    ]
    inputs = {"x": numbers, "y": np.resize(np.array(divisors, dtype), numbers.size)}
    for found, wanted in zip(artifact.run(inputs).values(), eager.run(inputs).values(), strict=True):
        np.testing.assert_array_equal(np.asarray(found), np.asarray(wanted), strict=True)


def test_the_least_number_by_minus_one() -> None:
    """It is none of the type. PyTorch ends by SIGFPE; an artifact lives on, and divides what is beside it."""
    eager = of(
        lambda x, y: (x // y, x.div(y, rounding_mode="trunc"), x % y), x=tensor("int64", "n"), y=tensor("int64", "n")
    )
    captured = capture(eager, {"n": 4})
    artifact: Any = get("onnxruntime").load(captured.onnx(20).parent)
    numbers, divisors = np.array([np.iinfo(np.int64).min, 7, -9, 9]), np.array([-1, -1, 2, -2])
    down, cut, left = artifact.run({"x": numbers, "y": divisors}).values()
    assert [list(one[1:]) for one in (down, cut, left)] == [[-7, -5, -5], [-7, -4, -4], [0, 1, -1]]


def test_a_sum_of_truth_values() -> None:
    """It holds where one of them does; beside it, numbers are added as ever."""
    eager = of(lambda x: ((x > 0) + (x < -1), (x > 1) * (x < 2), x + x, x.add(x, alpha=2)), x=tensor("float32", "n"))
    captured = capture(eager, {"n": 4})
    artifact: Any = get("onnxruntime").load(captured.onnx(20).parent)
    inputs: dict[str, Any] = {"x": np.linspace(-3, 3, 13, dtype=np.float32)}
    for found, wanted in zip(artifact.run(inputs).values(), eager.run(inputs).values(), strict=True):
        np.testing.assert_array_equal(np.asarray(found), np.asarray(wanted), strict=True)


@pytest.mark.parametrize("engine", ["onnxruntime", "openvino"])
def test_shifts_by_numbers_of_their_own(engine: str, tmp_path: Path) -> None:
    """Every number of 8 bits by every number of places, as bits are unpacked and packed."""
    import torch

    def forward(x: Any, y: Any) -> Any:
        places = torch.arange(8, dtype=torch.uint8)
        bits = (x[:, None] >> places) & 1
        signed, by = y[:, None], places.to(torch.int8)
        return bits, (bits << places).sum(1), signed >> by, signed << by, signed.int() >> by.int(), signed.long() << by

    eager = of(forward, x=tensor("uint8", "n"), y=tensor("int8", "n"))
    backend = get(engine)
    lower.get(engine).lower(capture(eager, {"n": 3}), Target("x86-64-v3", "fp32", engine), tmp_path)
    numbers = np.arange(256).astype(np.uint8)
    inputs: dict[str, Any] = {"x": numbers, "y": numbers.astype(np.int8)}
    wanted = eager.run(inputs)
    for name, found in backend.load(tmp_path).run(inputs).items():
        np.testing.assert_array_equal(found, wanted[name], err_msg=name, strict=True)


def test_numbers_beside_double_precision_keep_their_digits() -> None:
    """A phase of a time of 1.7e9 seconds, and what is a tenth; beside float32 and whole numbers, too."""
    import torch

    def forward(x: Any) -> Any:
        length = torch.scalar_tensor(x.shape[0])
        phases = torch.sin(x * 0.1), (x / 0.7) % 1.0, 0.1 - x, x.clamp(-0.1, 0.3), torch.where(x > 0, x + 0.1, x * 0.3)
        return *phases, x.float() * 0.1, x.long() * 3, x.long() % 2654435761, x * length, (x > 0) * 0.1, x.long() * 0.1

    eager = of(forward, x=tensor("float64", "n"))
    captured = capture(eager, {"n": 3})
    artifact: Any = get("onnxruntime").load(captured.onnx(20).parent)
    inputs = {"x": np.concatenate([np.linspace(1.7e9, 1.7001e9, 50), np.linspace(-3, 3, 61)])}
    wanted = eager.run(inputs)
    for name, found in artifact.run(inputs).items():
        other: Any = wanted[name]
        near = 1e-12 if other.dtype == np.float64 else 1e-6
        np.testing.assert_allclose(found, other, rtol=near, atol=1e-5 * near, err_msg=name, strict=True)
