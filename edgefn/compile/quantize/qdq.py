"""The quantised file: ONNX with QuantizeLinear and DequantizeLinear around its layers, as ONNX Runtime's quantiser
writes it and as ONNX Runtime and OpenVINO both read it at full int8 speed.

Owns what is handed to the quantiser; never decides a range or a weight.
"""

from __future__ import annotations

import copy
import logging
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from edgefn.backends.onnxruntime import import_onnxruntime
from edgefn.compile.quantize.graph import Graph

if TYPE_CHECKING:
    import onnx

    from edgefn.compile.quantize.compensation import Rounded
    from edgefn.compile.quantize.ranges import Range

OPERATORS = (
    *("Conv", "Gemm", "MatMul", "Add", "Mul", "Relu", "Clip", "LeakyRelu", "Sigmoid"),
    *("MaxPool", "AveragePool", "GlobalAveragePool", "Concat", "Resize", "Pad", "Split"),
    *("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose"),
)
"""What has an integer form in ONNX Runtime, beside the layers with weights: a float operator between two layers costs
two conversions."""


def written(
    model: onnx.ModelProto, ranges: Mapping[str, Range], layers: Mapping[str, Rounded], kept: Sequence[str] = ()
) -> onnx.ModelProto:
    """`model` with its layers in int8, but for those named in `kept`, which stay in float.

    `layers` are by the name of the node; their weights and biases replace the model's.
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
    _free_outputs(result)
    del result.metadata_props[:]
    result.producer_name = result.producer_version = ""
    return result  # type: ignore[no-any-return]


def _free_outputs(model: onnx.ModelProto) -> None:
    """The network's outputs that a matrix product gives are its sums themselves: no range clips the likeliest score."""
    made_by = {name: node for node in model.graph.node for name in node.output}
    readers = Counter(name for node in model.graph.node for name in node.input)
    for output in (value.name for value in model.graph.output):
        chain = list(_upwards(output, made_by))[:3]
        if [node.op_type for node in chain] not in _ENDS:
            continue
        back, there, layer = chain
        if readers[layer.output[0]] == readers[there.output[0]] == 1:
            layer.output[0] = output
            model.graph.node.remove(there)
            model.graph.node.remove(back)


_ENDS = [["DequantizeLinear", "QuantizeLinear", layer] for layer in ("Gemm", "MatMul")]


def _upwards(tensor: str, made_by: Mapping[str, onnx.NodeProto]) -> Iterator[onnx.NodeProto]:
    """The node that makes `tensor`, the one that makes its first input, and so on."""
    while (node := made_by.get(tensor)) is not None:
        yield node
        tensor = next(iter(node.input), "")


def quantised_tensors(model: onnx.ModelProto) -> set[str]:
    """The activations that the file has in eight bits."""
    constants = {tensor.name for tensor in model.graph.initializer}
    quantised = {node.input[0] for node in model.graph.node if node.op_type == "QuantizeLinear"}
    return quantised - constants


def _overrides(graph: Graph, layers: Mapping[str, Rounded]) -> dict[str, list[dict[str, Any]]]:
    """The scales of the layers' weights; their values are put into the graph."""
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
    """Within, the quantiser's advice (it logs to the root) is not shown."""
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(logging.NOTSET)
