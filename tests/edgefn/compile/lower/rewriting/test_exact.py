"""Whole numbers that a network makes on its way and engines round or cut off: no wrong answer comes of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from edgefn.backends.mnn import Mnn
from edgefn.backends.openvino import OpenVino
from edgefn.compile.capture.capture import capture
from edgefn.compile.lower.mnn.lowering import MnnLowering
from edgefn.compile.lower.openvino.lowering import OpenVinoLowering
from edgefn.errors import BuildError
from edgefn.session import Session
from edgefn.spec import TensorSpec
from edgefn.targets.profiles import target
from tests.edgefn.compile.capture.test_exporting import of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

BACKEND = OpenVino()
LOWERING = OpenVinoLowering()
FP32 = target("x86-64-v3/fp32@openvino")

WAYS: dict[str, Callable[[Any], Any]] = {
    "a product": lambda x: (x * x).float(),
    "a product by a number": lambda x: (x * 1000 * 1000).float(),
    "a comparison": lambda x: (x * x > 10**9).float(),
    "a sum along the way": lambda x: (x.cumsum(1) * 1000).double() / 7,
    "a hash": lambda x: ((x * 2654435761) % 1024).float(),
    "a power": lambda x: (x**3 % 7).float(),
    "a product of all": lambda x: (x.prod(1) % 11).float(),
    "bits": lambda x: (((x << 20) ^ x) & 1023).float(),
    "digits of a float": lambda x: ((x.float() * 1e6).long() % 10).float(),
    "a sum": lambda x: (x.sum(1) * 3 % 5).float(),
    "places": lambda x: (x[:, :1] + 7 - x).abs().float(),
    "places that are counted": lambda x: ((x > 3).sum(1) - 1).float(),
}
LEAST = {
    "a product by a number": 2,
    "a hash": 2,
    "digits of a float": 4,
    "bits": 4,
    "a power": 6,
    "a product of all": 4,
}
"""How many answers there are where small numbers become large soon."""

MNN_TOO = ("a product", "a product of all", "digits of a float", "a sum")
"""MNN has none of the others' operators, or not in these types."""

NUMBERS = (0, 1, 7, 50, 1000, 4095, 5000, 46341, 99999, 2**22, 2**23 - 1)


def is_answered(eager: Session, session: Session, x: NDArray[np.int64]) -> bool:
    """Tell whether `x` is answered; fails the test where that is not eager's answer."""
    try:
        (found,) = session.run({"x": x}).values()
    except ValueError:
        return False
    (wanted,) = eager.run({"x": x}).values()
    np.testing.assert_allclose(found.astype(float), wanted.astype(float), rtol=1e-6, err_msg=f"of {x}")
    return True


@pytest.mark.parametrize("way", WAYS)
def test_an_answer_is_eagers_or_none(way: str, tmp_path: Path) -> None:
    """However large the numbers of the inputs are that openvino takes, and at two sizes."""
    eager = of(WAYS[way], x=TensorSpec("int64", ("rows", 6)))
    LOWERING.lower(capture(eager, {"rows": 3}), FP32, tmp_path)
    session = BACKEND.load(tmp_path)
    draw = np.random.default_rng(0)
    answered = 0
    for number in NUMBERS:
        for rows in (3, 1):
            answered += is_answered(eager, session, draw.integers(-number, number, (rows, 6), endpoint=True))
    assert answered >= LEAST.get(way, 8), "what is small is answered"


@pytest.mark.parametrize("way", [MNN_TOO[0], *(pytest.param(way, marks=pytest.mark.long) for way in MNN_TOO[1:])])
def test_an_answer_of_mnn_is_eagers_or_none(way: str, tmp_path: Path) -> None:
    """However large the numbers are."""
    eager = of(WAYS[way], x=TensorSpec("int64", (3, 6)))
    MnnLowering().lower(capture(eager), target("cortex-a72/fp32@mnn"), tmp_path)
    session = Mnn().load(tmp_path)
    draw = np.random.default_rng(0)
    answered = 0
    for number in (*NUMBERS, 2**30, 2**31 - 1, 2**33):
        answered += is_answered(eager, session, draw.integers(-number, number, (3, 6), endpoint=True))
    assert answered >= 4, "what is small is answered"


@pytest.mark.long
def test_mnn_is_left_where_a_number_is_beyond_32_bits(tmp_path: Path) -> None:
    """It cuts constants off: a hash was 0 for whatever it is of."""
    eager = of(WAYS["a hash"], x=TensorSpec("int64", (3, 6)))
    with pytest.raises(BuildError, match=r"computes with the number 2654435761.* leave this target out"):
        MnnLowering().lower(capture(eager), target("cortex-a72/fp32@mnn"), tmp_path)


def test_a_network_whose_numbers_stay_small_is_left_as_it_is(tmp_path: Path) -> None:
    """Tokens, their places and what is counted cost no step more."""
    import torch

    table = torch.nn.Embedding(50, 4)
    eager = of(lambda x: table((x + 1).clamp(0, 49)), x=TensorSpec("int64", ("rows", 6)))
    LOWERING.lower(capture(eager, {"rows": 3}), FP32, tmp_path)
    assert b"edgefn.inexact" not in (tmp_path / "model.onnx").read_bytes()
