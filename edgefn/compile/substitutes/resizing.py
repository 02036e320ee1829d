"""torch.nn.functional.interpolate, by its mode: the nearest pixel (nearest.py), linear by a fraction (linear.py).

Everything else is recorded as PyTorch has it; a free length by a fraction is then cut to PyTorch's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from edgefn.compile.substitutes import linear, nearest
from edgefn.errors import BuildError

if TYPE_CHECKING:
    import torch

MAX_AXES = 3


def replacements() -> dict[Any, Callable[..., Any]]:
    """Return PyTorch's function with its replacement."""
    from torch.nn import functional

    return {functional.interpolate: _resized}


def _resized(
    input: torch.Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> torch.Tensor:
    """Compute what torch.nn.functional.interpolate does; what it refuses is left to it.

    Of uint8 a number may be one off: PyTorch computes with weights of 16 bits. Raises BuildError where that is not all.
    """
    import torch
    from torch.nn import functional

    if input.dtype == torch.uint8 and mode not in nearest.MODES:  # ONNX Runtime cuts the fractions off
        if mode == "bicubic":
            raise BuildError(
                "interpolate(mode='bicubic') of uint8 is rounded between its axes, which ONNX cannot express; write "
                ".float() before it and .round().clamp(0, 255).byte() after it"
            )
        floats = _resized(input.float(), size, scale_factor, mode, align_corners, recompute_scale_factor, antialias)
        return floats.round().clamp(0, 255).to(torch.uint8)
    rank, lengths = input.dim() - 2, input.shape[2:]
    factors = _each(scale_factor, rank)
    is_either = 1 <= rank <= MAX_AXES and (size is None) != (scale_factor is None)
    sizes = list(_each(size, rank))
    if is_either and factors:
        sizes = [_product(length, one) for length, one in zip(lengths, factors, strict=True)]
    by_factors = [] if recompute_scale_factor else factors
    if is_either and mode in nearest.MODES and align_corners is None:
        if nearest.is_doubled(lengths, sizes):
            return functional.interpolate(input, size, scale_factor, "nearest", None, recompute_scale_factor)
        return nearest.resized(input, sizes, by_factors, exact=mode == "nearest-exact")
    if is_either and mode not in nearest.MODES and by_factors:
        linear.check(mode, antialias, factors, lengths, sizes)
        if linear.is_apart(mode, factors) and not antialias:
            return linear.resized(input, factors, sizes, bool(align_corners))
    options = (size, scale_factor, mode, align_corners, recompute_scale_factor, antialias)
    return _cut(functional.interpolate(input, *options), lengths, [] if size else factors)


def _cut(resized: torch.Tensor, lengths: Sequence[Any], factors: Sequence[Any]) -> torch.Tensor:
    """Return as much as PyTorch gives of a free length.

    Resize multiplies it in float32, and may give one more.
    """
    for axis, (length, factor) in enumerate(zip(lengths, factors, strict=False), 2):
        if not isinstance(length, int) and not linear.is_plain(factor):
            resized = resized.narrow(axis, 0, _product(length, factor))
    return resized


def _product(length: Any, factor: float) -> Any:
    """Return the size that a factor gives, rounded down as PyTorch does."""
    import torch

    if float(factor).is_integer():
        return length * int(factor)
    return torch.sym_int(torch.sym_float(length) * factor)  # type: ignore[no-untyped-call] # torch has no types


def _each(value: Any, rank: int) -> Sequence[Any]:
    """Return an option of each axis; none where there is none."""
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value] * rank
