"""What is found in an order, which ONNX has no operators for: written with sorts, comparisons and products.

bucketize, searchsorted    how many bounds are below: a comparison with each
median, kthvalue           sorted, the one at its place
cumprod                    products of what comes before
take_along_dim             gather, its sizes made alike
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def replacements() -> dict[Any, Callable[..., Any]]:
    """Return PyTorch's functions with their replacements."""
    import torch

    return {
        torch.bucketize: bucketize,
        torch.searchsorted: searchsorted,
        **dict.fromkeys((torch.median, torch.Tensor.median), median),
        **dict.fromkeys((torch.kthvalue, torch.Tensor.kthvalue), kthvalue),
        **dict.fromkeys((torch.cumprod, torch.Tensor.cumprod), cumprod),
        **dict.fromkeys((torch.take_along_dim, torch.Tensor.take_along_dim), take_along_dim),
    }


def bucketize(input: Any, boundaries: torch.Tensor, *, out_int32: bool = False, right: bool = False) -> torch.Tensor:
    """Compute torch.bucketize."""
    import torch

    values = torch.as_tensor(input)
    return searchsorted(boundaries, values, out_int32=out_int32, right=right)


def searchsorted(sorted_sequence: torch.Tensor, input: Any, **options: Any) -> torch.Tensor:
    """Compute torch.searchsorted: how many of a row are below each number, or not above it.

    NaN is above all.
    """
    import torch

    if options.get("sorter") is not None or not isinstance(input, torch.Tensor):
        return torch.searchsorted(sorted_sequence, input, **options)
    rows = sorted_sequence if sorted_sequence.dim() == 1 else sorted_sequence.unsqueeze(-2)
    values = input.unsqueeze(-1)
    is_right = options.get("right", False) or options.get("side") == "right"
    is_below = rows <= values if is_right else rows < values
    if input.is_floating_point():
        is_below = is_below | values.isnan()
    return is_below.sum(-1, dtype=torch.int32 if options.get("out_int32") else torch.int64)


def median(input: torch.Tensor, dim: int | None = None, keepdim: bool = False) -> Any:
    """Compute torch.median: of an even count the lower one, NaN where one is."""
    import torch

    if input.dim() == 0 or input.dtype == torch.bool or not isinstance(dim, int | None):
        return torch.median(input) if dim is None else torch.median(input, dim, keepdim)
    if dim is None:
        return _middle(input.flatten(), 0, keepdim=False)[0]
    return torch.return_types.median(_middle(input, dim, keepdim=keepdim))


def _middle(input: torch.Tensor, dim: int, *, keepdim: bool) -> tuple[torch.Tensor, torch.Tensor]:
    import torch

    middle, places = _at(input, (input.shape[dim] - 1) // 2, dim, keepdim=keepdim)
    if input.is_floating_point():
        middle = torch.where(input.isnan().any(dim, keepdim=keepdim), torch.nan, middle)
    return middle, places


def _at(input: torch.Tensor, place: Any, dim: int, *, keepdim: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the number at a place of the order, and its index."""
    values, places = (one.narrow(dim, place, 1) for one in input.sort(dim))
    return (values, places) if keepdim else (values.squeeze(dim), places.squeeze(dim))


def kthvalue(input: torch.Tensor, k: Any, dim: int = -1, keepdim: bool = False) -> Any:
    """Compute torch.kthvalue."""
    import torch

    if input.dim() == 0:
        return torch.kthvalue(input, k, dim, keepdim)
    torch._check(input.shape[dim] >= k)  # type: ignore[no-untyped-call] # torch has no types
    return torch.return_types.kthvalue(_at(input, k - 1, dim, keepdim=keepdim))


def cumprod(input: torch.Tensor, dim: int, *, dtype: torch.dtype | None = None) -> torch.Tensor:
    """Compute torch.cumprod: twice as many factors at each step, or all at once if the length is free."""
    import torch

    if input.dim() == 0 or not isinstance(dim, int) or input.is_complex():
        return torch.cumprod(input, dim, dtype=dtype)
    found = input.to(dtype or (input.dtype if input.is_floating_point() else torch.int64)).movedim(dim, -1)
    length = found.shape[-1]
    if isinstance(length, int):
        done = 1
        while done < length:
            found = torch.cat((found[..., :done], found[..., done:] * found[..., :-done]), -1)
            done *= 2
    else:
        is_before = torch.ones(length, length, dtype=torch.bool).tril()
        found = torch.where(is_before, found.unsqueeze(-2), torch.ones_like(found).unsqueeze(-2)).prod(-1)
    return found.movedim(-1, dim)


def take_along_dim(input: torch.Tensor, indices: torch.Tensor, dim: int | None = None) -> torch.Tensor:
    """Compute torch.take_along_dim."""
    import torch

    if dim is None or input.dim() != indices.dim():
        return torch.take_along_dim(input, indices, dim)
    axis = dim % input.dim()
    pairs = list(zip(input.shape, indices.shape, strict=True))
    sizes = [right if isinstance(left, int) and left == 1 else left for left, right in pairs]
    source = input.expand(*sizes[:axis], input.shape[axis], *sizes[axis + 1 :])
    return source.gather(axis, indices.expand(*sizes[:axis], indices.shape[axis], *sizes[axis + 1 :]))
