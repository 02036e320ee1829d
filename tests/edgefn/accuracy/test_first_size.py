"""An engine may keep for every length what it chose for its first run of another size than the samples'."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgefn.accuracy import judging
from edgefn.accuracy.judge import judge
from edgefn.accuracy.options import Accuracy
from edgefn.golden import GoldenSample, Pairs
from edgefn.spec import TensorSpec

USUAL = 12


class Keeps:
    """An engine that broadcasts the first number of long inputs, once its first other input was of length 1."""

    def __init__(self) -> None:
        self.first = 0

    def run(self, inputs: Any) -> Any:
        x = inputs["x"]
        if x.shape[1] != USUAL:
            self.first = self.first or x.shape[1]
        return {"y": x * 0 + x[:, :1] if self.first == 1 and x.shape[1] > USUAL else x * 2}


@pytest.mark.parametrize("lengths", [(13, 24, 1), (24, 1, 2, 3, 19), (1, 13), (3, 6, 11, 19, 24, 9, 1, 2)])
def test_the_least_size_comes_first(lengths: tuple[int, ...]) -> None:
    """In whatever order sizes were found, such an engine is refused."""
    draw = np.random.default_rng(0)

    def pair(length: int) -> GoldenSample:
        x = draw.normal(size=(1, length)).astype(np.float32)
        return GoldenSample({"x": x}, {"y": x * 2})

    real = tuple(pair(USUAL) for _ in range(16))
    rules = judging.found("net", {"y": TensorSpec("float32", ("batch", "length"))}, real, Accuracy())
    found = judge(Keeps(), Pairs(real, sizes=tuple(pair(length) for length in lengths)), rules, "fp32")
    assert found.verdict == "wrong"
