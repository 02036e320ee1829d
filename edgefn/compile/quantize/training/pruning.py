"""Structured pruning: channels of least weight are removed, from the layer that makes them to the one that reads them.

The network really shrinks: fewer multiplications and fewer bytes at once, without a kernel for sparse matrices. Where a
channel is read by more than one layer (a residual sum, an output) it stays.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edgefn.compile.quantize.graph.graph import Graph, Layer, attributes, with_biases
from edgefn.errors import BuildError

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

CHANNELWISE = (
    *("Relu", "Clip", "LeakyRelu", "Sigmoid", "Tanh", "Identity"),
    *("MaxPool", "AveragePool", "GlobalAveragePool"),
)
"""Operators that take each channel by itself."""

MIN_CHANNELS = 4
"""Channels that a layer keeps at the least."""


class Pair(NamedTuple):
    """A layer, the only layer that reads its channels, and the depthwise ones and reshapes between them."""

    first: Layer
    second: Layer
    depthwise: tuple[Layer, ...]
    reshapes: tuple[str, ...]


def pruned(model: onnx.ModelProto, share: float, name: str) -> onnx.ModelProto:
    """Remove `share` of the channels of each prunable layer of `model`, in place, and return `model`.

    Raises BuildError if no layer is prunable.
    """
    graph = Graph(with_biases(model))
    found = pairs(graph)
    if not found:
        raise BuildError(
            f"model {name} has no two consecutive layers between which channels can be removed: leave out "
            "Quantize(sparsity=...)"
        )
    for pair in found:
        _remove(graph, pair, share)
    del model.graph.value_info[:]
    return model


def pairs(graph: Graph) -> list[Pair]:
    """Return the layers between which channels can be removed."""
    return [pair for layer in graph.layers if layer.form.groups == 1 and (pair := _pair(graph, layer)) is not None]


def strongest(first: NDArray[Any], second: NDArray[Any], share: float) -> NDArray[np.intp]:
    """Return the channels that stay, in order.

    Their outgoing and incoming weights have the largest product of norms. `first` is [channels, k],
    `second` [out, channels, …].
    """
    incoming = np.sqrt(np.square(second).sum(axis=(0, *range(2, second.ndim))))
    strength = np.sqrt(np.square(first).sum(axis=1)) * incoming
    count = max(min(MIN_CHANNELS, len(first)), len(first) - int(len(first) * share))
    return np.sort(np.argsort(-strength, kind="stable")[:count])


def _pair(graph: Graph, first: Layer) -> Pair | None:
    by_name = {layer.name: layer for layer in graph.layers}
    tensor, depthwise, reshapes = first.output, [], []
    while True:
        readers = graph.consumers(tensor)
        if len(readers) != 1 or tensor in graph.outputs or readers[0].input[0] != tensor:
            return None
        node, layer = readers[0], by_name.get(readers[0].name)
        if layer is None:
            if node.op_type in ("Flatten", "Reshape") and first.kind == "Conv":
                reshapes.append(node.name)
            elif node.op_type not in CHANNELWISE:
                return None
        elif layer.form.depthwise(graph.constants[layer.weight]):
            depthwise.append(layer)
        else:
            fits = layer.form.groups == 1 and "" not in (first.bias, layer.bias) and _flat(graph, reshapes)
            return Pair(first, layer, tuple(depthwise), tuple(reshapes)) if fits else None
        tensor = node.output[0]


def _flat(graph: Graph, reshapes: list[str]) -> bool:
    """Tell whether the reshapes are to [batch, everything], and at most one."""
    nodes = [node for node in graph.nodes if node.name in reshapes]
    flat = all(
        attributes(node).get("axis", 1) == 1
        if node.op_type == "Flatten"
        else node.input[1] in graph.constants and graph.constants[node.input[1]].size == 2
        for node in nodes
    )
    return len(nodes) <= 1 and flat


def _remove(graph: Graph, pair: Pair, share: float) -> None:
    first, second = graph.constants[pair.first.weight], graph.constants[pair.second.weight]
    channels = first.shape[pair.first.form.axis]
    rows = pair.first.form.rows(first)
    inner = np.moveaxis(second, pair.second.form.axis, 0)  # [out, in, …]
    inner = inner.reshape(len(inner), channels, -1)  # several a channel where positions were made a row
    kept = strongest(rows, inner, share)

    graph.set_constant(pair.first.weight, np.take(first, kept, axis=pair.first.form.axis))
    graph.set_constant(pair.first.bias, graph.constants[pair.first.bias][kept])
    for layer in pair.depthwise:
        graph.set_constant(layer.weight, graph.constants[layer.weight][kept])
        if layer.bias:
            graph.set_constant(layer.bias, graph.constants[layer.bias][kept])
        _set_groups(graph, layer.name, len(kept))
    each = second.shape[1 - pair.second.form.axis] // channels
    columns = (kept[:, None] * each + np.arange(each)).reshape(-1)
    graph.set_constant(pair.second.weight, np.take(second, columns, axis=1 - pair.second.form.axis))
    for node in (node for node in graph.nodes if node.name in pair.reshapes and node.op_type == "Reshape"):
        node.input[1] = f"{node.name}.pruned"
        graph.add_constant(node.input[1], np.array([-1, len(columns)], np.int64))


def _set_groups(graph: Graph, name: str, groups: int) -> None:
    (node,) = (node for node in graph.nodes if node.name == name)
    for attribute in node.attribute:
        if attribute.name == "group":
            attribute.i = groups
