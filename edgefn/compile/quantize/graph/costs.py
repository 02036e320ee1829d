"""What a network's layers cost, in weights and in multiplications of a run, and what share of both is in eight bits.

The shapes are those of a real run. An embedding is no layer here: it multiplies nothing.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from edgefn.backends.onnxruntime import PROVIDER, import_onnxruntime
from edgefn.compile.quantize.graph.graph import DOMAINS, Graph

if TYPE_CHECKING:
    import numpy as np
    import onnx
    from numpy.typing import NDArray

RECURRENT = ("LSTM", "GRU", "RNN")
MULTIPLIED = ("Conv", "ConvTranspose", "Gemm", "MatMul", *RECURRENT)
"""Operators of ONNX that multiply matrices."""


class Cost(NamedTuple):
    """The weights of one node, and its multiplications in a run."""

    weights: int
    operations: int


class Share(NamedTuple):
    """The share of a network's weights, and of its multiplications, that is in eight bits: 0 to 1."""

    weights: float
    operations: float

    @property
    def rounded(self) -> dict[str, float]:
        """Return the shares for a report, rounded to four decimals."""
        return {"operations": round(self.operations, 4), "weights": round(self.weights, 4)}


def measured(model: onnx.ModelProto, inputs: Mapping[str, NDArray[Any]]) -> dict[str, Cost]:
    """Measure the cost of each node of the float `model` that multiplies, by the node's name.

    The cost is that of a run on `inputs`.
    """
    graph = Graph(model)
    nodes = [node for node in graph.nodes if _multiplies(node)]
    sizes = _shapes(model, [name for node in nodes for name in (*node.input, node.output[0])], inputs)
    return {node.name: _cost(node, graph, sizes) for node in nodes}


def share(written: onnx.ModelProto, costs: Mapping[str, Cost]) -> Share:
    """Return the share of a quantised file that is in eight bits.

    The file's float nodes have the names that they have in `costs`.
    """
    graph = Graph(written)
    made_by = {name: node for node in graph.nodes for name in node.output}
    floating = [node.name for node in graph.nodes if _multiplies(node) and not eight_bits(node, made_by)]
    return left(costs, [name.removesuffix("_MatMul") for name in floating])  # what a Gemm becomes, where dynamic


def left(costs: Mapping[str, Cost], kept: Sequence[str]) -> Share:
    """Return the share that remains in eight bits when the nodes named in `kept` are in float."""
    total, lost = _sum(list(costs.values())), _sum([costs[name] for name in set(kept) if name in costs])
    return Share(*(1 - b / a if a else 0.0 for a, b in zip(total, lost, strict=True)))


def eight_bits(node: onnx.NodeProto, made_by: Mapping[str, onnx.NodeProto]) -> bool:
    """Tell whether both factors of the node come through DequantizeLinear."""
    return all(name in made_by and made_by[name].op_type == "DequantizeLinear" for name in node.input[:2])


def _multiplies(node: onnx.NodeProto) -> bool:
    return node.op_type in MULTIPLIED and node.domain in DOMAINS


def _sum(costs: Sequence[Cost]) -> Cost:
    return Cost(*(sum(column) for column in zip(*costs, strict=True))) if costs else Cost(0, 0)


def _cost(node: onnx.NodeProto, graph: Graph, sizes: Mapping[str, tuple[int, ...]]) -> Cost:
    held = sum(graph.constants[name].size for name in node.input[1:3] if name in graph.constants)
    weights = graph.constants[node.input[1]].size if node.input[1] in graph.constants else 0
    made, read = sizes.get(node.output[0], ()), sizes.get(node.input[0], ())
    match node.op_type:
        case "Conv":
            return Cost(weights, math.prod((made[0], *made[2:])) * weights if made else 0)
        case "ConvTranspose":
            return Cost(weights, math.prod((read[0], *read[2:])) * weights if read else 0)
        case "Gemm" | "MatMul":
            return Cost(weights, math.prod(made) * read[-1] if made and read else 0)
        case _:  # the recurrent ones: [steps, batch, …] by W and R
            return Cost(held, math.prod(read[:2]) * held)


def _shapes(
    model: onnx.ModelProto, names: Sequence[str], inputs: Mapping[str, NDArray[np.generic]]
) -> dict[str, tuple[int, ...]]:
    """Run `model` on `inputs`, and return the shapes of the named tensors.

    The shapes of all constants and inputs are included.
    """
    import onnx

    graph = Graph(model)
    sizes = {name: value.shape for name, value in (*graph.constants.items(), *inputs.items())}
    made = {name for node in graph.nodes for name in node.output}
    wanted = [name for name in dict.fromkeys(names) if name in made]
    with_all = onnx.ModelProto.FromString(model.SerializeToString())
    known = set(graph.outputs)
    with_all.graph.output.extend(onnx.ValueInfoProto(name=name) for name in wanted if name not in known)
    ort = import_onnxruntime()
    options = ort.SessionOptions()
    options.log_severity_level, options.intra_op_num_threads = 4, 1
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    session = ort.InferenceSession(with_all.SerializeToString(), options, providers=[PROVIDER])
    found = session.run(wanted, dict(inputs)) if wanted else []
    return sizes | {name: value.shape for name, value in zip(wanted, found, strict=True)}
