"""Steps that are put before a node of an exported network, or in its place. Owns their names and types, never which."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx_ir as ir


class NodeSteps:
    """Steps that are put before a node, or in its place; made in the order in which they run."""

    def __init__(self, node: ir.Node) -> None:
        self._node = node
        self._made: list[ir.Node] = []

    def add(self, kind: str, inputs: Sequence[ir.Value | None], **attributes: Any) -> ir.Value:
        """Make a step, and return its output."""
        import onnx_ir as ir

        output = ir.Value(name=f"{self._node.outputs[0].name}_{kind.lower()}_{len(self._made)}")
        self._made.append(ir.node(kind, inputs, attributes or None, outputs=[output], name=f"node_{output.name}"))
        return output

    def whole(self, numbers: Any) -> ir.Value:
        """Make a row of whole numbers."""
        import numpy as np
        import onnx_ir as ir

        return self.add("Constant", [], value=ir.tensor(np.array([*numbers], np.int64)))

    def cast(self, value: ir.Value | None, dtype: int) -> ir.Value:
        """Make a step that casts `value` to one of ONNX's types, and return its output."""
        import onnx_ir as ir

        made = self.add("Cast", [value], to=dtype)
        made.dtype = ir.DataType(dtype)
        return made

    def insert(self) -> None:
        """Put the steps before the node."""
        graph: Any = self._node.graph
        graph.insert_before(self._node, self._made)

    def replace(self, last: ir.Value) -> None:
        """Put the steps, which end with `last`, in the node's place."""
        (old,) = self._node.outputs
        graph: Any = self._node.graph
        self.insert()
        last.name, last.type, last.shape = old.name, old.type, old.shape
        old.replace_all_uses_with(last, replace_graph_outputs=True)
        graph.remove(self._node, safe=True)
