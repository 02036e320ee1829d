"""What artifacts are judged by, as found at build."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgefn.accuracy import judging
from edgefn.accuracy.judge import judge
from edgefn.accuracy.options import Accuracy
from edgefn.golden import GoldenSample, Pairs
from edgefn.spec import TensorSpec

HIDDEN = 3
"""A channel that is 0 in all samples but the last two, and moves by a fiftieth of the others."""


@pytest.mark.parametrize(("off", "word"), [(2e-6, "right"), (2e-4, "wrong")])
def test_a_hidden_channel_is_as_noisy_as_its_siblings(off: float, word: str) -> None:
    """Its own noise is not seen where eager is asked in float64; an error of a hundred times that is one."""
    random = np.random.default_rng(0)
    answers = random.normal(0, 1, (16, 1, 8)).astype(np.float32)
    answers[:, 0, HIDDEN] = 0
    answers[-2:, 0, HIDDEN] = 0.02
    samples = [GoldenSample({"x": np.array([number])}, {"y": one}) for number, one in enumerate(answers)]
    noise = [{"y": np.where(one == 0, 0, 1e-6).astype(np.float32)} for one in answers[:4]]
    found = judging.found("net", {"y": TensorSpec("float32", (1, 8))}, samples, Accuracy(), residuals=noise)
    assert len(found.outputs["y"].slices) == 2

    class Session:
        def run(self, inputs: Any) -> Any:
            answer = answers[int(inputs["x"][0])].copy()
            answer[0, HIDDEN] += off * (answer[0, HIDDEN] > 0)
            return {"y": answer}

    assert judge(Session(), Pairs(tuple(samples)), found, "fp32").verdict == word


def _classifier(moves: float, wrong: int, rows: int = 18) -> tuple[Pairs, Any]:
    """Class scores of `rows` samples that move by `moves`, and a session that confuses `wrong` of them."""
    scores = np.random.default_rng(1).dirichlet(np.ones(5), rows).astype(np.float32)[:, None] * moves
    samples = [GoldenSample({"x": np.array([number])}, {"y": one}) for number, one in enumerate(scores)]

    class Session:
        def run(self, inputs: Any) -> Any:
            number = int(inputs["x"][0])
            answer = scores[number].copy()
            if number < wrong:
                first, second = np.argsort(answer[0])[[-1, -2]]
                answer[0, [first, second]] = answer[0, [second, first]]
            return {"y": answer}

    return Pairs(tuple(samples)), Session()


@pytest.mark.parametrize(("wrong", "refused"), [(0, False), (3, False), (7, True)])
def test_a_share_is_wrong_where_its_interval_is(wrong: int, refused: bool) -> None:
    """Of 18 rows three may differ by chance where 93 % agree; seven may not."""
    pairs, session = _classifier(1.0, wrong)
    accuracy = Accuracy(error={"int8": 0.5}, classes={"y": 1})
    found = judging.found("net", {"y": TensorSpec("float32", (1, 5))}, list(pairs.samples), accuracy)
    verdict = judge(session, pairs, found, "int8")
    assert verdict.top1 is not None
    assert verdict.top1.agreeing == 18 - wrong
    assert ("top class" in verdict.reason) == refused


@pytest.mark.parametrize("moves", [1.0, 0.1, 0.01, 1e-3])
def test_small_scores_are_held_to_how_far_they_move(moves: float) -> None:
    """What gives the mean for all samples is wrong, however small numbers between 0 and 1 are."""
    pairs, _ = _classifier(moves, 0)
    mean = np.mean(np.stack([one.outputs["y"] for one in pairs.samples]).astype(np.float64), axis=0)
    found = judging.found("net", {"y": TensorSpec("float32", (1, 5))}, list(pairs.samples), Accuracy())

    class Mean:
        def run(self, inputs: Any) -> Any:
            return {"y": mean + np.float32(1e-6 * moves) * int(inputs["x"][0])}

    assert judge(Mean(), pairs, found, "int8").verdict == "wrong"


@pytest.mark.parametrize("off", [1e-4, 5e-4, 1e-3])
def test_an_error_is_told_by_what_is_allowed(off: float) -> None:
    """A score that is all but 0 and off by less than a step of eight bits is right, and its error below the limit."""
    random = np.random.default_rng(0)
    answers = random.uniform(0, 1, (18, 1, 2)).astype(np.float32) * np.array([1.0, 1e-4], np.float32)
    samples = [GoldenSample({"x": np.array([number])}, {"y": one}) for number, one in enumerate(answers)]
    found = judging.found("net", {"y": TensorSpec("float32", (1, 2))}, samples, Accuracy())
    assert len(found.outputs["y"].slices) == 2

    class Session:
        def run(self, inputs: Any) -> Any:
            return {"y": answers[int(inputs["x"][0])] + np.array([0, off], np.float32)}

    verdict = judge(Session(), Pairs(tuple(samples)), found, "int8")
    assert verdict.verdict == "right"
    assert 0 < verdict.error <= verdict.slices[0].limit <= 0.25
