"""What a captured program says of its outputs: how they are made, and whether rows of equal scores may swap."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from edgefn.accuracy import judging
from edgefn.accuracy.judge import judge
from edgefn.accuracy.options import Accuracy
from edgefn.accuracy.rules import Network
from edgefn.compile.capture import provenance
from edgefn.compile.capture.capture import capture
from edgefn.golden import GoldenSample, Pairs
from tests.edgefn.compile.networks import network, onnx_of, session

pytestmark = [pytest.mark.needs_torch, pytest.mark.timeout(300)]


@pytest.mark.parametrize(
    ("forward", "sorts"),
    [
        (lambda net, x: x.topk(3), True),
        (lambda net, x: x.flatten().sort().values, True),
        (lambda net, x: (1 - x.sigmoid()).cumprod(1), False),
        (lambda net, x: x.argmax(1), False),
    ],
)
def test_only_what_sorts_has_ties(forward: Any, sorts: bool) -> None:
    """A curve that falls is none that was sorted."""
    captured = capture(session(network(forward)))
    assert provenance.network(captured.program, list(captured.model.outputs)).sorts is sorts


def _found(forward: Any, fill: Any = lambda net: None) -> Network:
    captured = capture(session(network(forward, fill)))
    return provenance.network(captured.program, list(captured.model.outputs))


def _cat(*pieces: Any, dim: int = -1) -> Any:
    import torch

    return torch.cat(pieces, dim)


@pytest.mark.parametrize(
    ("forward", "join"),
    [
        (lambda net, x: _cat(x, x[:, :3].sigmoid()), (1, (0, 8, 11))),
        (lambda net, x: _cat(x.reshape(-1, 2, 4), x.reshape(-1, 2, 4)[..., :2]).transpose(1, 2), (1, (0, 4, 6))),
        (lambda net, x: _cat(x, x[:, :4]).reshape(-1, 12, 1).clone().unsqueeze(1), (2, (0, 8, 12))),
        (lambda net, x: _cat(x.reshape(-1, 2, 4), x.reshape(-1, 2, 4), dim=1).permute(2, 0, 1), (2, (0, 2, 4))),
        (lambda net, x: _cat(x, x[:, :3]) * 2, None),
        (lambda net, x: _cat(x, x, dim=0), None),
        (lambda net, x: x * 2, None),
    ],
)
def test_the_last_join_is_found(forward: Any, join: Any) -> None:
    """Through whatever moves no element to another piece; none where something is computed behind it."""
    assert _found(forward).joins == ({} if join is None else {"output": join})


@pytest.mark.parametrize(
    ("forward", "axis"),
    [
        (lambda net, x: x.softmax(1), 1),
        (lambda net, x: x.reshape(-1, 2, 4).log_softmax(-1).transpose(1, 2), 1),
        (lambda net, x: x.softmax(1) * 2, None),
        (lambda net, x: x.sigmoid(), None),
    ],
)
def test_scores_that_a_softmax_makes_are_found(forward: Any, axis: int | None) -> None:
    """With their class axis, wherever it was moved to."""
    assert _found(forward).scores == ({} if axis is None else {"output": axis})


def test_what_depends_on_no_input_is_found() -> None:
    """A table beside an answer."""

    def fill(net: Any) -> None:
        import torch

        net.register_buffer("anchors", torch.arange(6.0).reshape(2, 3))

    found = _found(lambda net, x: {"boxes": x * 2, "anchors": net.anchors * 2}, fill)
    assert found.fixed == ("anchors",)


def test_half_weights_are_held_as_float16() -> None:
    """A network that computes in float16 is right where it is as near as that; off by more it is wrong."""

    def fill(net: Any) -> None:
        import torch

        torch.manual_seed(0)
        net.layers = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.GELU(), torch.nn.Linear(16, 4)).half()

    eager = session(network(lambda net, x: net.layers(x.half()).float(), fill))
    captured = capture(eager)
    found = provenance.network(captured.program, list(captured.model.outputs))
    assert found.coarse == "fp16"
    inputs = [np.random.default_rng(number).standard_normal((1, 8)).astype(np.float32) for number in range(16)]
    samples = [GoldenSample({"x": x}, eager.run({"x": x})) for x in inputs]
    rules = judging.found("net", captured.model.outputs, samples, Accuracy(), network=found)
    artifact = onnx_of(captured)

    class Off:
        def __init__(self, share: float) -> None:
            self._share = np.float32(share)

        def run(self, given: Any) -> Any:
            return {"output": np.asarray(artifact.run(given)["output"], np.float32) * (1 + self._share)}

    verdicts = {off: judge(Off(off), Pairs(tuple(samples)), rules, "fp32").verdict for off in (0.0, 1e-3, 0.03)}
    assert verdicts == {0.0: "right", 1e-3: "right", 0.03: "wrong"}
    exact = judging.found("net", captured.model.outputs, samples, Accuracy())
    assert judge(Off(1e-3), Pairs(tuple(samples)), exact, "fp32").verdict == "wrong"
