"""The quantised file: ONNX with QuantizeLinear and DequantizeLinear around its layers, as ONNX Runtime's quantiser
writes it and as ONNX Runtime and OpenVINO both read it at full int8 speed.

Owns what is handed to the quantiser; never decides a range or a weight.
"""

from __future__ import annotations

import copy
import logging
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from edgefn.backends.onnxruntime import import_onnxruntime
from edgefn.compile.quantize.graph.graph import Graph

if TYPE_CHECKING:
    import onnx

    from edgefn.compile.quantize.static.compensation import Rounded
    from edgefn.compile.quantize.static.ranges import ValueRange

OPERATORS = (
    *("Conv", "Gemm", "MatMul", "Add", "Mul", "Relu", "Clip", "LeakyRelu", "Sigmoid"),
    *("MaxPool", "AveragePool", "GlobalAveragePool", "Concat", "Resize", "Pad", "Split"),
    *("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"),
)
"""What has an integer form in ONNX Runtime, beside the layers with weights: a float operator between two layers costs
two conversions."""


def written(
    model: onnx.ModelProto, ranges: Mapping[str, ValueRange], layers: Mapping[str, Rounded], kept: Sequence[str] = ()
) -> onnx.ModelProto:
    """Make the layers of a copy of `model` int8; layers and other nodes named in `kept` stay in float.

    `layers` are by the name of the node. Their weights and biases replace the model's.
    """
    import_onnxruntime()
    from onnxruntime.quantization.calibrate import CalibrationMethod, TensorsData
    from onnxruntime.quantization.qdq_quantizer import QDQQuantizer
    from onnxruntime.quantization.quant_utils import QuantType

    graph = Graph(copy.deepcopy(model))
    overrides = _overrides(graph, {name: one for name, one in layers.items() if name not in kept})
    spans = {name: (np.float32(one.low), np.float32(one.high)) for name, one in ranges.items()}
    with quiet():
        quantizer = QDQQuantizer(
            graph.model,
            per_channel=True,
            reduce_range=False,
            weight_qType=QuantType.QInt8,
            activation_qType=QuantType.QUInt8,
            tensors_range=TensorsData(CalibrationMethod.MinMax, spans),
            nodes_to_quantize=[],
            nodes_to_exclude=list(kept),
            op_types_to_quantize=list(OPERATORS),
            extra_options={"TensorQuantOverrides": overrides, "QDQDisableWeightAdjustForInt32Bias": True},
        )
        quantizer.quantize_model()
    quantizer.model.topological_sort()
    result = quantizer.model.model
    _free_sums(result, set(kept))
    del result.metadata_props[:]
    result.producer_name = result.producer_version = ""
    return result  # type: ignore[no-any-return]


def _free_sums(model: onnx.ModelProto, floating: set[str]) -> None:
    """Remove the eight-bit rounding of matrix products whose output no integer operator reads.

    Such a product gives its sums themselves: no range clips a score.
    """
    made_by = {name: node for node in model.graph.node for name in node.output}
    readers: dict[str, list[str]] = defaultdict(list)
    for node in model.graph.node:
        for name in node.input:
            readers[name].append(node.name)
    for back in [node for node in model.graph.node if node.op_type == "DequantizeLinear"]:
        there = made_by.get(back.input[0])
        layer = made_by.get(there.input[0]) if there is not None else None
        if there is None or layer is None or layer.op_type not in ("Gemm", "MatMul"):
            continue
        alone = len(readers[layer.output[0]]) == len(readers[there.output[0]]) == 1
        if alone and floating.issuperset(readers[back.output[0]]):
            layer.output[0] = back.output[0]
            model.graph.node.remove(there)
            model.graph.node.remove(back)


def quantised_tensors(model: onnx.ModelProto) -> set[str]:
    """Return the names of the activations that the file has in eight bits."""
    constants = {tensor.name for tensor in model.graph.initializer}
    quantised = {node.input[0] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    return quantised - constants


def _overrides(graph: Graph, layers: Mapping[str, Rounded]) -> dict[str, list[dict[str, Any]]]:
    """Put the layers' rounded weights and biases into the graph, and return the scales of the weights."""
    from onnxruntime.quantization.quant_utils import QuantType

    found: dict[str, list[dict[str, Any]]] = {}
    for layer in graph.layers:
        if layer.name not in layers:
            continue
        rounded, shape = layers[layer.name], graph.constants[layer.weight].shape
        graph.set_constant(layer.weight, layer.form.weight(rounded.rows, shape))
        if layer.bias:
            graph.set_constant(layer.bias, rounded.bias)
        axis = {"axis": layer.form.axis} if layer.kind != "MatMul" else {"axis": len(shape) - 1}
        found[layer.weight] = [
            {"quant_type": QuantType.QInt8, "scale": np.float32(scale), "zero_point": np.int8(0)} | axis
            for scale in rounded.scale
        ]
    return found


@contextmanager
def quiet() -> Iterator[None]:
    """Suppress the quantiser's advice, which it logs to the root logger, within the block."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
