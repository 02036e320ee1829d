"""Wrappers for networks whose forward() is not from tensors to tensors. Importing this imports no PyTorch.

    detector(network)     torchvision's detectors: a list of pictures in, a list of dicts out

A builder returns what these return.

    detection     torchvision's steps whose way depends on how much is found, written for any number
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from edgefn.errors import BuildError

if TYPE_CHECKING:
    import torch

FIELDS = ("boxes", "labels", "scores")
"""What the detectors of `torchvision.models.detection` find; those with masks or keypoints have more."""

_KEYPOINTS = ("keypoints", "keypoints_scores")


def detector(network: torch.nn.Module, fields: Sequence[str] = FIELDS) -> torch.nn.Module:
    """Return a network that takes one picture and gives what `network` finds in it, as tensors by name.

    `network` takes a list of pictures [channels, height, width] and returns a dict of tensors for each, as the
    detectors of `torchvision.models.detection` do. The wrapper takes such a picture, or a batch of one, and returns the
    dict's `fields`: by default boxes [found, 4], labels [found] and scores [found]; also masks
    [found, 1, height, width]. How many are found differs from picture to picture, and may be none. Parts of the network
    that are for other fields alone are not run. Raise BuildError for keypoints, which no program can have.
    """
    import torch

    from edgefn.adapters import detection

    _refuse_keypoints(fields)

    class Detector(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
            picture = image.squeeze(0) if image.dim() == 4 else image
            with detection.of_any_number(self.network, fields):
                (found,) = self.network([picture])
            return {name: _field(found, name) for name in fields}

    return Detector()


def _refuse_keypoints(fields: Sequence[str]) -> None:
    if asked := [name for name in fields if name in _KEYPOINTS]:
        raise BuildError(
            f"edgefn.adapters.detector: {asked[0]!r} is not supported: torchvision resizes each heatmap to its box in "
            f"a loop over the detections, and artifacts cannot have such a loop; use fields={FIELDS}, and find the "
            "keypoints in each box with a second network that takes the crop and returns heatmaps of one size"
        )


def _field(found: Mapping[str, torch.Tensor], name: str) -> torch.Tensor:
    if name not in found:
        raise BuildError(f"edgefn.adapters.detector: the network finds {', '.join(found)} but no {name!r}: see fields=")
    return found[name]
