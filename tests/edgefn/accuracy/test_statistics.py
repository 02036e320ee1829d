"""Each statistic of a slice refuses something that no other one does, or it would not be asked."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgefn.accuracy.judge import judge
from edgefn.accuracy.judging import found
from edgefn.accuracy.limits import BY_PRECISION
from edgefn.accuracy.options import Accuracy
from edgefn.accuracy.verdict import Agreement
from edgefn.golden import GoldenSample, Pairs
from edgefn.spec import TensorSpec

SAMPLES, CHANNELS, SIDE = 64, 40, 5
ANSWERS = np.random.default_rng(0).normal(0, 1, (SAMPLES, 1, CHANNELS, SIDE, SIDE)).astype(np.float32)
SIGNS = np.random.default_rng(1).choice([-1, 1], ANSWERS.shape)
FAR = np.abs(ANSWERS) > np.quantile(np.abs(ANSWERS), 0.99)


def everywhere(size: float) -> Any:
    return SIGNS * size


def in_one_sample(size: float) -> Any:
    return SIGNS * size * (np.arange(SAMPLES) == 5)[:, None, None, None, None]


def in_one_channel(size: float) -> Any:
    return SIGNS * size * (np.arange(CHANNELS) == 7)[:, None, None]


STATISTICS: dict[str, tuple[Callable[[float], Any], Callable[[Any], float], str]] = {
    "error": (everywhere, lambda limits: limits.error, "y is off by"),
    "bias": (lambda size: size, lambda limits: limits.bias, "y is too large by"),
    "gain": (lambda size: size * ANSWERS, lambda limits: limits.gain, "y moves by 1.0"),
    "tail": (
        lambda size: -size * ANSWERS * FAR,
        lambda limits: limits.tail,
        "where it is furthest from its mean",
    ),
    "sample": (in_one_sample, lambda limits: min(limits.sample * limits.error, limits.sample_most), "for sample 5"),
    "channel": (in_one_channel, lambda limits: limits.channel * limits.error, "y: index 7 of axis 1 is off by"),
}


GAIN = ("gain", "fp32")
"""Its limit is the error's, and a factor is an error of as much."""


def judged(precision: str, off: Any) -> Agreement:
    """Return the verdict on answers that are `off`, which is by how far eager's move."""
    samples = [GoldenSample({"x": np.array([number])}, {"y": one}) for number, one in enumerate(ANSWERS)]
    judging = found("net", {"y": TensorSpec("float32", ("batch", CHANNELS, SIDE, SIDE))}, samples, Accuracy())
    (cut,) = judging.outputs["y"].slices
    answers = (ANSWERS + off * cut.spread).astype(np.float32)

    class Session:
        def run(self, inputs: Any) -> dict[str, Any]:
            return {"y": answers[int(inputs["x"][0])]}

    return judge(Session(), Pairs(tuple(samples)), judging, precision)


ALONE = [(name, precision) for precision in ("fp32", "int8") for name in STATISTICS if (name, precision) != GAIN]


@pytest.mark.parametrize(("name", "precision"), ALONE)
def test_each_statistic_refuses_what_no_other_does(name: str, precision: str) -> None:
    """A little over its limit is wrong, told by it alone; half of it is right."""
    change, limit, words = STATISTICS[name]
    size = limit(BY_PRECISION[precision])
    wrong = judged(precision, change(1.1 * size))
    assert wrong.verdict == "wrong"
    assert words in wrong.reason
    assert ";" not in wrong.reason
    assert judged(precision, change(0.5 * size)).passed


def test_a_factor_that_reads_as_one_is_not_told() -> None:
    """Of numbers that are off by 0.02 % "about 1 of what it should be" says nothing."""
    change, _, _ = STATISTICS["gain"]
    assert (
        judged("fp32", change(2e-4)).reason
        == "y is off by 0.02 % of its spread between samples, but only 0.01 % is allowed"
    )
    assert judged("int8", change(-0.4)).reason.startswith("y is off by 40 %")
    assert ": about 0.6 of what it should be" in judged("int8", change(-0.4)).reason
