"""A small network trained on real digits, captured, with calibration and held-out samples of its eager outputs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
import pytest

from edgefn.accuracy.options import Accuracy
from edgefn.accuracy.rules import Judging
from edgefn.compile.capture.capture import Capture, capture
from edgefn.compile.capture.eager import EagerSession, one_thread
from edgefn.golden import GoldenSample
from edgefn.quantization import Quantize
from edgefn.spec import ModelSpec, TensorSpec

SPEC = ModelSpec("digits", {"pixels": TensorSpec("float32", ("batch", 1, 8, 8))})


class Digits(NamedTuple):
    """`captured(...)` is the network with calibration samples; `held` are samples it was not calibrated with."""

    captured: Callable[..., Capture]
    held: tuple[GoldenSample, ...]


def network() -> Any:
    """Convolutions (one depthwise), ReLU, and a linear layer; trained for a second on scikit-learn's digits.

    Its channels' sizes differ a thousandfold, as those of trained depthwise networks do, while its outputs stay.
    """
    import torch
    from torch import nn

    layers = nn.Sequential(
        *(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1, groups=16), nn.ReLU()),
        *(nn.Conv2d(16, 24, 1), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(24, 24, 3), nn.ReLU(), nn.Flatten()),
        nn.Linear(24 * 4, 10),
    )
    pixels, labels = digits()
    images, wanted = torch.from_numpy(pixels[:900]), torch.from_numpy(labels[:900])
    optimizer = torch.optim.Adam(layers.parameters(), 5e-3)
    for _ in range(12):
        for part in torch.randperm(900).reshape(-1, 60):
            optimizer.zero_grad()
            loss: Any = nn.functional.cross_entropy(layers(images[part]), wanted[part])
            loss.backward()
            optimizer.step()
    pointwise: Any = layers[4]
    after: Any = layers[7]
    with torch.no_grad():
        sizes = torch.logspace(-1, 1.3, 24)
        pointwise.weight *= sizes[:, None, None, None]
        pointwise.bias *= sizes
        after.weight /= sizes[None, :, None, None]
    return layers


def digits() -> tuple[Any, Any]:
    """Pixels [n, 1, 8, 8] in [-1, 1] and labels."""
    from sklearn.datasets import load_digits

    data = load_digits()
    return (data.images[:, None] / 8 - 1).astype(np.float32), data.target


@pytest.fixture(autouse=True)
def _one_thread() -> Iterator[None]:
    """As where a build lowers: networks so small are slower on two threads, several times so on a busy machine."""
    with one_thread():
        yield


@pytest.fixture(scope="session")
def trained() -> Digits:
    eager = EagerSession(network, SPEC)
    pixels, _ = digits()
    with one_thread():
        samples = [GoldenSample({"pixels": one[None]}, eager.run({"pixels": one[None]})) for one in pixels[900:1500]]

    def captured(quantize: Quantize | None = None, accuracy: Accuracy | None = None, calibration: int = 200) -> Capture:
        caught = capture(eager, {"batch": 1})
        caught.calibration = samples[:calibration]
        caught.quantize = quantize or Quantize()
        caught.judging = Judging(accuracy=accuracy or Accuracy(error=0.2, top1=0.9, classes={"output": 1}))
        return caught

    return Digits(captured, tuple(samples[400:]))
