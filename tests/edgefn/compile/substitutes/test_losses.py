"""Cross entropies of each element and their means, as PyTorch has them, for every size, ignored ones among them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgefn import tensor
from edgefn.compile.capture.capture import capture
from tests.edgefn.compile.capture.test_exporting import of
from tests.edgefn.compile.networks import onnx_of

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

CLASSES = 5


def scored(x: Any, y: Any) -> Any:
    """Yield losses of scores [n, t, classes] and targets [n, t], of which some are -100."""
    import torch
    from torch.nn.functional import cross_entropy, nll_loss

    weight = torch.arange(1.0, CLASSES + 1)
    turned, flat = x.transpose(1, 2), (x.flatten(0, 1), y.flatten().clamp(min=0))
    for reduction in ("none", "mean", "sum"):
        for smoothing in (0.0, 0.1):
            yield cross_entropy(turned, y, reduction=reduction, label_smoothing=smoothing)
            yield cross_entropy(*flat, weight, reduction=reduction, ignore_index=2, label_smoothing=smoothing)
            yield cross_entropy(turned, turned.softmax(1), weight, reduction=reduction, label_smoothing=smoothing)
        yield nll_loss(turned.log_softmax(1), y, weight, reduction=reduction)
    yield cross_entropy(*flat, reduction="none").view(y.shape).sum(1)


@pytest.mark.long
def test_they_are_as_in_pytorch() -> None:
    """At four sizes, with one target and with all of a row ignored."""

    def forward(x: Any, y: Any) -> Any:
        import torch

        return tuple(scored(x, torch.where(y >= CLASSES, -100, y).masked_fill(y == CLASSES + 1, 2)))

    eager = of(forward, x=tensor("float32", "n", "t", CLASSES), y=tensor("int64", "n", "t"))
    artifact = onnx_of(capture(eager, {"n": 2, "t": 6}))
    draw = np.random.default_rng(0)
    for shape in ((2, 6), (1, 1), (3, 1), (4, 11)):
        targets = draw.integers(0, CLASSES + 2, shape)
        targets[0] = CLASSES if shape[0] > 1 else 0
        inputs: dict[str, Any] = {"x": draw.standard_normal((*shape, CLASSES)).astype(np.float32), "y": targets}
        wanted = eager.run(inputs)
        for name, found in artifact.run(inputs).items():
            one: Any = found
            other: Any = wanted[name]
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6, err_msg=f"{name} of {shape}")
