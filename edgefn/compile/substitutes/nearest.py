"""Resizing to the nearest pixel as PyTorch rounds: ONNX Runtime's Resize takes another pixel for some sizes.

PyTorch multiplies a place with the float32 ratio of the sizes; Resize divides by its inverse. For 20 to 12, or 14 to 2,
a quotient falls below a whole number, and the pixel before it is taken. So the pixels are computed and gathered. Where
a size is multiplied by a small whole number both agree, and the Resize stays.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from edgefn.compile.substitutes import linear

if TYPE_CHECKING:
    import torch

MODES = ("nearest", "nearest-exact")

SURE = 32
"""Up to here, a place times the float32 of 1 / factor rounds down as the place divided by the factor does."""


def replacements() -> dict[Any, Callable[..., Any]]:
    """Return PyTorch's function with what is recorded for it."""
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
    """Compute what torch.nn.functional.interpolate does; what it refuses is left to it."""
    from torch.nn import functional

    options = (size, scale_factor, mode, align_corners, recompute_scale_factor, antialias)
    rank = input.dim() - 2
    lengths = input.shape[2:]
    if (
        mode not in MODES
        and 1 <= rank <= 3
        and size is None
        and scale_factor is not None
        and not recompute_scale_factor
    ):
        factors = _each(scale_factor, rank)
        sizes = [_product(length, one) for length, one in zip(lengths, factors, strict=True)]
        linear.check(mode, antialias, factors, lengths, sizes)
        if linear.is_apart(mode, factors) and not antialias:
            return linear.resized(input, factors, sizes, bool(align_corners))
    if mode not in MODES or not 1 <= rank <= 3 or align_corners is not None or (size is None) == (scale_factor is None):
        return _cut(functional.interpolate(input, *options), lengths, [] if size else _each(scale_factor, rank))
    factors = _each(scale_factor, rank)
    wanted = _each(size, rank) or [_product(length, one) for length, one in zip(lengths, factors, strict=True)]
    if all(_is_multiple(length, one) for length, one in zip(lengths, wanted, strict=True)):
        return functional.interpolate(input, size, scale_factor, "nearest", None, recompute_scale_factor)
    if recompute_scale_factor:
        factors = []
    for number, (length, out) in enumerate(zip(lengths, wanted, strict=True)):
        places = _places(input, length, out, factors[number] if factors else None, exact=mode == "nearest-exact")
        input = input.index_select(number + 2, places)
    return input


def _cut(resized: torch.Tensor, lengths: Sequence[Any], factors: Sequence[Any]) -> torch.Tensor:
    """Return as much as PyTorch gives of a free length: Resize multiplies it in float32, and may give one more."""
    for axis, (length, factor) in enumerate(zip(lengths, factors, strict=False), 2):
        if not isinstance(length, int) and not float(factor * SURE).is_integer():
            resized = resized.narrow(axis, 0, _product(length, factor))
    return resized


def _places(input: torch.Tensor, length: Any, out: Any, factor: float | None, *, exact: bool) -> torch.Tensor:
    """Return which of `length` pixels each of `out` takes, in float32 as PyTorch computes it."""
    import torch

    numbers = torch.arange(out, dtype=torch.float32, device=input.device)
    one = torch.ones((), dtype=torch.float32, device=input.device)
    ratio = one * length / out if factor is None else one * (1 / factor)
    places = ((numbers + 0.5 if exact else numbers) * ratio).floor().to(torch.int64)
    return torch.minimum(places, torch.ones_like(places) * (length - 1))


def _is_multiple(length: Any, out: Any) -> bool:
    """Return whether `out` is `length` times a small whole number, for every length."""
    from torch.fx.experimental.symbolic_shapes import statically_known_true

    return any(statically_known_true(out == length * factor) for factor in range(1, SURE + 1))


def _product(length: Any, factor: float) -> Any:
    """Return the size that a factor gives, rounded down as PyTorch does."""
    import torch

    if float(factor).is_integer():
        return length * int(factor)
    return torch.sym_int(torch.sym_float(length) * factor)  # type: ignore[no-untyped-call]


def _each(value: Any, rank: int) -> Sequence[Any]:
    """Return an option of each axis; none where there is none."""
    if value is None:
        return []
    return list(value) if isinstance(value, (list, tuple)) else [value] * rank
