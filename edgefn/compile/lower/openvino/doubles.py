"""Quotients of float64 in float32: openvino has no float64, and divides what it summed along an axis wrong.

Of the mean over a free axis (`edgefn.compile.onnx.sums`) the first row of a batch was right and the others were
not.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from edgefn.compile.lower.rewriting import steps

if TYPE_CHECKING:
    import onnx


def rewrite(model: onnx.ModelProto) -> bool:
    """Rewrite `model` where it divides numbers of float64; return whether it does."""
    if all(node.op_type != "Div" for node in model.graph.node):
        return False
    types = steps.types(model)

    def otherwise(node: onnx.NodeProto) -> Iterator[onnx.NodeProto] | None:
        is_wide = node.op_type == "Div" and types.get(node.output[0]) == steps.DOUBLE
        return _in_float32(node) if is_wide else None

    return steps.replace(model.graph, otherwise)


def _in_float32(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    from onnx import helper

    (result,) = node.output
    narrow = [f"{result}_{part}" for part in ("dividend", "divisor", "quotient")]
    for name, made in zip(node.input, narrow, strict=False):
        yield helper.make_node("Cast", [name], [made], to=steps.FLOAT)
    yield helper.make_node("Div", narrow[:2], narrow[2:])
    yield helper.make_node("Cast", narrow[2:], [result], to=steps.DOUBLE)
