"""torch.angle by other operators: the exporter's own loses NaN, and the sign of a zero."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def replacements() -> dict[Any, Callable[..., Any]]:
    """Return PyTorch's function with its replacement."""
    import torch

    return {torch.angle: angle, torch.Tensor.angle: angle}


def angle(input: torch.Tensor) -> torch.Tensor:
    """Compute torch.angle."""
    import torch

    if input.is_complex():
        return torch.atan2(input.imag, input.real)
    if not input.is_floating_point():
        return torch.angle(input)
    return torch.where(input.isnan(), input, torch.where(input < 0, torch.pi, 0.0).to(input.dtype))
