"""A length that becomes text while a network is recorded is tried at the numbers that the network's names have."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgefn import Dim, tensor
from edgefn.accuracy.judge import judge
from edgefn.accuracy.judging import found
from edgefn.accuracy.options import Accuracy
from edgefn.compile.capture.capture import capture
from edgefn.compile.samples import answering
from edgefn.golden import GoldenSample, Pairs
from tests.edgefn.compile.capture.test_exporting import session
from tests.edgefn.compile.networks import onnx_of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

SIZES = {"n": 20}


def network(kind: str) -> Any:
    import torch

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scales = {"x16": 2.0, "x48": 3.0}
            self.register_buffer("table_48", torch.arange(48.0))
            self.tables = torch.nn.ModuleDict({"48": torch.nn.ReLU()})

        def forward(self, x: Any) -> Any:
            n = x.shape[1]
            match kind:
                case "dict":
                    return x * self.scales.get(f"x{n}", 1.0)
                case "attribute":
                    return x + getattr(self, "table_" + str(n), 0.0)
                case "module":
                    return self.tables[f"{n}"](x) if f"{n}" in self.tables else x
            return x * 2

    return Net()


@pytest.mark.parametrize("kind", ["dict", "attribute", "module"])
def test_what_is_kept_for_one_length_is_not_lost(kind: str) -> None:
    """Recorded at 20, where nothing is kept: the artifact is refused at the length for which something is."""
    eager = session(network(kind), x=tensor("float32", 2, Dim("n", min=1, max=64)))
    caught = capture(eager, SIZES)
    assert 48 in caught.telling["n"]
    inputs = [{"x": np.random.default_rng(seed).standard_normal((2, 20)).astype(np.float32)} for seed in range(8)]
    samples = [GoldenSample(one, eager.run(one)) for one in inputs]
    sizes, _ = answering.sizes(eager, caught.model, samples, caught.telling)
    judging = found("net", caught.model.outputs, samples, Accuracy())
    verdict = judge(onnx_of(caught), Pairs(tuple(samples), sizes=tuple(sizes)), judging, "fp32")
    assert verdict.verdict == "wrong"
    assert "[2, 48]" in verdict.reason or "[2, 16]" in verdict.reason


def test_others_are_tried_as_usual() -> None:
    """Names with numbers are everywhere; they count where a length becomes text."""
    assert not capture(session(network("none"), x=tensor("float32", 2, "n")), SIZES).telling
