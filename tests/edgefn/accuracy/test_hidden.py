"""A small part that matters is not hidden by a large one that does not: rare classes, alarms, a second range, ties."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from edgefn.accuracy.judge import judge
from edgefn.accuracy.judging import found
from edgefn.accuracy.options import Accuracy
from edgefn.accuracy.rules import Network
from edgefn.accuracy.verdict import Agreement
from edgefn.golden import GoldenSample, Pairs
from edgefn.spec import TensorSpec

Answer = Callable[[Any], Any]
NOISE = np.random.default_rng(7).standard_normal((32, 32)).astype(np.float32)


class Runs:
    def __init__(self, answer: Answer) -> None:
        self._answer = answer

    def run(self, inputs: Any) -> dict[str, Any]:
        return dict(self._answer(inputs["x"]))


def judged(eager: Answer, artifact: Answer, precision: str = "int8", network: Network | None = None) -> Agreement:
    """Return the verdict on `artifact`, both functions of x [32, 32], from 16 samples."""
    random = np.random.default_rng(0)
    pairs = []
    for _ in range(16):
        x = random.standard_normal((32, 32)).astype(np.float32)
        pairs.append(GoldenSample({"x": x}, dict(eager(x))))
    shapes = {name: TensorSpec(array.dtype.name, array.shape) for name, array in pairs[0].outputs.items()}
    judging = found("net", shapes, pairs, Accuracy(), network=network)
    return judge(Runs(artifact), Pairs(tuple(pairs)), judging, precision)


def segmented(x: Any, defect: float = 2.1) -> Any:
    """Return three classes, of which one fills a fiftieth of the picture."""
    return {"y": np.where(x > defect, 3, x > 0)}


def alarms(x: Any, bound: float = 2.4) -> Any:
    return {"y": x > bound}


@pytest.mark.parametrize("precision", ["int8", "bf16"])
@pytest.mark.parametrize("eager", [segmented, alarms])
def test_a_rare_value_that_is_lost_is_wrong(eager: Any, precision: str) -> None:
    """98 of 100 elements are equal, and no defect is found; or each is found, a row too low."""
    for artifact in (lambda x: eager(x, 99.0), lambda x: eager(np.where(x > 2, np.roll(x, 1, 0), x))):
        verdict = judged(eager, artifact, precision)
        assert verdict.verdict == "wrong"
        assert "places in eager" in verdict.reason or "differs from eager" in verdict.reason


@pytest.mark.parametrize("eager", [segmented, alarms])
def test_a_rare_value_with_noise_at_its_border_is_right(eager: Any) -> None:
    """As int8 has it where it is good."""
    assert judged(eager, lambda x: eager(x + 0.02 * NOISE)).verdict == "right"


def test_many_kinds_are_no_classes() -> None:
    """Tokens and counts: the share of all elements judges them."""

    def tokens(x: Any, off: int = 0) -> Any:
        ids = np.abs(x * 1000).astype(np.int64)
        ids[:off] += 1
        return {"y": ids}

    assert judged(tokens, lambda x: tokens(x, 1)).verdict == "right"


def ranged(x: Any, far: Answer = lambda x: 500 + x) -> Any:
    """Return 0.01 or so, and metres where something is found."""
    return {"y": np.where(x > 2, far(x), 0.01 * x).astype(np.float32)}


@pytest.mark.parametrize("precision", ["int8", "fp32"])
def test_a_second_range_is_no_mask(precision: str) -> None:
    """It is as far from all else as a mask is, and its values differ: they are measured by how far they do."""
    verdict = judged(ranged, lambda x: ranged(x, lambda x: 700 + 0 * x), precision)
    assert verdict.verdict == "wrong"
    assert "lie far from all others" in verdict.reason
    assert judged(ranged, ranged, precision).verdict == "right"


@pytest.mark.parametrize("mask", [lambda x: -1e9 + 0 * x, lambda x: -1e4 + x, lambda x: 1e6 + 0 * x])
def test_a_mask_may_be_another_number(mask: Answer) -> None:
    """Minus 1e9, a score with -1e4 added, a distance that stands for none."""
    other = 2e6 if mask(np.zeros(1))[0] > 0 else -65504.0
    assert judged(lambda x: ranged(x, mask), lambda x: ranged(x, lambda x: other + 0 * x), "fp32").verdict == "right"


def surviving(x: Any, risks: Answer = lambda x: x[1]) -> Any:
    """Return a curve that falls to zero and stays there, and a number beside each of its points."""
    curve = np.maximum(0, 1 - np.arange(32) / 8) * abs(x[0, :1])
    return {"curve": curve.astype(np.float32), "risk": risks(x)}


def test_ties_excuse_nothing_where_nothing_is_sorted() -> None:
    """Points of a curve that are all 0 are no detections of one score, whose rows come in any order."""
    lost = lambda x: surviving(x, lambda x: np.where(np.arange(32) < 8, x[1], 0).astype(np.float32))  # noqa: E731
    assert judged(surviving, lost, "fp32", Network(sorts=False)).verdict == "wrong"
    assert judged(surviving, surviving, "fp32", Network(sorts=False)).verdict == "right"


def test_a_channel_that_no_sample_moves_is_told() -> None:
    """It is in an output whose other channels move, so the output is right, and the report says what is not proved."""

    def silent(x: Any) -> Any:
        return {"y": np.stack([x[0], x[1], np.maximum(x[2], 9)], axis=1)[None]}

    verdict = judged(silent, silent)
    assert verdict.verdict == "right"
    assert any("index 2 of axis 2 (1 of 3) is the same in all samples" in note for note in verdict.notes)
