"""ONNX's operators, of the opset that the exporter writes."""

from __future__ import annotations

from typing import Any


def operators() -> Any:
    """Return the operators of opset 18, as functions (https://onnx.ai/onnx/operators/)."""
    from onnxscript.onnx_opset import opset18

    return opset18
