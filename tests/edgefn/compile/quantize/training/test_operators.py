"""Operators in PyTorch give what ONNX Runtime gives; what PyTorch has not is run node by node."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from edgefn.compile.quantize.engine import opened
from edgefn.compile.quantize.graph.graph import Graph, reads
from edgefn.compile.quantize.training import operators
from tests.edgefn.compile.quantize.networks import network

pytestmark = pytest.mark.needs_torch


@settings(deadline=None, max_examples=40)
@given(
    dims=st.integers(1, 3),
    kernel=st.integers(1, 3),
    stride=st.integers(1, 2),
    dilation=st.integers(1, 2),
    pad=st.integers(0, 2),
    groups=st.sampled_from([1, 2, 4]),
)
def test_patches_times_weights_are_the_convolution(
    dims: int, kernel: int, stride: int, dilation: int, pad: int, groups: int
) -> None:
    """In one, two and three dimensions, for all strides, dilations, paddings and groups."""
    random = np.random.default_rng(0)
    x = torch.from_numpy(random.standard_normal((2, 4, *[7] * dims)).astype(np.float32))
    weight = torch.from_numpy(random.standard_normal((8, 4 // groups, *[kernel] * dims)).astype(np.float32))
    options = {"strides": [stride] * dims, "dilations": [dilation] * dims, "pads": [pad] * 2 * dims, "group": groups}
    wanted: Any = operators.OPERATORS["Conv"]([x, weight], options)
    patches = operators.patches(x, tuple(weight.shape), options, most=10**9)
    rows = patches.reshape(2, groups, -1, patches.shape[-1])  # [batch, groups, in · window, positions]
    found = torch.einsum("gok,bgkp->bgop", weight.reshape(groups, 8 // groups, -1), rows).reshape(wanted.shape)
    torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_of_a_large_picture_positions_are_left_out_evenly() -> None:
    """No more values than were allowed, from all over the picture."""
    x = torch.arange(40.0 * 40).reshape(1, 1, 40, 40)
    found = operators.patches(x, (1, 1, 3, 3), {}, most=9 * 100)
    assert found.numel() <= 9 * 100
    assert found.max() - found.min() > 0.8 * x.max()


NODES = {
    "whole numbers divide to whole numbers": ("net (int64[3] a, int64[3] b) => (int64[3] y) {y = Div (a, b)}", "int64"),
    "one that PyTorch has not": ("net (float[3] a, float[3] b) => (float[3] y) {y = Mod <fmod: int = 1> (a, b)}", "f4"),
    "a subgraph reads what is around it": (
        "net (float[3] a, float[3] b) => (float[3] y) {\n"
        "m = ReduceMax <keepdims: int = 0> (a)\n z = Sub (m, m)\n c = Greater (m, z)\n"
        "y = If (c) <then_branch = t () => (float[3] p) { q = Mul (a, b)\n p = Neg (q) },"
        " else_branch = e () => (float[3] r) { r = Identity (b) }>\n}",
        "f4",
    ),
}


@pytest.mark.parametrize("name", NODES)
def test_each_node_gives_what_the_engine_gives(name: str) -> None:
    """Run one after the other, with what each reads, the nodes give the network's output."""
    text, kind = NODES[name]
    model = network(text, {})
    given_inputs: dict[str, Any] = {"a": np.array([-7, 5, 9], kind), "b": np.array([2, 3, -4], kind)}
    graph = Graph(model)
    tensors = {key: torch.from_numpy(value) for key, value in given_inputs.items()}
    for node in graph.nodes:
        made = operators.run(node, [tensors[one] for one in reads(node)], graph)
        tensors |= dict(zip(node.output, made, strict=True))
    wanted: Any = opened(model, {}).run(given_inputs)["y"]
    np.testing.assert_allclose(tensors["y"].numpy(), wanted)


def test_an_operator_that_no_engine_has_is_told() -> None:
    """The engine's own words, for the log; the attempt ends there."""
    model = network("net (float[3] a) => (float[3] y) {y = nobody.Knows (a)}", {}, '"" : 20, "nobody" : 1')
    graph = Graph(model)
    with pytest.raises(Exception, match="Knows"):
        operators.run(graph.nodes[0], [torch.zeros(3)], graph)
    assert isinstance(model, onnx.ModelProto)
