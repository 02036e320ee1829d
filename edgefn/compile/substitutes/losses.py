"""Cross entropies of each element, as a scorer returns them: the exporter has them for some shapes and targets alone.

Written as a logarithm of a softmax and what is picked of it
(https://docs.pytorch.org/docs/stable/generated/torch.nn.CrossEntropyLoss.html).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def replacements() -> dict[Any, Callable[..., Any]]:
    """Return PyTorch's functions with their replacements."""
    from torch.nn import functional

    return {functional.cross_entropy: cross_entropy, functional.nll_loss: nll_loss}


def cross_entropy(
    input: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor | None = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> torch.Tensor:
    """Compute F.cross_entropy, of classes or of their probabilities."""
    from torch.nn import functional

    if size_average is not None or reduce is not None:
        options = (weight, size_average, ignore_index, reduce, reduction, label_smoothing)
        return functional.cross_entropy(input, target, *options)
    axis = 0 if input.dim() == 1 else 1
    scores = functional.log_softmax(input, axis)
    if target.is_floating_point():
        return _of_shares(scores, target, axis, weight, reduction, label_smoothing)
    loss, weights = _picked(scores, target, axis, weight, ignore_index)
    if label_smoothing:
        rest = -(scores if weight is None else scores * _along(weight, scores, axis)).sum(axis)
        rest = rest.masked_fill(target == ignore_index, 0)
        loss = loss * (1 - label_smoothing) + rest * (label_smoothing / input.shape[axis])
    return _reduced(loss, weights, reduction)


def nll_loss(
    input: torch.Tensor,
    target: torch.Tensor,
    weight: torch.Tensor | None = None,
    size_average: Any = None,
    ignore_index: int = -100,
    reduce: Any = None,
    reduction: str = "mean",
) -> torch.Tensor:
    """Compute F.nll_loss."""
    from torch.nn import functional

    if size_average is not None or reduce is not None:
        return functional.nll_loss(input, target, weight, size_average, ignore_index, reduce, reduction)
    loss, weights = _picked(input, target, 0 if input.dim() == 1 else 1, weight, ignore_index)
    return _reduced(loss, weights, reduction)


def _of_shares(
    scores: torch.Tensor, target: torch.Tensor, axis: int, weight: torch.Tensor | None, reduction: str, smoothing: float
) -> torch.Tensor:
    import torch

    classes = scores.shape[axis]
    wanted = target * (1 - smoothing) + smoothing / classes if smoothing else target
    each = scores * wanted if weight is None else scores * wanted * _along(weight, scores, axis)
    loss = -each.sum(axis)
    return _reduced(loss, torch.ones_like(loss), reduction)


def _picked(
    scores: torch.Tensor, target: torch.Tensor, axis: int, weight: torch.Tensor | None, ignore_index: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the loss of each element and its weight, both 0 where the target is ignored."""
    import torch

    is_ignored = target == ignore_index
    places = target.masked_fill(is_ignored, 0)
    picked = scores.gather(axis, places.unsqueeze(axis)).squeeze(axis)
    weights = torch.ones_like(picked) if weight is None else weight[places]
    return (-picked * weights).masked_fill(is_ignored, 0), weights.masked_fill(is_ignored, 0)


def _along(weight: torch.Tensor, scores: torch.Tensor, axis: int) -> torch.Tensor:
    return weight.view([-1 if one == axis else 1 for one in range(scores.dim())])


def _reduced(loss: torch.Tensor, weights: torch.Tensor, reduction: str) -> torch.Tensor:
    if reduction == "none":
        return loss
    return loss.sum() / weights.sum() if reduction == "mean" else loss.sum()
