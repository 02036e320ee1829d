"""Values of an ONNX graph: each has a name of its own, each constant is in the graph.

The exporter names values as steps of the program ("add", "mean"), which an input may be called, too; loops inside have
an input "i". Its optimiser loses the bounds of a tensor that is clamped twice. Changes names and constants alone.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import onnx_ir as ir


def settle(model: ir.Model) -> None:
    """Give each value of `model` a unique name; inputs and outputs keep theirs. Add constants left out."""
    public = [*model.graph.inputs, *model.graph.outputs]
    _add_constants(model.graph)
    _name(model.graph, {value.name for value in public if value.name}, kept=set(map(id, public)))


def _add_constants(graph: Any) -> None:
    """Make an initializer of each constant that a node reads and that no graph holds."""
    for node in graph.all_nodes():
        for value in node.inputs:
            if value is None or value.producer() is not None or value.is_graph_input() or value.is_initializer():
                continue
            if value.const_value is not None:
                _rename(value, set(graph.initializers))
                graph.register_initializer(value)


def _name(graph: Any, taken: set[str], kept: set[int]) -> None:
    """Rename what is called as something that is `taken`, here and in the graphs inside."""
    own = set(taken)
    for value in _values(graph):
        if value.name and id(value) not in kept:
            _rename(value, own)
            own.add(value.name)
    for inner in _inner(graph):
        _name(inner, own, kept)


def _rename(value: ir.Value, taken: set[str]) -> None:
    """Give `value` the first of its name, name_0, name_1 … that is not `taken`."""
    free = (name for number in itertools.count() if (name := f"{value.name}_{number}") not in taken)
    if value.name in taken:
        value.name = next(free)


def _values(graph: Any) -> Iterator[ir.Value]:
    yield from graph.inputs
    yield from list(graph.initializers.values())
    for node in graph:
        yield from node.outputs


def _inner(graph: Any) -> Iterator[Any]:
    import onnx_ir as ir

    for node in graph:
        for attribute in node.attributes.values():
            if attribute.type == ir.AttributeType.GRAPH:
                yield attribute.as_graph()
            elif attribute.type == ir.AttributeType.GRAPHS:
                yield from attribute.as_graphs()
