"""Static int8 of networks that are no mere sequence: nodes of several outputs, operators that torch has not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import onnx
import pytest

from edgefn.compile.capture.capture import capture
from edgefn.compile.capture.eager import EagerSession
from edgefn.compile.quantize.engine import opened
from edgefn.compile.quantize.graph.graph import Graph
from edgefn.compile.quantize.graph.preparation import prepared
from edgefn.compile.quantize.static import propagation
from edgefn.compile.quantize.static.static import Static
from edgefn.spec import ModelSpec, TensorSpec
from tests.edgefn.compile.quantize.test_int8 import has_vnni

pytestmark = pytest.mark.needs_torch


def neck() -> Any:
    """Parts, sums, a larger scale: as detectors have them."""
    import torch
    from torch import nn

    class Neck(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.enter, self.leave = nn.Conv2d(8, 16, 1), nn.Conv2d(24, 4, 1)
            self.up = nn.Upsample(scale_factor=2)

        def forward(self, x: torch.Tensor) -> Any:
            first, second = nn.functional.silu(self.enter(x)).chunk(2, 1)
            joined = self.up(torch.cat([first, second, first + second], 1))
            return self.leave(joined).flatten(2).softmax(1).sum(2)

    return Neck()


def attention() -> Any:
    """An encoder's layer: normalised, projected, attended to."""
    import torch
    from torch import nn

    class Attention(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.TransformerEncoderLayer(16, 2, 32, 0.0, activation="gelu", batch_first=True)

        def forward(self, x: torch.Tensor) -> Any:
            return self.layer(x).mean(1)

    return Attention()


def recurrent() -> Any:
    """An LSTM, which stays in float, and a linear layer."""
    import torch
    from torch import nn

    class Recurrent(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.cells, self.leave = nn.LSTM(16, 12, batch_first=True), nn.Linear(12, 4)

        def forward(self, x: torch.Tensor) -> Any:
            return self.leave(self.cells(x)[0][:, -1])

    return Recurrent()


def exported(build: Callable[[], Any], *shape: str | int) -> tuple[EagerSession, onnx.ModelProto]:
    """The network in eager PyTorch, and as ONNX."""
    eager = EagerSession(build, ModelSpec("net", {"x": TensorSpec("float32", shape)}))
    captured = capture(eager, {"batch": 2})
    return eager, prepared(onnx.load(captured.onnx(20)))


def inputs(count: int, *shape: int) -> list[dict[str, Any]]:
    """The same each time."""
    random = np.random.default_rng(count)
    return [{"x": random.standard_normal((1, *shape)).astype(np.float32)} for _ in range(count)]


@pytest.mark.parametrize(
    ("build", "shape"),
    [(neck, (8, 6, 6)), (attention, (5, 16)), (recurrent, (5, 16))],
)
def test_every_tensor_has_a_range_and_the_file_agrees(build: Callable[[], Any], shape: tuple[int, ...]) -> None:
    """On inputs never seen, within a twentieth of the largest output."""
    eager, model = exported(build, "batch", *shape)
    static = Static(model, inputs(24, *shape), saturates=not has_vnni())
    static.compensate()
    session = opened(static.fit.written(), {})
    for one in inputs(5, *shape):
        (wanted,), (found,) = eager.run(one).values(), session.run(one).values()
        assert np.abs(np.subtract(found, wanted)).max() < 0.05 * np.abs(wanted).max()


def test_inputs_run_together_only_where_the_network_has_a_batch() -> None:
    """One that is exported for a single input is run with one at a time; others too when sizes differ."""
    shape = (8, 6, 6)
    _, free = exported(neck, "batch", *shape)
    _, fixed = exported(neck, 1, *shape)
    alike = inputs(4, *shape)
    assert propagation.together(Graph(free), alike) == propagation.PIECE
    assert propagation.together(Graph(fixed), alike) == 1
    assert propagation.together(Graph(free), [*alike, {"x": np.zeros((2, *shape), np.float32)}]) == 1
    assert Static(fixed, alike, saturates=False).fit.names


def test_what_a_caller_sends_is_not_clipped_at_the_largest_that_was_seen() -> None:
    """The input's range, in any shape, reaches beyond that of few samples that differ."""
    few = inputs(12, 5, 16)
    for batch in ("batch", 1):
        _, model = exported(attention, batch, 5, 16)
        static = Static(model, few, saturates=False)
        seen = max(float(one["x"].max()) for one in few)
        assert 1.05 * seen < static.ranges["x"].high < 2 * seen


def test_what_leads_to_a_maximum_over_all_positions_is_not_clipped() -> None:
    """There the outliers are the answer: a set of points keeps its error on sets that were never seen."""
    import torch
    from torch import nn

    class Points(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            torch.manual_seed(0)
            self.each, self.all = nn.Sequential(nn.Conv1d(3, 32, 1), nn.ReLU(), nn.Conv1d(32, 64, 1)), nn.Linear(64, 8)

        def forward(self, x: torch.Tensor) -> Any:
            return self.all(self.each(x).amax(2))

    eager, model = exported(Points, "batch", 3, 128)
    static = Static(model, inputs(18, 3, 128), saturates=not has_vnni())
    static.compensate()
    session = opened(static.fit.written(), {})
    held = inputs(200, 3, 128)
    wanted, found = (
        np.concatenate([next(iter(run(one).values())) for one in held]) for run in (eager.run, session.run)
    )
    errors = np.sqrt(np.square(found - wanted).mean(axis=1) / wanted.var(axis=0).mean())
    assert errors.max() < 0.3
    assert np.sqrt(np.square(errors).mean()) < 0.1
