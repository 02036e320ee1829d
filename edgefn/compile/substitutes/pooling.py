"""Pooling that torch.export records for one length alone, from operators that it records for any.

avg_pool2d(x, x.shape[2:])    windows as large as the input: the mean, or the largest, along those axes
max_pool1d                    of a free length: a max_pool2d of signals that are one row high
divisor_override              an average times the window's size over the divisor, which the exporter leaves out
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


def replacements() -> dict[Any, Callable[..., Any]]:
    """Return PyTorch's functions, each with its replacement."""
    import torch
    from torch.nn import functional

    averages = (functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)
    largest = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)
    found: dict[Any, Callable[..., Any]] = {
        function: _average(function, rank) for rank, function in enumerate(averages, 1)
    }
    found |= {function: _largest(function, rank) for rank, function in enumerate(largest, 1)}
    return {**found, torch.max_pool1d: found[functional.max_pool1d]}


def _average(function: Callable[..., Any], rank: int) -> Callable[..., Any]:
    """Return a replacement of `function`, an average over windows of the last `rank` axes."""

    def pool(
        input: torch.Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        ceil_mode: bool = False,
        count_include_pad: bool = True,
        divisor_override: int | None = None,
    ) -> Any:
        kernel = _each(kernel_size, rank)
        strides = _strides(stride, kernel, rank)
        if divisor_override is None and (axes := _whole(input, kernel, padding, rank)):
            input, kernel, strides = input.mean(axes, keepdim=True), _ones(kernel, axes), _ones(strides, axes)
        if divisor_override is not None:
            if ceil_mode:
                input, padding = _padded(input, kernel, strides, _each(padding, rank)), 0
            return function(input, kernel, strides, padding) * (math.prod(kernel) / divisor_override)
        return function(input, kernel, strides, padding, ceil_mode, count_include_pad)

    return pool


def _padded(input: torch.Tensor, kernel: list[Any], strides: list[Any], padding: list[Any]) -> torch.Tensor:
    """Pad the last axes with zeros up to the end of the last window that ceil_mode has.

    Each window begins before the end.
    """
    import torch
    from torch.nn import functional

    least: Any = torch.sym_min  # it has no types
    sides: list[Any] = []
    for size, window, step, edge in zip(input.shape[-len(kernel) :], kernel, strides, padding, strict=True):
        count = least(-(-(size + 2 * edge - window) // step) + 1, -(-(size + edge) // step))
        sides = [edge, (count - 1) * step + window - size - edge, *sides]
    return functional.pad(input, sides)


def _largest(function: Callable[..., Any], rank: int) -> Callable[..., Any]:
    """Return a replacement of `function`, the largest of windows of the last `rank` axes."""
    from torch.nn import functional

    def pool(
        input: torch.Tensor,
        kernel_size: Any,
        stride: Any = None,
        padding: Any = 0,
        dilation: Any = 1,
        ceil_mode: bool = False,
        return_indices: bool = False,
    ) -> Any:
        kernel = _each(kernel_size, rank)
        strides = _strides(stride, kernel, rank)
        if not return_indices and (axes := _whole(input, kernel, padding, rank)):
            input, kernel, strides = input.amax(axes, keepdim=True), _ones(kernel, axes), _ones(strides, axes)
        if rank > 1 or return_indices or isinstance(input.shape[-1], int):
            return function(input, kernel, strides, padding, dilation, ceil_mode, return_indices)
        wide = ([first, *_each(one, 1)] for first, one in ((1, kernel), (1, strides), (0, padding), (1, dilation)))
        return functional.max_pool2d(input.unsqueeze(-2), *wide, ceil_mode).squeeze(-2)

    return pool


def _each(value: Any, rank: int) -> list[Any]:
    """Return an option of each axis."""
    values = list(value) if isinstance(value, (list, tuple)) else [value]
    return values * rank if len(values) == 1 else values


def _strides(stride: Any, kernel: list[Any], rank: int) -> list[Any]:
    is_left_out = stride is None or (isinstance(stride, (list, tuple)) and not stride)
    return list(kernel) if is_left_out else _each(stride, rank)


def _whole(input: torch.Tensor, kernel: list[Any], padding: Any, rank: int) -> list[int]:
    """Return the axes, from the last, along which a window is as large as the input, and both are free."""
    import torch
    from torch.fx.experimental.symbolic_shapes import statically_known_true

    return [
        axis - rank
        for axis, (size, more) in enumerate(zip(kernel, _each(padding, rank), strict=True))
        if isinstance(size, torch.SymInt) and more == 0 and statically_known_true(size == input.shape[axis - rank])
    ]


def _ones(options: list[Any], axes: list[int]) -> list[Any]:
    """Return the options with 1 for each of `axes`, along which nothing is left to pool."""
    return [1 if place - len(options) in axes else one for place, one in enumerate(options)]
