"""Which digit a small scan shows: a convolutional network trained, at build, on the 1,797 scans of scikit-learn."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import numpy as np

from edgefn import Image, edge_function, edge_model, tensor

if TYPE_CHECKING:
    from collections.abc import Iterator

    import torch
    from numpy.typing import NDArray

SIDE = 8
EPOCHS = 8


class Reading(msgspec.Struct, frozen=True):
    """A digit, 0 to 9, and its probability."""

    digit: int
    confidence: float


def calibration() -> Iterator[dict[str, NDArray[np.float32]]]:
    """Scans that the network was trained on: where int8 takes its ranges from."""
    import training

    scans, _ = training.scans(held_out=False)
    return ({"scans": scan[np.newaxis]} for scan in scans[:96])


@edge_model(
    inputs={"scans": tensor("float32", "batch", 1, SIDE, SIDE)}, samples="samples/*.png", calibration=calibration
)
def digit_reader() -> torch.nn.Module:
    """The network, trained in a few seconds. The build seeds PyTorch, so that it comes out the same each time."""
    import training

    network: torch.nn.Module = training.trained(EPOCHS)
    return network


@edge_function(memory="128MiB", timeout="1s", idle="60s")
def read_digits(image: Image) -> Reading:
    """The digit in a scan of one, white on black; a larger image is made 8×8."""
    scores = digit_reader(scans=prepare(image))[0]
    chances = np.exp(scores - scores.max())
    digit = int(chances.argmax())
    return Reading(digit, float(chances[digit] / chances.sum()))


def prepare(image: Image) -> NDArray[np.float32]:
    """float32 [1, 1, 8, 8]: ink is 1, paper 0, as in the scans that the network was trained on."""
    grey = image.array((SIDE, SIDE), fit="contain", resample="box")[:, :, 0]
    return np.ascontiguousarray(grey[np.newaxis, np.newaxis].astype(np.float32) / 255)
