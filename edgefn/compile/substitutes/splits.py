"""torch.tensor_split into a number of pieces: recorded with the lengths free, piece by piece.

Of n elements in k pieces the first n % k have one more. torch.export takes the example's n % k for good.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def replacements() -> dict[Any, Callable[..., Any]]:
    """Return PyTorch's functions with their replacements."""
    import torch

    return {torch.tensor_split: _split, torch.Tensor.tensor_split: _split}


def _split(input: torch.Tensor, *pieces: Any, **options: Any) -> Any:
    """Split as torch.tensor_split does; a split at given places is left to PyTorch's function."""
    import torch

    named = dict(zip(("indices_or_sections", "dim"), pieces, strict=False)) | options
    count, axis = named.get("indices_or_sections", named.get("sections")), named.get("dim", 0)
    if not isinstance(count, int) or count < 1 or isinstance(length := input.shape[axis], int):
        return torch.tensor_split(input, *pieces, **options)
    least, more = length // count, length % count
    smaller: Callable[[Any, Any], Any] = torch.sym_min
    begins = [number * least + smaller(number, more) for number in range(count + 1)]
    return tuple(input.narrow(axis, begin, end - begin) for begin, end in itertools.pairwise(begins))
