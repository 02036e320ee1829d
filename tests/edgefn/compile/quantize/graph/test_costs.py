"""What layers cost, and what share of it a quantised file has in eight bits."""

from __future__ import annotations

import numpy as np
import pytest

from edgefn.compile.quantize import dynamic
from edgefn.compile.quantize.graph import costs
from edgefn.compile.quantize.graph.costs import Cost
from edgefn.compile.quantize.graph.preparation import prepared
from tests.edgefn.compile.quantize.networks import network, weights


def test_weights_and_multiplications_are_those_of_a_run() -> None:
    """By hand: a grouped convolution of one dimension, a transposed one, a recurrent layer, a matrix product."""
    text = (
        "net (float[1,4,20] x) => (float[19,3] y) {\n"
        "a = Conv <kernel_shape: ints = [3], group: int = 2> (x, w1)\n"
        "b = ConvTranspose <kernel_shape: ints = [2]> (a, w2)\n c = Transpose <perm: ints = [2,0,1]> (b)\n"
        "d, e = LSTM <hidden_size: int = 6> (c, w3, w4)\n f = Squeeze (d, axes)\n y = MatMul (f, w5)\n}"
    )
    constants = weights(w1=(8, 2, 3), w2=(8, 5, 2), w3=(1, 24, 5), w4=(1, 24, 6), w5=(6, 3))
    model = network(text, constants | {"axes": np.array([1, 2])})
    found = costs.measured(model, {"x": np.zeros((1, 4, 20), np.float32)})
    assert found == {
        "conv_0": Cost(48, 48 * 18),
        "convtranspose_1": Cost(80, 80 * 18),
        "lstm_3": Cost(264, 264 * 19),
        "matmul_5": Cost(18, 18 * 19),
    }


@pytest.mark.parametrize(("kept", "operations"), [((), 1.0), (("gemm_0",), 0.25), (("gemm_2",), 0.75)])
def test_the_share_is_what_the_file_has(kept: tuple[str, ...], operations: float) -> None:
    """Layers that were left in float count as that, whatever the quantiser has made of the others' names."""
    text = "net (float[N,8] x) => (float[N,8] y) {a = Gemm (x, w1, b1)\n b = Relu (a)\n y = Gemm (b, w2, b2)\n}"
    model = prepared(network(text, weights(w1=(8, 24), b1=(24,), w2=(24, 8), b2=(8,))))
    costed = {"gemm_0": Cost(192, 576), "gemm_2": Cost(192, 192)}
    written = dynamic.with_float(dynamic.written(model, seven_bits=False), model, kept)
    assert costs.share(written, costed).operations == pytest.approx(operations)
    assert costs.share(model, costed) == (0.0, 0.0)
