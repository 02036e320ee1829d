"""Names inside of an ONNX file are the exporter's, and an author names inputs as they like."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from edgefn import tensor
from edgefn.backends.registry import get
from edgefn.compile.capture.capture import Capture, capture
from edgefn.compile.capture.eager import EagerSession
from edgefn.dimensions.sizes import combined
from edgefn.spec import ModelSpec

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]


def pooled() -> Any:
    """Make a network with steps of many names, a loop among them."""
    import torch
    from torch import nn

    class Pooled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.bag = nn.EmbeddingBag(9, 4, mode="sum")
            self.linear = nn.Linear(4, 4)

        def forward(self, *inputs: torch.Tensor) -> Any:
            x = self.linear(inputs[0])
            x = (x - x.mean(1, keepdim=True)) / (x.std(1, keepdim=True) + 1)
            places = (inputs[0][:, 0].abs() * 3).long() % 9
            return x + self.bag(places, torch.arange(2)).sum(0)

    return Pooled()


def captured(network: Any, name: str) -> tuple[Capture, EagerSession]:
    """Capture a network of one input of that name."""
    specs = {name: tensor("float32", "n", 4)}
    session = EagerSession(lambda: network, ModelSpec("net", specs, {}, combined(specs, "net")))
    return capture(session, {"n": 5}), session


def inner(graph: onnx.GraphProto) -> set[str]:
    """Return the names of what goes into the loops of a graph."""
    loops = [attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g")]
    return {one.name for loop in loops for one in loop.input}


@pytest.mark.long
def test_an_input_is_called_as_a_step_of_the_network() -> None:
    """Each answers as eager does, whether it is named as an operator, a weight or an inner loop's number."""
    network = pooled()
    caught, _ = captured(network, "x")
    graph = onnx.load(caught.onnx(20)).graph
    assert inner(graph)
    assert {"mean", "linear"} <= {name for node in graph.node for name in node.output}
    numbers = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    for name in ("mean", "linear", *inner(graph)):
        caught, session = captured(network, name)
        artifact: Any = get("onnxruntime").load(caught.onnx(20).parent)
        found, wanted = (one.run({name: numbers})["output"] for one in (artifact, session))
        np.testing.assert_allclose(np.asarray(found), np.asarray(wanted), rtol=1e-5, atol=1e-6)


def test_a_tensor_is_clamped_more_than_once() -> None:
    """Each clamp has bounds of its own."""
    import torch

    class Clamped(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
            return x.clamp(-1, 1), x.clamp(-3, 3), x.clamp(min=-2), torch.relu(x).clamp(max=0.5), x.clamp(-0.5, 7)

    caught, session = captured(Clamped(), "x")
    artifact: Any = get("onnxruntime").load(caught.onnx(20).parent)
    numbers = np.linspace(-9, 9, 40, dtype=np.float32).reshape(10, 4)
    for found, wanted in zip(artifact.run({"x": numbers}).values(), session.run({"x": numbers}).values(), strict=True):
        np.testing.assert_array_equal(np.asarray(found), np.asarray(wanted))
