"""Arithmetic of 8 and 16 bits for openvino: it saturates, 200 + 100 is 255, where PyTorch wraps, 44.

    x + y of uint8        computed in int32, its lowest 8 bits kept
    x.to(torch.uint8)     of a number of another type, the same

Runs on the build machine only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from edgefn.compile.lower.rewriting import steps

if TYPE_CHECKING:
    import onnx

INT32, BOOL = 6, 9
BITS = {2: 8, 3: 8, 4: 16, 5: 16}
"""ONNX's numbers of uint8, int8, uint16, int16 (https://onnx.ai/onnx/api/mapping.html), and their bits."""
SIGNED = (3, 5)

ARITHMETIC = {"Add", "Sub", "Mul", "Div", "Mod", "Neg", "Abs", "Pow", "Sum", "ReduceSum", "ReduceProd", "CumSum"}

BITWISE_OPSET = 18
"""The first that has BitwiseAnd."""


def rewrite(model: onnx.ModelProto) -> bool:
    """Rewrite `model` where it computes in 8 or 16 bits.

    Return True when it does, and has an opset that can be used.
    """
    opset = next((one.version for one in model.opset_import if not one.domain), 0)
    if opset < BITWISE_OPSET:
        return False
    types = steps.types(model)
    return steps.replace(model.graph, lambda node: _wrapped(node, types) if _may_wrap(node, types) else None)


def _may_wrap(node: onnx.NodeProto, types: Mapping[str, int]) -> bool:
    result = types.get(node.output[0]) if node.output else None
    if result not in BITS:
        return False
    if node.op_type == "Cast":
        return types.get(node.input[0]) not in (result, BOOL)
    return node.op_type in ARITHMETIC


def _wrapped(node: onnx.NodeProto, types: Mapping[str, int]) -> Iterator[onnx.NodeProto]:
    """Yield the step in int32, and what brings its result back to the type's range."""
    from onnx import NodeProto, helper

    (result,) = node.output
    kind = types[result]
    wide = NodeProto()
    wide.CopyFrom(node)
    wide.output[0] = f"{result}_wide"
    if node.op_type == "Cast":
        del wide.attribute[:]
        wide.attribute.append(helper.make_attribute("to", INT32))
    for place, name in enumerate(node.input):
        if node.op_type != "Cast" and types.get(name) in BITS:
            wide.input[place] = f"{result}_wide_{place}"
            yield helper.make_node("Cast", [name], [wide.input[place]], to=INT32)
    yield wide
    yield from _lowest_bits(wide.output[0], result, kind)


def _lowest_bits(wide: str, result: str, kind: int) -> Iterator[onnx.NodeProto]:
    """Yield what keeps the lowest bits of `wide`; signed numbers are moved above 0 meanwhile."""
    from onnx import helper

    half = 2 ** (BITS[kind] - 1)
    for name, number in ((f"{result}_half", half), (f"{result}_bits", 2 * half - 1)):
        yield steps.scalar(name, number, INT32)
    kept = f"{result}_kept"
    if kind not in SIGNED:
        yield helper.make_node("BitwiseAnd", [wide, f"{result}_bits"], [kept])
    else:
        yield helper.make_node("Add", [wide, f"{result}_half"], [f"{result}_moved"])
        yield helper.make_node("BitwiseAnd", [f"{result}_moved", f"{result}_bits"], [f"{result}_low"])
        yield helper.make_node("Sub", [f"{result}_low", f"{result}_half"], [kept])
    yield helper.make_node("Cast", [kept], [result], to=kind)
