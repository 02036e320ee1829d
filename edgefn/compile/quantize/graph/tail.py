"""The end of a network: what comes after its last layers, and which layers' outputs are its answers. Pure.

Answers stay in float. What joins boxes in pixels and scores from 0 to 1 would give both one step of eight bits, and
costs next to nothing in float, for no layer multiplies there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from edgefn.compile.quantize.graph.graph import reads

if TYPE_CHECKING:
    from edgefn.compile.quantize.graph.graph import Graph, Layer


def nodes(graph: Graph) -> tuple[str, ...]:
    """Return the names of the nodes that no layer reads from, directly or through other nodes."""
    inner: set[str] = set()  # tensors that a layer depends on
    found: list[str] = []
    for node in reversed(graph.nodes):
        if node.name in graph.by_name or inner.intersection(node.output):
            inner.update(name for name in reads(node) if name)
        else:
            found.append(node.name)
    return tuple(reversed(found))


def ends(graph: Graph) -> list[Layer]:
    """Return the layers whose outputs no other layer depends on."""
    last = set(nodes(graph))
    return [layer for layer in graph.layers if all(node.name in last for node in graph.consumers(layer.output))]
