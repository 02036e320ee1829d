"""Tiny networks for the tests of PyTorch's backends, captured."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from edgefn.compile.capture.capture import Capture, capture
from edgefn.compile.capture.eager import EagerSession
from edgefn.spec import ModelSpec, TensorSpec

SPEC = ModelSpec(
    "net", {"pixels": TensorSpec("float32", ("batch", 1, 8, 8)), "bias": TensorSpec("float32", ("classes",))}
)
ROWS = ModelSpec("rows", {"x": TensorSpec("float32", ("batch", 8))})


def network() -> Any:
    """Two inputs by name, two symbols, a batch size that is reshaped with, a dict of outputs of two dtypes."""
    import torch

    class Net(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = torch.nn.Conv2d(1, 4, 3)
            self.linear = torch.nn.Linear(4 * 36, 32)

        def forward(self, bias: torch.Tensor, pixels: torch.Tensor) -> dict[str, torch.Tensor]:
            features = torch.relu(self.convolution(pixels)).reshape(pixels.shape[0], -1)
            hidden = self.linear(features) * torch.ones(pixels.shape[0], 32)
            return {"scores": hidden.sum(1, keepdim=True) + bias, "best": hidden.argmax(1)}

    return Net()


def arrays(batch: int, classes: int = 5) -> dict[str, Any]:
    """Inputs of `network`, the same for the same sizes."""
    random = np.random.default_rng(batch)
    return {
        "pixels": random.standard_normal((batch, 1, 8, 8)).astype(np.float32),
        "bias": random.standard_normal(classes).astype(np.float32),
    }


def captured(builder: Callable[[], Any], spec: ModelSpec, sizes: Mapping[str, int]) -> tuple[EagerSession, Capture]:
    """The network that `builder` makes, in eager PyTorch and captured."""
    eager = EagerSession(builder, spec)
    caught = capture(eager, sizes)
    caught.sizes = sizes
    return eager, caught
