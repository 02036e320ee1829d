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
