"""Numbers of every kind: equal ones, halves, tenths, large and tiny ones, whole ones beyond 2^24."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import torch

    Arrays = list[np.ndarray[Any, Any]]
    Draw = Callable[[Sequence[int]], Any]

SEED = 7


def sweeps(tensors: Sequence[torch.Tensor], shapes: Sequence[Sequence[int]]) -> Iterator[tuple[str, Arrays]]:
    """Yield a name and inputs like `tensors`, of `shapes`, for each kind of number; the same ones each time.

    Whole numbers are the tensors' own, or below their largest where the shape is another: most of them are indices.
    The last two kinds draw them, too.
    """
    source = np.random.default_rng(SEED)
    floats: dict[str, Draw] = {
        "normal": source.standard_normal,
        "equal": lambda shape: source.integers(-3, 4, shape),
        "halves": lambda shape: source.integers(-9, 10, shape) / 2,
        "tenths": lambda shape: source.integers(-30, 31, shape) / 10,
        "large": lambda shape: source.standard_normal(shape) * 50,
        "between 0 and 1": source.random,
        "tiny": lambda shape: source.standard_normal(shape) * 1e-3,
    }
    for name, draw in floats.items():
        yield name, [_like(one, draw(shape), shape, source) for one, shape in zip(tensors, shapes, strict=True)]
    if any(_is_whole(one) for one in tensors):
        for name, most in (("small whole", 5), ("large whole", 20_000_000)):
            pairs = zip(tensors, shapes, strict=True)
            yield name, [_whole(one, shape, most, source) for one, shape in pairs]


def dtype_of(tensor: torch.Tensor) -> str:
    """Return the name of its dtype, as NumPy has it."""
    return str(tensor.dtype).removeprefix("torch.")


def _is_whole(tensor: torch.Tensor) -> bool:
    return not tensor.dtype.is_floating_point and dtype_of(tensor) != "bool"


def _like(tensor: torch.Tensor, drawn: Any, shape: Sequence[int], source: np.random.Generator) -> Any:
    if dtype_of(tensor) == "bool":
        return np.array(source.random(shape) < 0.5)
    if tensor.dtype.is_floating_point:
        return np.array(drawn, dtype=dtype_of(tensor)).reshape(shape)
    if list(tensor.shape) == list(shape):
        return tensor.numpy()
    return np.array(source.integers(0, int(tensor.max()) + 1 if tensor.numel() else 1, shape), dtype=dtype_of(tensor))


def _whole(tensor: torch.Tensor, shape: Sequence[int], most: int, source: np.random.Generator) -> Any:
    if not _is_whole(tensor):
        return _like(tensor, source.standard_normal(shape), shape, source)
    limits = np.iinfo(dtype_of(tensor))
    low, high = max(-most, limits.min), min(most, limits.max)
    return np.array(source.integers(low, high, shape, endpoint=True), dtype=dtype_of(tensor))
