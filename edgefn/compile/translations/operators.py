"""ONNX's operators, of the opset that the exporter writes, and its numbers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

FLOAT, DOUBLE = 1, 11
HALVES = (10, 16)
"""ONNX's numbers of the types (https://onnx.ai/onnx/api/mapping.html)."""


def operators() -> Any:
    """Return the operators of opset 18, as functions (https://onnx.ai/onnx/operators/)."""
    from onnxscript.onnx_opset import opset18

    return opset18


def constant(value: float, dtype: Any) -> Any:
    """Return a number of one of ONNX's types, to its last digit."""
    from onnx_ir import DataType, tensor

    return known(operators().Constant(value=tensor(value, dtype=DataType(dtype))), dtype)


def known(value: Any, dtype: int, shape: Any = None) -> Any:
    """Write down the type of a new value, and its shape where it is known.

    The exporter's translations ask for them.
    """
    from onnx_ir import DataType

    value.dtype = DataType(dtype)
    if shape is not None:
        value.shape = shape
    return value


def with_last(value: Any, rank: int, axis: int, translation: Callable[[Any], Any]) -> Any:
    """Translate `value` with `axis` turned to the end, and turn it back."""
    op = operators()

    if axis == rank - 1:
        return translation(value)
    order = [*(one for one in range(rank) if one != axis), axis]
    back = [order.index(one) for one in range(rank)]
    return op.Transpose(translation(op.Transpose(value, perm=order)), perm=back)
