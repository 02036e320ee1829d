"""Sums and maxima of whole numbers for openvino: it computes a step behind one together with it, and wrongly.

    mask.sum(-1) - 1    of [17, 8, 9] truth values is wrong from the 65th sum on

Another step between the two keeps them apart, one that changes nothing. Runs on the build machine only.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from edgefn.compile.lower.rewriting import steps

if TYPE_CHECKING:
    import onnx

WHOLE = {2, 3, 4, 5, 6, 7, 12, 13}
"""ONNX's numbers of the types (https://onnx.ai/onnx/api/mapping.html)."""


def rewrite(model: onnx.ModelProto) -> bool:
    """Rewrite `model` where it reduces whole numbers; return whether it does."""
    import onnx

    values = onnx.shape_inference.infer_shapes(model).graph
    types = {one.name: one.type.tensor_type for one in (*values.output, *values.value_info)}
    whole = {name for name, kind in types.items() if kind.elem_type in WHOLE and not _is_one(kind)}
    return steps.replace(model.graph, lambda node: _apart(node) if _is_affected(node, whole) else None)


def _is_one(kind: onnx.TypeProto.Tensor) -> bool:
    """Return whether such a tensor is known to be one number."""
    return kind.HasField("shape") and not kind.shape.dim


def _is_affected(node: onnx.NodeProto, whole: set[str]) -> bool:
    return node.op_type.startswith("Reduce") and node.output[0] in whole


def _apart(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    """Yield `node` and the larger one of its answer and itself: of two reads, openvino joins no step to it."""
    from onnx import NodeProto, helper

    (result,) = node.output
    reduced = NodeProto()
    reduced.CopyFrom(node)
    reduced.output[0] = f"{result}_reduced"
    yield reduced
    yield helper.make_node("Max", [reduced.output[0]] * 2, [result])
