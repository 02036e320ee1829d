"""Linear resizing by a factor that is no whole number, as PyTorch does it.

PyTorch copies an axis whose size stays the same (5 numbers by 1.1 are 5), and no other; ONNX Runtime and the exporter
do so for all axes or for none. So the numbers are computed here, one axis after the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgefn.errors import BuildError

if TYPE_CHECKING:
    import torch

MODES = ("linear", "bilinear", "trilinear")

PARTS = 32
"""A factor that is a whole number of these parts is computed alike everywhere."""


def is_plain(factor: float) -> bool:
    """Return whether a length times the factor is the same in float32 as in double precision."""
    return (float(factor) * PARTS).is_integer()


def is_apart(mode: str, factors: Sequence[float]) -> bool:
    """Return whether engines resize by such factors otherwise than PyTorch."""
    parts = [float(one) for one in factors if not float(one).is_integer()]
    return mode in MODES and any(mode == "trilinear" or 1 < one < 2 or not is_plain(one) for one in parts)


def resized(input: torch.Tensor, factors: Sequence[float], sizes: Sequence[Any], align_corners: bool) -> torch.Tensor:
    """Compute torch.nn.functional.interpolate, to `sizes`, by `factors`."""
    for axis, (factor, size) in enumerate(zip(factors, sizes, strict=True), 2):
        input = _along(input, axis, float(factor), size, align_corners)
    return input


def _along(input: torch.Tensor, axis: int, factor: float, size: Any, align_corners: bool) -> torch.Tensor:
    import torch

    length = input.shape[axis]
    if factor == 1:
        return input
    numbers = torch.arange(size, dtype=torch.float32, device=input.device)
    if align_corners:
        apart = torch.sym_max(size - 1, 1)  # type: ignore[no-untyped-call] # torch has no types
        places = numbers * (torch.ones_like(numbers) * (length - 1) / apart)
    else:
        places = ((numbers + 0.5) * (1 / factor) - 0.5).clamp(min=0)
    is_copied = torch.ones_like(numbers) * size == torch.ones_like(numbers) * length
    places = torch.where(is_copied, numbers, places)
    last = torch.ones_like(numbers, dtype=torch.int64) * (length - 1)
    low = torch.minimum(places.floor().to(torch.int64), last)
    high = torch.minimum(low + 1, last)
    share = (places - low).clamp(max=1).to(input.dtype).view([-1 if one == axis else 1 for one in range(input.dim())])
    found: torch.Tensor = input.index_select(axis, low) * (1 - share) + input.index_select(axis, high) * share
    return found


def check(mode: str, antialias: bool, factors: Sequence[float], lengths: Sequence[Any], sizes: Sequence[Any]) -> None:
    """Raise BuildError for factors by which no engine resizes as PyTorch does.

    A free length must be one that grows.
    """
    import torch

    if antialias and not all(float(one).is_integer() for one in factors):
        raise BuildError(
            f"interpolate(mode={mode!r}, antialias=True) by a factor that is not a whole number smooths differently "
            "in artifacts and in PyTorch; give size=, or recompute_scale_factor=True"
        )
    if mode != "bicubic":
        return
    for factor, length, size in zip(factors, lengths, sizes, strict=True):
        if not 1 < factor < 2:
            continue
        if isinstance(length, torch.SymInt):
            torch._check(size > length)  # type: ignore[no-untyped-call] # torch has no types
        elif size == length:
            raise BuildError(
                f"interpolate(mode='bicubic', scale_factor={factor}) keeps {length} pixels, which engines copy but "
                "PyTorch interpolates; give size="
            )
