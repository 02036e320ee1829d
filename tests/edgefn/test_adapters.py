"""Wrappers for networks that do not go from tensors to tensors."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import numpy as np
import pytest

from edgefn.spec import TensorSpec
from tests.edgefn.compile.networks import onnx_of, session


def detections() -> Any:
    """A detector with the interface of torchvision's: pictures in a list, and a dict for each with what is found.

    Boxes are the cells that are brighter than the picture's mean, so their number differs from picture to picture.
    """
    import torch

    from edgefn import adapters

    class Detections(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.features = torch.nn.Conv2d(3, 1, 4, 4)

        def forward(self, images: list[torch.Tensor], targets: Any = None) -> list[dict[str, torch.Tensor]]:
            assert isinstance(images, list)
            return [self.found(image) for image in images]

        def found(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
            scores = self.features(image[None]).flatten()
            (places,) = torch.nonzero(scores > scores.mean(), as_tuple=True)
            boxes = torch.stack([places, places, places + 4, places + 4], 1).float()
            return {"boxes": boxes, "labels": places % 2, "scores": scores[places], "masks": boxes}

    torch.manual_seed(0)
    return adapters.detector(Detections())


@pytest.mark.needs_torch
@pytest.mark.timeout(300)
@pytest.mark.parametrize("shape", [(1, 3, 16, 20), (3, 16, 20)])
def test_a_detector_gives_what_it_finds(shape: tuple[int, ...]) -> None:
    """Boxes, labels and scores of each picture, as many as there are, from the artifact as from the detector itself."""
    from edgefn.compile.capture import capture

    eager = session(detections, {"image": TensorSpec("float32", shape)})
    captured = capture(eager)
    artifact = onnx_of(captured)
    counts = set()
    for seed in range(4):
        image = np.random.default_rng(seed).random(shape, np.float32)
        found: Any = artifact.run({"image": image})
        inner: Any = eager.network.network
        (wanted,) = inner([_tensor(image)])
        assert list(found) == ["boxes", "labels", "scores"]
        for name, array in found.items():
            np.testing.assert_allclose(array, wanted[name].detach().numpy(), rtol=1e-5, atol=1e-6)
        counts.add(len(found["boxes"]))
    assert len(counts) > 1


def _tensor(image: Any) -> Any:
    import torch

    return torch.from_numpy(image.reshape(image.shape[-3:]))


def test_adapters_are_light() -> None:
    """Importing them imports neither PyTorch nor NumPy: a handler's module may do so at its top."""
    code = "import sys, edgefn.adapters; print('torch' in sys.modules, 'numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "False False\n"
