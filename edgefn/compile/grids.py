"""The grid of a spatial transformer, for any height and width: torch.export fixes torch.nn.functional.affine_grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def affine(theta: torch.Tensor, size: Sequence[Any], align_corners: bool | None = None) -> torch.Tensor:
    """Compute what affine_grid does: places from -1 to 1 along each axis, moved by `theta`."""
    import torch
    from torch.nn import functional

    lengths = list(size[2:])
    if all(isinstance(length, int) for length in lengths):
        return functional.affine_grid(theta, list(size), align_corners)
    steps = [_steps(theta, length, bool(align_corners)) for length in lengths]
    places = [*reversed(torch.meshgrid(*steps, indexing="ij"))]  # the last axis is x, and x is first
    places.append(torch.ones_like(places[0]))
    flat = torch.stack(places, -1).flatten(0, -2)
    return (flat @ theta.transpose(1, 2)).view(theta.shape[0], *lengths, len(lengths))


def _steps(theta: torch.Tensor, length: Any, align_corners: bool) -> torch.Tensor:
    """Return the middles of `length` pixels that reach from -1 to 1; where corners are aligned, -1 to 1 themselves.

    One alone is at 0.
    """
    import torch

    numbers = torch.arange(length, dtype=theta.dtype, device=theta.device)
    between = torch.sym_max(length - 1, 1) if align_corners else length  # type: ignore[no-untyped-call]
    places: torch.Tensor = (numbers * 2 - (length - 1)).div(between)
    return places
