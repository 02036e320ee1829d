"""Distances between rows, for any number of them: torch.export records torch.cdist for more than 25 rows, or for fewer.

PyTorch computes the Euclidean distance with a matrix product from 26 rows on, and from differences below.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_USUAL = "use_mm_for_euclid_dist_if_necessary"

FEW = 25
"""Up to so many rows on both sides PyTorch takes differences."""


def replacements() -> dict[Any, Callable[..., Any]]:
    """Return PyTorch's functions with their replacements."""
    import torch

    return {torch.cdist: between, torch.hypot: hypotenuse, torch.Tensor.hypot: hypotenuse}


def between(x1: torch.Tensor, x2: torch.Tensor, p: float = 2.0, compute_mode: str | None = None) -> torch.Tensor:
    """Compute torch.cdist: Euclidean with a product where one side always has many rows, else differences."""
    import torch

    if x1.dim() < 2 or x2.dim() < 2 or not x1.is_floating_point() or x1.dtype != x2.dtype:
        return torch.cdist(x1, x2, p, compute_mode or _USUAL)
    is_large = any(isinstance(rows, int) and rows > FEW for rows in (x1.shape[-2], x2.shape[-2]))
    if p == 2 and (compute_mode == "use_mm_for_euclid_dist" or (compute_mode in (None, _USUAL) and is_large)):
        return _from_product(x1, x2)
    apart: torch.Tensor = torch.linalg.vector_norm(x1.unsqueeze(-2) - x2.unsqueeze(-3), p, -1)
    return apart


def hypotenuse(input: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Compute torch.hypot by the larger side, whose square would be too large or too small."""
    import torch

    large = torch.maximum(input.abs(), other.abs())
    small = torch.minimum(input.abs(), other.abs())
    share = torch.where(small == large, 1.0, small / torch.where(large == 0, 1.0, large))  # infinity of infinity
    length: torch.Tensor = large * (1 + share * share).sqrt()
    return torch.where(input.isinf() | other.isinf(), torch.inf, length)  # beside NaN, too


def _from_product(x1: torch.Tensor, x2: torch.Tensor) -> torch.Tensor:
    """Compute it as PyTorch does: one product of rows that carry their squares with them."""
    import torch

    ones1, ones2 = torch.ones_like(x1[..., :1]), torch.ones_like(x2[..., :1])
    left = torch.cat([-2 * x1, x1.square().sum(-1, keepdim=True), ones1], -1)
    right = torch.cat([x2, ones2, x2.square().sum(-1, keepdim=True)], -1)
    return (left @ right.transpose(-1, -2)).clamp(min=0).sqrt()
