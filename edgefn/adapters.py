"""Wrappers for networks whose forward() is not from tensors to tensors. Importing this imports no PyTorch.

    detector(network)     torchvision's detectors: a list of pictures in, a list of dicts out

A builder returns what these return.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

FIELDS = ("boxes", "labels", "scores")
"""What the detectors of `torchvision.models.detection` find; those with masks or keypoints have more."""


def detector(network: torch.nn.Module, fields: Sequence[str] = FIELDS) -> torch.nn.Module:
    """Return a network that takes one picture and gives what `network` finds in it, as tensors by name.

    `network` takes a list of pictures [channels, height, width] and returns a dict of tensors for each, as the
    detectors of `torchvision.models.detection` do. The wrapper takes such a picture, or a batch of one, and returns the
    dict's `fields`: by default boxes [found, 4], labels [found] and scores [found]. How many are found differs from
    picture to picture.
    """
    import torch

    class Detector(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def forward(self, image: torch.Tensor) -> dict[str, torch.Tensor]:
            picture = image.squeeze(0) if image.dim() == 4 else image
            with _one_way():
                (found,) = self.network([picture])
            return {name: found[name] for name in fields}

    return Detector()


@contextmanager
def _one_way() -> Iterator[None]:
    """Within, torchvision suppresses the boxes of all classes at once, however many there are.

    Otherwise it chooses a way by their number, and a program has no such branch; all ways keep the same boxes.
    """
    boxes: Any = sys.modules.get("torchvision.ops.boxes")
    if boxes is None:
        yield
        return
    chosen = boxes.batched_nms
    boxes.batched_nms = partial(_batched_nms, boxes.nms)
    try:
        yield
    finally:
        boxes.batched_nms = chosen


def _batched_nms(
    nms: Callable[..., torch.Tensor],
    boxes: torch.Tensor,
    scores: torch.Tensor,
    classes: torch.Tensor,
    iou_threshold: float,
) -> torch.Tensor:
    """Suppress the boxes of each class by `nms`, which sees those of another class as far away."""
    import torch

    largest = torch.cat([boxes.flatten(), boxes.new_zeros(1)]).max()  # of no boxes, too
    return nms(boxes + (classes.to(boxes) * (largest + 1))[:, None], scores, iou_threshold)
