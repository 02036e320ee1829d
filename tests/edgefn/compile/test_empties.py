"""An average of nothing is NaN in an artifact, as it is in PyTorch; of one element and of more it is as before."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgefn.compile.capture import capture
from tests.edgefn.compile.networks import network, onnx_of, session

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]


def averages(net: Any, x: Any) -> Any:
    """Of elements and of rows that are chosen by their values; the last one is of what is always there."""
    import torch

    high, rows = x[x > 1], x[x[:, 0] > 1]
    return (
        *(high.mean(), high.std(), high.var(unbiased=False), high.mean(0, keepdim=True)),
        *(rows.mean(0), rows.std(0), rows.var(0, keepdim=True), rows.mean((0, 1)), rows.mean(0, dtype=torch.float64)),
        *(*torch.var_mean(rows, 0), torch.std_mean(high)[0], high.sum(), rows.mean(1)),
    )


@pytest.mark.filterwarnings("ignore:.*degrees of freedom:UserWarning")
def test_averages_of_nothing_are_nan() -> None:
    """Of none, one and several; ONNX Runtime's mean of nothing is 0, which reads like a measurement."""
    eager = session(network(averages))
    found = onnx_of(capture(eager))
    nothing = np.linspace(0, 1, 24, dtype=np.float32).reshape(3, 8)
    one, several = nothing.copy(), nothing.copy()
    one[1, 0], several[1:, [0, 3]] = 2, [[2, 3], [4, 6]]
    for x in (nothing, one, several):
        wanted = eager.run({"x": x})
        assert np.isnan(wanted["output_0"]).any() == (x is nothing)
        for name, values in found.run({"x": x}).items():
            np.testing.assert_allclose(np.asarray(values, float), np.asarray(wanted[name], float), rtol=1e-6)
            assert values.dtype == wanted[name].dtype


def test_others_are_left_as_they_are() -> None:
    """A declared length is at least 1, so nothing is added for it."""
    captured = capture(session(network(lambda net, x: (x.mean(0), x.std(), x[x > 1].sum()))))
    assert not [node for node in captured.program.graph.nodes if "ones_like" in str(node.target)]
