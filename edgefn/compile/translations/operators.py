"""ONNX's operators, of the opset that the exporter writes, and its numbers."""

from __future__ import annotations

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

    found = operators().Constant(value=tensor(value, dtype=DataType(dtype)))
    found.dtype = DataType(dtype)  # translations ask for it
    return found
