"""Batch normalisation by the batch's own mean and variance, which the exporter translates to something else.

Networks have it in two ways: a layer made with track_running_stats=False, and a call with training=True.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def replacements() -> dict[Any, Callable[..., Any]]:
    """Return PyTorch's function with its replacement."""
    from torch.nn import functional

    return {functional.batch_norm: batch_norm}


def batch_norm(
    input: torch.Tensor,
    running_mean: torch.Tensor | None,
    running_var: torch.Tensor | None,
    weight: torch.Tensor | None = None,
    bias: torch.Tensor | None = None,
    training: bool = False,
    momentum: float = 0.1,
    eps: float = 1e-5,
) -> torch.Tensor:
    """Compute torch.nn.functional.batch_norm of [rows, channels, ...]. Running figures are not kept."""
    from torch.nn import functional

    if not training:
        return functional.batch_norm(input, running_mean, running_var, weight, bias, training, momentum, eps)
    axes = [axis for axis in range(input.dim()) if axis != 1]
    shape = [1 if axis in axes else -1 for axis in range(input.dim())]
    centred = input - input.mean(axes, keepdim=True)
    normal = centred * (centred.square().mean(axes, keepdim=True) + eps).rsqrt()
    scaled = normal if weight is None else normal * weight.view(shape)
    return scaled if bias is None else scaled + bias.view(shape)
