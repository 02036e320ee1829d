"""What stands at several places of a network: submodules, weights, buffers."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from edgefn.compile.capture.capture import capture
from tests.edgefn.compile.networks import agree, network, session

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]


def _activation(net: Any) -> None:
    from torch import nn

    one = nn.SiLU()
    net.layers = nn.Sequential(nn.Linear(8, 8), one, nn.Linear(8, 8), one)


def _block(net: Any) -> None:
    """One block three times, as ALBERT has it; it holds a submodule that occurs beside it, too."""
    from torch import nn

    inner = nn.Linear(8, 8)
    net.layers = nn.Sequential(*[nn.Sequential(inner, nn.Tanh())] * 3, inner)


def _hooked(net: Any) -> None:
    from torch import nn

    one = nn.utils.parametrizations.weight_norm(nn.Linear(8, 8))
    one.register_forward_hook(lambda module, inputs, output: output * 2)
    net.layers = nn.Sequential(one, one)


def _in_a_list(net: Any) -> None:
    from torch import nn

    one = nn.Linear(8, 8)
    net.one, net.two, net.plain = one, one, [one, one]
    net.layers = lambda x: net.plain[0](net.two(net.one(x)))


@pytest.mark.parametrize("fill", [_activation, _block, _hooked, _in_a_list])
def test_a_submodule_may_occur_many_times(fill: Any) -> None:
    """Without parameters, with them, below another that occurs many times, with hooks, and in a plain list."""
    assert agree(network(lambda net, x: net.layers(x), fill)) == ["output"]


def test_a_shared_submodule_changes_no_identity() -> None:
    """`is`, a dict by module and an attribute on the class mean in the capture what they mean in eager PyTorch."""

    def fill(net: Any) -> None:
        from torch import nn

        act = nn.ReLU()
        net.layers, net.acts = nn.ModuleList([nn.Linear(8, 8), nn.Linear(8, 8)]), nn.ModuleList([act, act])
        net.last, net.scale = net.layers[1], {net.layers[0]: 2.0, net.layers[1]: 3.0}

    def forward(net: Any, x: Any) -> Any:
        for layer, act in zip(net.layers, net.acts, strict=True):
            type(net).seen = layer
            x = act(layer(x) * net.scale[layer]) + (1 if layer is net.last else 0)
        return x if type(net).seen is net.last else -x

    assert agree(network(forward, fill)) == ["output"]


def test_tied_weights_are_stored_once() -> None:
    """Two layers with one weight, and one buffer under three names: right, and no larger than with one."""

    def fill(net: Any) -> None:
        import torch

        net.a, net.b = torch.nn.Linear(8, 500, bias=False), torch.nn.Linear(8, 500, bias=False)
        net.b.weight = net.a.weight
        table = torch.arange(500.0) / 500
        for name in ("p", "q", "r"):
            net.register_buffer(name, table)

    builder = network(lambda net, x: net.a(x) * net.p + net.b(x) * net.q + net.r, fill)
    assert agree(builder) == ["output"]
    captured = capture(session(builder))
    weights = [onnx.numpy_helper.to_array(one) for one in onnx.load(captured.onnx(20)).graph.initializer]
    assert sum(weight.size >= 4000 for weight in weights) == 1


def test_the_network_is_left_as_it_was() -> None:
    """After a capture the builder's network has the very submodules that it had."""
    eager = session(network(lambda net, x: net.layers(x), _block))
    before = [id(module) for module in eager.network.modules()]
    capture(eager)
    assert [id(module) for module in eager.network.modules()] == before
    assert np.isfinite(eager.run({"x": np.zeros((2, 8), np.float32)})["output"]).all()
