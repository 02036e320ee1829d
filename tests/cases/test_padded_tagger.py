"""A TransformerEncoder with a padding mask: every word has the tags that eager PyTorch gives it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edgefn.backends import get
from edgefn.compile.capture.capture import capture
from edgefn.compile.capture.eager import EagerSession
from tests.cases.case import Case

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]


@pytest.mark.long
@pytest.mark.filterwarnings("ignore:The PyTorch API of nested tensors")
def test_padded_tagger_builds_and_tags_every_word(tmp_path: Path) -> None:
    """The oracle is the network as it is, with its fast path, whose output is as long as the longest row.

    Padding is nobody's answer, and there the two differ: zero on the fast path.
    """
    case = Case("padded_tagger", tmp_path)
    assert case.built().rows["portable/fp32"]["status"] == "built"
    captured = capture(EagerSession(case.model.builder, case.model.spec), {"batch": 4, "length": 16})
    artifact = get("onnxruntime").load(captured.onnx(20).parent)
    for seed, lengths in enumerate([(7, 16, 3), (5, 2), (11,), (4, 4, 9, 1)]):
        random = np.random.default_rng(300 + seed)
        tokens = np.zeros((len(lengths), max(lengths)), np.int64)
        for row, length in zip(tokens, lengths, strict=True):
            row[:length] = random.integers(1, 100, length)
        found, wanted = artifact.run({"tokens": tokens})["output"], case.eager({"tokens": tokens})
        words = tokens != 0
        np.testing.assert_allclose(found[words], wanted[words], rtol=1e-4, atol=1e-4)
