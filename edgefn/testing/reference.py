"""The network that engines are tried with, and a portable artifact of it: two inputs, two free sizes, two dtypes out.

PyTorch is imported when the network is built.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from edgefn.golden import GoldenSample
from edgefn.spec import ModelSpec, TensorSpec

if TYPE_CHECKING:
    from edgefn.compile.capture.capture import Capture
    from edgefn.compile.capture.eager import EagerSession

SPEC = ModelSpec(
    "net", {"pixels": TensorSpec("float32", ("batch", 1, 8, 8)), "bias": TensorSpec("float32", ("classes",))}
)
ROWS = ModelSpec("rows", {"x": TensorSpec("float32", ("batch", 8))})
"""A model of one input, for networks that a test makes itself."""

SIZES = {"batch": 1, "classes": 5}
"""The lengths of the free sizes in the sample that the network is recorded with."""

TRIED = ((1, 5), (2, 5), (3, 1), (7, 9))
"""Batch and classes of the samples: the recorded ones, and others."""


class PortableArtifact(NamedTuple):
    """A portable artifact in `folder`, with inputs and eager outputs of its model at several sizes.

    `rows` names the free size along which inputs and outputs may be concatenated; "" where there is none.
    """

    folder: Path
    samples: tuple[GoldenSample, ...]
    rows: str = "batch"


def network() -> Any:
    """Build the network: a convolution, a reshape by the batch size, a sum and an arg max."""
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


def inputs(batch: int, classes: int = 5) -> dict[str, Any]:
    """Return inputs of the network, the same for the same sizes: pixels [batch, 1, 8, 8] and bias [classes]."""
    import numpy as np

    random = np.random.default_rng(batch)
    return {
        "pixels": random.standard_normal((batch, 1, 8, 8)).astype(np.float32),
        "bias": random.standard_normal(classes).astype(np.float32),
    }


def captured(
    builder: Callable[[], Any] = network, spec: ModelSpec = SPEC, sizes: Mapping[str, int] | None = None
) -> tuple[EagerSession, Capture]:
    """Return the network that `builder` makes, in eager PyTorch and captured. Needs the compile extra."""
    from edgefn.compile.capture.capture import capture
    from edgefn.compile.capture.eager import EagerSession

    eager = EagerSession(builder, spec)
    caught = capture(eager, SIZES if sizes is None else sizes)
    caught.sizes = SIZES if sizes is None else sizes
    return eager, caught


def samples(eager: EagerSession) -> tuple[GoldenSample, ...]:
    """Return inputs of the network at every size of TRIED, with eager PyTorch's outputs."""
    return tuple(GoldenSample(one, eager.run(one)) for one in (inputs(*sizes) for sizes in TRIED))
