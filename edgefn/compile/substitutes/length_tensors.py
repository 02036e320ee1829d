"""Tensors that are made of free lengths, `torch.tensor([width, height])`: recorded with the lengths free.

torch.tensor reads Python's numbers, so torch.export would take the example's lengths for good. Here each length is
multiplied with a one; numbers among them stay numbers. Other data is left to PyTorch.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def replacements() -> dict[Any, Callable[..., Any]]:
    """Return PyTorch's functions with their replacements."""
    import torch

    def made(usual: Callable[..., Any]) -> Callable[..., Any]:
        def tensor(data: Any, *, dtype: Any = None, device: Any = None, **options: Any) -> Any:
            if not _has_lengths(data):
                return usual(data, dtype=dtype, device=device, **options)
            return _filled(data, dtype or _kind(data), device)

        return tensor

    def new(self: torch.Tensor, data: Any, *, dtype: Any = None, device: Any = None, **options: Any) -> Any:
        if not _has_lengths(data):
            return self.new_tensor(data, dtype=dtype, device=device, **options)
        return _filled(data, dtype or self.dtype, device or self.device)

    return {torch.tensor: made(torch.tensor), torch.as_tensor: made(torch.as_tensor), torch.Tensor.new_tensor: new}


def _has_lengths(data: Any) -> bool:
    """Tell whether a free length, or what was computed from one, is anywhere in nested lists."""
    import torch

    if isinstance(data, (list, tuple)):
        return any(map(_has_lengths, data))
    return isinstance(data, (torch.SymInt, torch.SymFloat))


def _kind(data: Any) -> torch.dtype:
    """Return the type that torch.tensor gives: of whole numbers int64, of others the default one."""
    import torch

    if isinstance(data, (list, tuple)):
        kinds = {_kind(one) for one in data}
        return torch.int64 if kinds == {torch.int64} else torch.get_default_dtype()
    return torch.int64 if isinstance(data, (int, torch.SymInt)) else torch.get_default_dtype()


def _filled(data: Any, dtype: torch.dtype, device: Any) -> torch.Tensor:
    import torch

    if isinstance(data, (list, tuple)):
        return torch.stack([_filled(one, dtype, device) for one in data])
    filled: torch.Tensor = torch.ones((), dtype=dtype, device=device) * data
    return filled
