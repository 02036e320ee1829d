"""The softplus for openvino and MNN, whose own are off by a tenth at -14, and below 0 or 0 further on.

A scale that is one (`F.softplus(raw)`) is divided by, and its logarithm and root are taken: that was infinity or NaN.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx


def convert(path: Path) -> None:
    """Rewrite the file at `path` where it has a softplus."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    nodes = list(model.graph.node)
    if all(node.op_type != "Softplus" for node in nodes):
        return
    del model.graph.node[:]
    for node in nodes:
        model.graph.node.extend(_exact(node) if node.op_type == "Softplus" else [node])
    onnx.save(model, path)


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
