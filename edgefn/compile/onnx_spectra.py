"""Inverse transforms of a spectrum to a free length, so that ONNX Runtime runs them.

Its inference of shapes, and the exporter's, take the answer to be as long as the spectrum. It then has the memory of a
step before, and ONNX Runtime fails. So the spectrum is cut to its own length here, one that is not known before the
run, and the shapes that the exporter wrote down are left out. Changes no number.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx_ir as ir


def part_memory(model: ir.Model) -> None:
    """Rewrite the inverse transforms of `model` that are given a length."""
    public = set(map(id, model.graph.outputs))
    for node in list(model.graph):
        inverse: Any = node.attributes.get("inverse")
        if node.op_type == "DFT" and inverse is not None and inverse.as_int() and node.inputs[1] is not None:
            _cut(model.graph, node)
            for value in _affected(node):
                if id(value) not in public:
                    value.shape = None


def _affected(node: ir.Node) -> Iterator[ir.Value]:
    """Yield the answer of `node`, and those of the steps up to the one that takes its real part."""
    waiting, seen = [node], {node}
    while waiting:
        for value in waiting.pop().outputs:
            yield value
            further = {user for user, _ in value.uses() if user.op_type != "Squeeze"} - seen
            seen |= further
            waiting.extend(further)


def _cut(graph: ir.Graph, node: ir.Node) -> None:
    import numpy as np
    import onnx_ir as ir

    spectrum, axis = node.inputs[0], _axis(node)
    if spectrum is None or axis is None:
        return
    made: list[ir.Node] = []

    def add(kind: str, inputs: list[ir.Value], **attributes: Any) -> ir.Value:
        output = ir.Value(name=f"{node.outputs[0].name}_{kind.lower()}_{len(made)}")
        made.append(ir.node(kind, inputs, attributes or None, outputs=[output], name=f"node_{output.name}"))
        return output

    begin = add("Constant", [], value=ir.tensor(np.array([0], np.int64)))
    along = add("Constant", [], value=ir.tensor(np.array([axis], np.int64)))
    end = add("Shape", [spectrum], start=axis, end=axis + 1)
    cut = add("Slice", [spectrum, begin, end, along])
    cut.type = spectrum.type
    graph.insert_before(node, made)
    node.replace_input_with(0, cut)


def _axis(node: ir.Node) -> int | None:
    value = node.inputs[2] if len(node.inputs) > 2 else None
    constant = None if value is None else value.const_value
    return None if constant is None else int(constant.numpy())
