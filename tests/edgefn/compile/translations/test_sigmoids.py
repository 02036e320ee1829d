"""What takes the logarithm of a sigmoid, or divides by it, has PyTorch's answer for any number."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgefn.compile.capture.capture import capture
from tests.edgefn.compile.networks import network, onnx_of, session

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]

FAR = np.linspace(-80, 80, 160, dtype=np.float32).reshape(20, 8)


def smallest(net: Any, x: Any) -> Any:
    """Logarithms of a sigmoid, of a product of two, one of them cut from a pair; odds; an entropy."""
    import torch
    from torch.nn import functional

    first, second = (x / 2).view(-1, 4, 2).sigmoid().unbind(-1)
    chance = x.clamp(max=5).sigmoid()
    return (
        *(x.sigmoid().log(), torch.special.expit(x).log()),
        (first * second[..., None].squeeze(-1)).log2(),
        1 / (x / 4).sigmoid(),
        -(chance * chance.log()),
        functional.logsigmoid(x),
    )


def test_the_smallest_values_are_pytorchs() -> None:
    """ONNX Runtime's own sigmoid is 0 below -18: a logarithm of -inf, an odds ratio of infinity."""
    eager = session(network(smallest))
    wanted: dict[str, Any] = eager.run({"x": FAR})
    found: dict[str, Any] = onnx_of(capture(eager)).run({"x": FAR})
    for name, values in wanted.items():
        assert np.isfinite(values).all()
        np.testing.assert_allclose(found[name], values, rtol=2e-6, atol=1e-6, err_msg=name)


def test_others_keep_the_engines_own() -> None:
    """A sigmoid whose smallest values nobody sees stays one operator."""
    import onnx

    captured = capture(
        session(network(lambda net, x: (x.sigmoid() * 2, ((x + 1).sigmoid() + 1e-3).log(), (x - 1).sigmoid() * x / 3)))
    )
    kinds = [node.op_type for node in onnx.load(captured.onnx(20)).graph.node]
    assert kinds.count("Sigmoid") == 3
