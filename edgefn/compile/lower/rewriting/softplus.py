"""The softplus for openvino and MNN, whose own are off by a tenth at -14, and below 0 or 0 further on.

A scale that is one (`F.softplus(raw)`) is divided by, and its logarithm and root are taken: that was infinity or NaN.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from edgefn.compile.lower.rewriting import steps

if TYPE_CHECKING:
    import onnx


def rewrite(model: onnx.ModelProto) -> bool:
    """Rewrite `model` where it has a softplus; return whether it has."""
    return steps.replace(model.graph, lambda node: _exact(node) if node.op_type == "Softplus" else None)


def _exact(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    """Yield max(x, 0) + log(1 + e), with e = 1 / exp(|x|).

    Not e = exp(-|x|), of which openvino would make a softplus again. What 1 + e loses is made good as in
    `edgefn.compile.translations.logarithms`.
    """
    from onnx import NodeProto, helper

    (value,), (result,) = node.input, node.output

    def name(part: str) -> str:
        return f"{result}_{part}"

    def step(kind: str, *inputs: str) -> NodeProto:
        *parts, made = inputs
        return helper.make_node(kind, parts, [made])

    for part, number in (("nought", 0.0), ("unit", 1.0)):
        yield helper.make_node("Constant", [], [name(f"{part}_float")], value_float=number)
        yield step("CastLike", name(f"{part}_float"), value, name(part))
    yield step("Abs", value, name("far"))
    yield step("Exp", name("far"), name("grown"))
    yield step("Div", name("unit"), name("grown"), name("small"))
    yield step("Add", name("small"), name("unit"), name("above"))
    yield step("Sub", name("above"), name("unit"), name("kept"))
    yield step("Equal", name("kept"), name("nought"), name("lost"))
    yield step("Where", name("lost"), name("unit"), name("kept"), name("divisor"))
    yield step("Log", name("above"), name("log"))
    yield step("Div", name("small"), name("divisor"), name("share"))
    yield step("Mul", name("log"), name("share"), name("near"))
    yield step("Where", name("lost"), name("small"), name("near"), name("tail"))
    yield step("Max", value, name("nought"), name("rest"))
    yield step("Add", name("rest"), name("tail"), result)
