"""Resizing to the nearest pixel as PyTorch rounds: ONNX Runtime's Resize takes another pixel for some sizes.

PyTorch multiplies a place with the float32 ratio of the sizes; Resize divides by its inverse. For 20 to 12, or 14 to 2,
a quotient falls below a whole number, and the pixel before it is taken. So the pixels are computed and gathered. Where
a size is multiplied by a small whole number both agree, and the Resize stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

MODES = ("nearest", "nearest-exact")

SURE = 32
"""Up to here, a place times the float32 of 1 / factor rounds down as the place divided by the factor does."""


def is_doubled(lengths: Sequence[Any], sizes: Sequence[Any]) -> bool:
    """Return whether every size is its length times a small whole number, for every length."""
    return all(_is_multiple(length, one) for length, one in zip(lengths, sizes, strict=True))


def resized(input: torch.Tensor, sizes: Sequence[Any], factors: Sequence[float], *, exact: bool) -> torch.Tensor:
    """Take PyTorch's pixels: by `factors`, or where there are none by the ratio of the sizes."""
    for number, out in enumerate(sizes):
        places = _places(input, input.shape[number + 2], out, factors[number] if factors else None, exact=exact)
        input = input.index_select(number + 2, places)
    return input


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
