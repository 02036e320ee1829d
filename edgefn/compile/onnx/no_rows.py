"""Recurrent layers of an ONNX graph, of no row: ONNX Runtime ends its process there, so the file refuses it before.

The state that a layer begins with reads a place that is not there, where there is nothing to go through.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx_ir as ir

NOWHERE = 2**31 - 1
"""A place that no tensor has."""

_STATE = 5
"""Which input of a layer is the state that it begins with; its first is what it goes through."""


def refuse_nothing(model: ir.Model) -> None:
    """Rewrite the recurrent layers of `model` whose rows or steps may be none."""
    for node in list(model.graph):
        value = node.inputs[0] if node.op_type in ("GRU", "LSTM", "RNN") else None
        if value is None or (value.shape is not None and all(isinstance(size, int) for size in value.shape)):
            continue
        place = _STATE if len(node.inputs) > _STATE and node.inputs[_STATE] is not None else 0
        _guard(node, value, place)


def _guard(node: ir.Node, value: ir.Value, place: int) -> None:
    import numpy as np
    import onnx_ir as ir

    made: list[ir.Node] = []
    guarded: Any = node.inputs[place]

    def add(kind: str, inputs: list[ir.Value], **attributes: Any) -> ir.Value:
        output = ir.Value(name=f"{node.outputs[0].name}_{kind.lower()}_{len(made)}")
        made.append(ir.node(kind, inputs, attributes or None, outputs=[output], name=f"node_{output.name}"))
        return output

    def number(one: Any) -> ir.Value:
        return add("Constant", [], value=ir.tensor(one))

    is_none = add("Equal", [add("Size", [value]), number(np.int64(0))])
    index = add("Mul", [add("Cast", [is_none], to=7), number(np.int64(NOWHERE))])
    nothing = add("CastLike", [add("Gather", [number(np.zeros(1, np.float32)), index]), guarded])
    checked = add("Add", [guarded, nothing])
    checked.type, checked.shape = guarded.type, guarded.shape
    graph: Any = node.graph
    graph.insert_before(node, made)
    node.replace_input_with(place, checked)
