"""Indices as ONNX takes them: of int64, where PyTorch takes int32 too; and values no larger than their indices.

    x[i, j], index_put, index_add    GatherND and ScatterND take int64 alone; torch decomposes unfold_backward to int32
    scatter, scatter_add             take a source that is larger than the indices; ONNX does not

Translations from the exporter's own, called with what they are right for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

INT32, INT64 = 6, 7
"""ONNX's numbers of the types (https://onnx.ai/onnx/api/mapping.html)."""


def index(self: Any, indices: Sequence[Any]) -> Any:
    """Translate `self[indices]`."""
    return _exporters().aten_index(self, _wide(indices))


def index_put(self: Any, indices: Sequence[Any], values: Any, accumulate: bool = False) -> Any:
    """Translate `self[indices] = values`, or `+=`."""
    return _exporters().aten_index_put(self, _wide(indices), values, accumulate)


def scatter(self: Any, dim: int, index: Any, src: Any) -> Any:
    """Translate `self.scatter(dim, index, src)`."""
    return _exporters().aten_scatter_src(self, dim, index, _part(src, index))


def scatter_add(self: Any, dim: int, index: Any, src: Any) -> Any:
    """Translate `self.scatter_add(dim, index, src)`."""
    return _exporters().aten_scatter_add(self, dim, index, _part(src, index))


def _wide(indices: Sequence[Any]) -> list[Any]:
    return [_cast(one) if one is not None and one.dtype == INT32 else one for one in indices]


def _cast(index: Any) -> Any:
    op = _operators()

    return _known(op.Cast(index, to=INT64), index.shape, INT64)


def _part(source: Any, index: Any) -> Any:
    """Return the part of `source` that `index` has places for: its beginning along each axis."""
    op = _operators()

    rank = len(index.shape)
    if rank == 0 or source.shape == index.shape:
        return source
    part = op.Slice(source, [0] * rank, op.Shape(index), list(range(rank)))
    return _known(part, index.shape, source.dtype)


def _known(value: Any, shape: Any, dtype: int) -> Any:
    """Write down the shape and the type of a new value: the exporter's translations ask for them."""
    from onnx_ir import DataType

    value.shape, value.dtype = shape, DataType(dtype)
    return value


def _exporters() -> Any:
    from onnxscript.function_libs.torch_lib.ops import core

    return core


def _operators() -> Any:
    from onnxscript.onnx_opset import opset18

    return opset18
