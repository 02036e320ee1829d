"""Steps of torchvision's detectors that branch on the number of detections, written for any number, zero included.

A program has no such branches and loops. Each function here gives what torchvision's of the same name gives
(https://docs.pytorch.org/vision/stable/models.html); it is in its place only while a wrapped detector runs. Never
trains.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_MASKS, _KEYPOINTS = {"masks"}, {"keypoints", "keypoints_scores"}
_HEADS = {"mask_roi_pool": _MASKS, "keypoint_roi_pool": _KEYPOINTS}
"""Parts of torchvision's RoIHeads without which it leaves a head out, and the fields that the head is for."""


@contextmanager
def of_any_number(network: torch.nn.Module, fields: Collection[str]) -> Iterator[None]:
    """Replace torchvision's steps meanwhile by those below; `network` computes only what `fields` need."""
    with ExitStack() as stack:
        for place, name, replacement in _replacements():
            stack.enter_context(_changed(place, name, replacement))
        heads = getattr(network, "roi_heads", None)
        for part, found in _HEADS.items():
            if getattr(heads, part, None) is not None and not found & set(fields):
                stack.enter_context(_changed(heads, part, None))
        yield


def _replacements() -> Iterator[tuple[Any, str, Callable[..., Any]]]:
    """Yield (where, name, replacement) of each step, in the modules that are imported."""
    modules: dict[str, Any] = dict(sys.modules)
    if boxes := modules.get("torchvision.ops.boxes"):
        yield boxes, "batched_nms", partial(batched_nms, boxes.nms)
    if poolers := modules.get("torchvision.ops.poolers"):
        yield poolers, "_multiscale_roi_align", partial(multiscale_roi_align, poolers)
        yield poolers, "_setup_scales", partial(setup_scales, poolers._setup_scales)
    if utils := modules.get("torchvision.models.detection._utils"):
        yield utils.BoxCoder, "decode", decode
    if heads := modules.get("torchvision.models.detection.roi_heads"):
        yield modules["torchvision.models.detection.transform"], "paste_masks_in_image", partial(paste_masks, heads)


@contextmanager
def _changed(place: Any, name: str, value: Any) -> Iterator[None]:
    """Set the attribute `name` of `place` to `value` meanwhile."""
    kept = getattr(place, name)
    setattr(place, name, value)
    try:
        yield
    finally:
        setattr(place, name, kept)


def batched_nms(
    nms: Callable[..., torch.Tensor],
    boxes: torch.Tensor,
    scores: torch.Tensor,
    idxs: torch.Tensor,
    iou_threshold: float,
) -> torch.Tensor:
    """Suppress the boxes of each class by `nms`, which sees those of another class as far away.

    torchvision goes through the classes one by one where there are many boxes; both ways keep the same.
    """
    import torch

    largest = torch.cat([boxes.flatten(), boxes.new_zeros(1)]).max()  # of no boxes, too
    return nms(boxes + (idxs.to(boxes) * (largest + 1))[:, None], scores, iou_threshold)


def decode(coder: Any, rel_codes: torch.Tensor, boxes: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the boxes [boxes, classes, 4] that `rel_codes` [boxes, classes * 4] move the `boxes` to."""
    import torch

    moved: torch.Tensor = coder.decode_single(rel_codes, torch.cat(list(boxes)))
    return moved.reshape(moved.shape[0], moved.shape[1] // 4, 4)


def setup_scales(
    chosen: Callable[..., Any],
    features: Sequence[torch.Tensor],
    image_shapes: Sequence[tuple[int, int]],
    canonical_scale: int,
    canonical_level: int,
) -> Any:
    """Return torchvision's scales, which are powers of two, from the example's sizes where those are free."""
    import torch

    plain = [torch.empty((0, 0, *map(_example, one.shape[-2:])), device="meta") for one in features]
    shapes = [(_example(height), _example(width)) for height, width in image_shapes]
    with torch._C._ExcludeDispatchKeyGuard(torch._C.DispatchKeySet(torch._C.DispatchKey.Python)):
        return chosen(plain, shapes, canonical_scale, canonical_level)


def _example(size: Any) -> int:
    return size if isinstance(size, int) else int(size.node.hint)


def multiscale_roi_align(
    poolers: Any,
    x_filtered: Sequence[torch.Tensor],
    boxes: Sequence[torch.Tensor],
    output_size: tuple[int, int],
    sampling_ratio: int,
    scales: Sequence[float],
    mapper: Callable[..., torch.Tensor],
) -> torch.Tensor:
    """Return the features [boxes, channels, *output_size] of the boxes, each from the level that fits its size."""
    import torch

    rois = poolers._convert_to_roi_format(boxes)

    def aligned(feature: torch.Tensor, of: torch.Tensor, scale: float) -> torch.Tensor:
        found: torch.Tensor = poolers.roi_align(feature, of, output_size, scale, sampling_ratio)
        return found

    if len(x_filtered) == 1:
        return aligned(x_filtered[0], rois, scales[0])
    levels = mapper(boxes)
    found = x_filtered[0].new_zeros((rois.shape[0], x_filtered[0].shape[1], *output_size))
    for level, (feature, scale) in enumerate(zip(x_filtered, scales, strict=True)):
        (here,) = torch.where(levels == level)
        found = found.index_put((here,), aligned(feature, rois[here], scale))
    return found


def paste_masks(
    heads: Any, masks: torch.Tensor, boxes: torch.Tensor, img_shape: tuple[int, int], padding: int = 1
) -> torch.Tensor:
    """Return the masks [found, 1, side, side], each resized to its box, in empty pictures [found, 1, height, width].

    Resizing is linear in both directions, so it is a product with a matrix from either side.
    """
    padded, scale = heads.expand_masks(masks, padding=padding)
    around = heads.expand_boxes(boxes, scale).long()
    height, width = img_shape
    side = padded.shape[-1]
    rows = _shares(around[:, 1], around[:, 3], height, side)
    columns = _shares(around[:, 0], around[:, 2], width, side)
    pasted: torch.Tensor = rows @ padded[:, 0] @ columns.transpose(1, 2)
    return pasted[:, None]


def _shares(first: torch.Tensor, last: torch.Tensor, length: int, side: int) -> torch.Tensor:
    """Return a matrix [found, length, side] of each: how a mask's rows weigh in the picture's `first` to `last`."""
    import torch

    pixels = torch.arange(length, device=first.device)
    place = pixels - first[:, None]
    inside = (place >= 0) & (pixels <= last[:, None])
    step = side / (last - first + 1).clamp(min=1).float()
    source = ((place + 0.5) * step[:, None] - 0.5).clamp(0, side - 1)
    near = (1 - (source[..., None] - torch.arange(side, device=first.device)).abs()).clamp(min=0)
    return near * inside[..., None]
