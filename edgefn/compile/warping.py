"""Sampling grids of spatial transformers, for any size: torch.export records `affine_grid` for the example's alone.

The grid's points run from -1 to 1, at the corners' middles or at their edges
(https://docs.pytorch.org/docs/stable/generated/torch.nn.functional.affine_grid.html); theta has a matrix for each.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def affine_grid(theta: torch.Tensor, size: Sequence[Any], align_corners: bool | None = None) -> torch.Tensor:
    """Compute what torch.nn.functional.affine_grid does: [N, H, W, 2], or [N, D, H, W, 3] of theta [N, 3, 4]."""
    import torch
    from torch.nn import functional

    lengths = list(size)[2:]
    if all(isinstance(length, int) for length in lengths):
        return functional.affine_grid(theta, [int(one) for one in size], align_corners)
    rank = len(lengths)
    axes = [_points(length, bool(align_corners), theta) for length in lengths]
    placed = [axis.view([-1 if place == at else 1 for place in range(rank)]) for at, axis in enumerate(axes)]
    points = [axis.expand(lengths) for axis in reversed(placed)]  # x is the last axis
    grid = torch.stack([*points, torch.ones_like(points[0])], -1).view(1, -1, rank + 1)
    return (grid @ theta.transpose(1, 2)).view(-1, *lengths, rank)


def _points(length: Any, corners: bool, theta: torch.Tensor) -> torch.Tensor:
    """Return the middles of `length` pixels between -1 and 1, or `length` points from -1 to 1; 0 for one alone."""
    import torch

    steps = torch.arange(length, device=theta.device).to(theta.dtype)
    between = torch.sym_max(length - 1, 1) if corners else length  # type: ignore[no-untyped-call]
    points: torch.Tensor = (2 * steps - (length - 1)).div(between)
    return points
