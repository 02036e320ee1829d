"""Places evenly apart, as many as a free size says: torch.export fixes torch.linspace and the grids of affine_grid.

And places between two pixels, of which ONNX Runtime takes another one than PyTorch where they are reflected.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgefn.errors import BuildError

if TYPE_CHECKING:
    import torch


def affine(theta: torch.Tensor, size: Sequence[Any], align_corners: bool | None = None) -> torch.Tensor:
    """Compute affine_grid: places from -1 to 1 along each axis, moved by `theta`."""
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


FAR = 1e4
"""So many pictures away from a picture there is nothing of it."""


def sampled(
    input: torch.Tensor,
    grid: torch.Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> torch.Tensor:
    """Compute torch.nn.functional.grid_sample.

    Raises BuildError where engines round reflected places otherwise.
    """
    import torch
    from torch.nn import functional

    if mode == "nearest" and padding_mode == "reflection":
        raise BuildError(
            "grid_sample(mode='nearest', padding_mode='reflection') takes another pixel in ONNX Runtime for a place "
            "exactly between two; write padding_mode='border', or mode='bilinear'"
        )
    if padding_mode == "reflection" or grid.dim() != 4:
        return functional.grid_sample(input, grid, mode, padding_mode, align_corners)
    # A place that no int32 holds, or none at all, would be one inside of the picture.
    near = torch.where(grid == grid, grid.clamp(-FAR, FAR), -FAR)
    found = functional.grid_sample(input, near, mode, padding_mode, align_corners)
    is_lost = mode == "nearest" or (mode == "bilinear" and padding_mode == "border")
    return found if is_lost else found + (grid * 0).sum(-1).unsqueeze(1)


def _steps(theta: torch.Tensor, length: Any, align_corners: bool) -> torch.Tensor:
    """Return the middles of `length` pixels that reach from -1 to 1.

    Where corners are aligned, the first is -1 and the last is 1. One alone is at 0.
    """
    import torch

    numbers = torch.arange(length, dtype=theta.dtype, device=theta.device)
    between = torch.sym_max(length - 1, 1) if align_corners else length  # type: ignore[no-untyped-call]
    places: torch.Tensor = (numbers * 2 - (length - 1)).div(between)
    return places


def line(start: Any, end: Any, steps: Any, **options: Any) -> torch.Tensor:
    """Compute torch.linspace from both ends to the middle; a single number is the start."""
    import torch

    numbers = (start, end)
    is_whole = options.get("dtype") is not None and not options["dtype"].is_floating_point
    if not isinstance(steps, torch.SymInt) or is_whole or not all(isinstance(one, (int, float)) for one in numbers):
        return torch.linspace(start, end, steps, **options)
    length: Any = steps
    places: torch.Tensor = torch.arange(length, **{"dtype": torch.get_default_dtype(), **options})
    step = torch.ones_like(places) * (end - start) / torch.sym_max(length - 1, 1)  # type: ignore[no-untyped-call]
    left = torch.ones_like(places) * (length - 1) - places
    return torch.where(places <= left, start + step * places, end - step * left)
