"""An ONNX graph as quantisation looks at it: its constants, and the layers that have weights.

Reads and edits `onnx.ModelProto`; runs none but by `single`.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import TYPE_CHECKING, Any, NamedTuple

from edgefn.compile.quantize.graph.single import SingleNodes
from edgefn.compile.quantize.static.weights import Form

if TYPE_CHECKING:
    import numpy as np
    import onnx
    from numpy.typing import NDArray

DOMAINS = ("", "ai.onnx")
"""Of ONNX's own operators."""

WEIGHTED = ("Conv", "Gemm", "MatMul")
"""Operators that static quantisation makes int8 of, where their second input is a constant."""


class Layer(NamedTuple):
    """One operator with constant weights: the names of its tensors; `bias` is empty where it has none."""

    name: str
    kind: str
    source: str
    weight: str
    bias: str
    output: str
    form: Form


class Graph:
    """The graph of `model`; `constants` are its initializers as arrays."""

    def __init__(self, model: onnx.ModelProto) -> None:
        from onnx import numpy_helper

        self.model = model
        self.nodes = list(model.graph.node)
        self.constants: dict[str, NDArray[Any]] = {
            tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer
        }
        self.inputs = [value.name for value in model.graph.input if value.name not in self.constants]
        self.outputs = [value.name for value in model.graph.output]

    @cached_property
    def layers(self) -> list[Layer]:
        """Return the layers with weights, in the order in which they run."""
        return [layer for node in self.nodes if (layer := self._layer(node)) is not None]

    @cached_property
    def single(self) -> SingleNodes:
        """Return an object that runs one node, whatever its operator."""
        return SingleNodes(self.model)

    @cached_property
    def by_name(self) -> dict[str, Layer]:
        """Return the layers by their names."""
        return {layer.name: layer for layer in self.layers}

    def consumers(self, tensor: str) -> list[onnx.NodeProto]:
        """Return the nodes that read `tensor`."""
        return [node for node in self.nodes if tensor in reads(node)]

    def set_constant(self, name: str, value: NDArray[np.generic]) -> None:
        """Set the initializer `name` to `value`, in the model too."""
        from onnx import numpy_helper

        (tensor,) = (tensor for tensor in self.model.graph.initializer if tensor.name == name)
        tensor.CopyFrom(numpy_helper.from_array(value, name))
        self.constants[name] = value

    def add_constant(self, name: str, value: NDArray[np.generic]) -> None:
        """Add the initializer `name` to the model."""
        from onnx import numpy_helper

        self.model.graph.initializer.append(numpy_helper.from_array(value, name))
        self.constants[name] = value

    def _layer(self, node: onnx.NodeProto) -> Layer | None:
        if node.op_type not in WEIGHTED or node.input[1] not in self.constants:
            return None
        bias = node.input[2] if len(node.input) > 2 else ""
        values = attributes(node)
        plain = values.get("alpha", 1.0) == 1.0 and values.get("beta", 1.0) == 1.0 and not values.get("transA", 0)
        weight = self.constants[node.input[1]]
        if not plain or (bias and bias not in self.constants) or weight.dtype != "float32" or weight.ndim < 2:
            return None
        if node.op_type == "MatMul" and weight.ndim > 2:  # a product for each of a batch, with weights of its own
            return None
        form = Form.of(node.op_type, groups=values.get("group", 1), transposed=bool(values.get("transB", 0)))
        return Layer(node.name, node.op_type, node.input[0], node.input[1], bias, node.output[0], form)


def reads(node: onnx.NodeProto) -> list[str]:
    """Return the tensors that `node` reads: its inputs, then what its subgraphs take from around them."""
    return [*node.input, *(name for name in dict.fromkeys(_captured(node)) if name not in node.input)]


def _captured(node: onnx.NodeProto) -> Iterator[str]:
    for attribute in node.attribute:
        for graph in (attribute.g, *attribute.graphs):
            own = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
            for inner in graph.node:
                yield from (name for name in reads(inner) if name and name not in own)
                own.update(inner.output)
            yield from (value.name for value in graph.output if value.name not in own)


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """Return the node's attributes as Python values."""
    from onnx import helper

    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def with_biases(model: onnx.ModelProto) -> onnx.ModelProto:
    """Name each node of `model`, give each Conv and Gemm a bias, and give each layer its own weights.

    Changes `model` in place and returns it. Weights that several layers share are copied.
    """
    import numpy as np

    graph = Graph(model)
    for number, node in enumerate(graph.nodes):
        node.name = node.name or f"{node.op_type}_{number}"
    seen: set[str] = set()
    for layer, node in [(layer, node) for layer in graph.layers for node in graph.nodes if node.name == layer.name]:
        for place, name in enumerate(node.input[1:], 1):
            if name in seen:
                node.input[place] = f"{layer.name}.own.{place}"
                graph.add_constant(node.input[place], graph.constants[name])
            seen.add(name)
        if not layer.bias and layer.kind != "MatMul":
            rows = len(layer.form.rows(graph.constants[layer.weight]))
            graph.add_constant(f"{layer.name}.bias", np.zeros(rows, np.float32))
            del node.input[2:]  # one that is left out may be named by an empty string
            node.input.extend([f"{layer.name}.bias"])
    return model
