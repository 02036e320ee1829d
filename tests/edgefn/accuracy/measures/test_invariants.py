"""What eager's answers keep in all samples, an artifact's keep, or it is refused, however small the error is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgefn.accuracy import judging
from edgefn.accuracy.judge import judge
from edgefn.accuracy.options import Accuracy
from edgefn.accuracy.verdict import Agreement
from edgefn.golden import GoldenSample, Pairs
from edgefn.spec import TensorSpec

Array = Any


def softmax(seed: int) -> Array:
    """Draw probabilities of a thousand classes."""
    logits = 4 * np.random.default_rng(seed).normal(size=(1, 1000))
    return (np.exp(logits) / np.exp(logits).sum()).astype(np.float32)


def unit(seed: int) -> Array:
    """Draw an embedding of length 1."""
    vector = np.random.default_rng(seed).normal(size=(1, 64))
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def share(seed: int) -> Array:
    """Draw numbers between 0 and 1."""
    return np.random.default_rng(seed).uniform(0, 1, (1, 64)).astype(np.float32)


def area(seed: int) -> Array:
    """Draw numbers from 0 on."""
    return np.maximum(np.random.default_rng(seed).normal(0, 5, (1, 64)), 0).astype(np.float32)


def judged(draw: Callable[[int], Array], change: Callable[[Array], Array], precision: str) -> Agreement:
    """Judge an artifact that `change`s the answers."""
    samples = [GoldenSample({"x": np.array([seed])}, {"y": draw(seed)}) for seed in range(16)]
    spec = {"y": TensorSpec("float32", ("batch", samples[0].outputs["y"].shape[1]))}

    class Session:
        def run(self, inputs: Any) -> Any:
            return {"y": change(draw(int(inputs["x"][0])).astype(np.float64)).astype(np.float32)}

    accuracy = Accuracy(error={"int8": 10.0}, top1=0.0)
    return judge(Session(), Pairs(tuple(samples)), judging.found("net", spec, samples, accuracy), precision)


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("draw", [softmax, unit, share, area])
def test_a_sound_answer_keeps_them(draw: Callable[[int], Array], precision: str) -> None:
    """Rounding is nothing that they see."""
    found = judged(draw, lambda y: y * (1 + 1e-6), precision)
    assert found.passed, found.reason


@pytest.mark.parametrize(
    ("draw", "change", "said"),
    [
        pytest.param(softmax, lambda y: y * 1.2, "sum to 1", id="probabilities of 1.2 together"),
        pytest.param(unit, lambda y: y * 1.1, "the length 1", id="an embedding that is not of length 1"),
        pytest.param(share, lambda y: y * 1.2 - 0.1, "between 0 and 1", id="a share of 1.1"),
        pytest.param(area, lambda y: y - 1.0, "never below 0", id="a negative area"),
    ],
)
def test_a_broken_one_is_told(draw: Callable[[int], Array], change: Callable[[Array], Array], said: str) -> None:
    """Where the author allows any error in eight bits, these still hold."""
    found = judged(draw, change, "int8")
    assert found.verdict == "wrong"
    assert said in found.reason


def test_a_rule_that_eager_breaks_is_none() -> None:
    """Samples are sorted, an input that is made of them is not: eager answers below 0 there, and the artifact may."""
    samples = [GoldenSample({"t": np.sort(np.random.default_rng(seed).random((1, 16)), 1)}, {}) for seed in range(16)]

    class Since:
        def run(self, inputs: Any) -> Any:
            return {"y": (inputs["t"] - inputs["t"][:, :1]).astype(np.float32)}

    real = tuple(GoldenSample(one.inputs, Since().run(one.inputs)) for one in samples)
    mirrored = {"t": np.flip(real[0].inputs["t"], -1)}
    pairs = Pairs(real, stress=(GoldenSample(mirrored, Since().run(mirrored)),))
    rules = judging.found("net", {"y": TensorSpec("float32", ("batch", 16))}, real, Accuracy())
    found = judge(Since(), pairs, rules, "fp32")
    assert rules.outputs["y"].positive
    assert found.passed, found.reason
