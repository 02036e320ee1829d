"""Transposed convolutions to a size that is free, `ConvTranspose2d(...)(x, output_size=y.shape[2:])`.

Padding at the end makes the answer longer and changes nothing before it. So it is computed at its longest, and cut.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def replacements() -> dict[Any, Callable[..., Any]]:
    """Return PyTorch's functions with their replacements."""
    from torch.nn import functional

    functions = (functional.conv_transpose1d, functional.conv_transpose2d, functional.conv_transpose3d)
    return {function: _of(function) for function in functions}


def _of(function: Callable[..., torch.Tensor]) -> Callable[..., torch.Tensor]:
    def transposed(
        input: torch.Tensor,
        weight: torch.Tensor,
        bias: torch.Tensor | None = None,
        stride: Any = 1,
        padding: Any = 0,
        output_padding: Any = 0,
        groups: int = 1,
        dilation: Any = 1,
    ) -> torch.Tensor:
        """Compute what PyTorch's function does."""
        rank = weight.dim() - 2
        steps, apart, more = (_each(one, rank) for one in (stride, dilation, output_padding))
        if all(isinstance(one, int) for one in more):
            return function(input, weight, bias, stride, padding, output_padding, groups, dilation)
        most = [max(step, gap) - 1 for step, gap in zip(steps, apart, strict=True)]
        found = function(input, weight, bias, stride, padding, most, groups, dilation)
        for axis, (longest, wanted) in enumerate(zip(most, more, strict=True), found.dim() - rank):
            found = found.narrow(axis, 0, found.shape[axis] - longest + wanted)
        return found

    return transposed


def _each(given: Any, rank: int) -> Sequence[Any]:
    """Return a number for each axis."""
    return list(given) if isinstance(given, Sequence) else [given] * rank
