"""A detector of YOLOv8n's class at 320×320, random weights: boxes and class scores for each of 2,100 anchors."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from edgefn import Bound, Quantize, edge_function, edge_model, tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from numpy.typing import NDArray

SIDE = 320


def _photos(seed: int, count: int) -> Iterator[dict[str, NDArray[np.float32]]]:
    from sklearn.datasets import load_sample_images

    random = np.random.default_rng(seed)
    for _ in range(count):
        photo = load_sample_images().images[int(random.integers(2))]
        top, left = (int(random.integers(0, length - SIDE)) for length in photo.shape[:2])
        crop = photo[top : top + SIDE, left : left + SIDE]
        yield {"pixels": crop.astype(np.float32).transpose(2, 0, 1)[np.newaxis] / 255}


def samples() -> Iterator[dict[str, NDArray[np.float32]]]:
    """Crops of two photos."""
    return _photos(1, 8)


def calibration() -> Iterator[dict[str, NDArray[np.float32]]]:
    """Others."""
    return _photos(2, 24)


@edge_model(
    inputs={"pixels": tensor("float32", "batch", 3, SIDE, SIDE)},
    samples=samples,
    calibration=calibration,
    tolerance=Bound(1e-3, None),
    quantize=Quantize(bound=Bound(0.1, None)),
)
def yolo() -> torch.nn.Module:
    """Backbone, neck and head; a regressor, so its artifacts are held to a largest error."""
    import torch
    from network import detector as network

    return network(torch.from_numpy(np.concatenate([one["pixels"] for one in _photos(3, 8)])))


@edge_function(memory="512MiB", timeout="10s")
def detector(seed: int) -> list[float]:
    """The likeliest box in noise."""
    found = yolo(pixels=np.random.default_rng(seed).random((1, 3, SIDE, SIDE), np.float32))[0]
    return [float(number) for number in found[:, int(found[4:].max(0).argmax())][:4]]
