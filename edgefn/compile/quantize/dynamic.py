"""Dynamic int8: matrix products and LSTMs whose activations' ranges are taken in each run. No calibration.

Written by ONNX Runtime's quantiser; owns what it is asked for.
"""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from edgefn.backends.onnxruntime import import_onnxruntime
from edgefn.compile.quantize.graph.graph import reads
from edgefn.compile.quantize.static.qdq import quiet

if TYPE_CHECKING:
    import onnx

OPERATORS = ("MatMul", "Gemm", "LSTM", "Attention")


def layers(model: onnx.ModelProto) -> list[str]:
    """Return the names of the nodes that can be int8."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return [
        node.name
        for node in model.graph.node
        if node.op_type in OPERATORS and len(node.input) > 1 and node.input[1] in constants
    ]


def written(model: onnx.ModelProto, *, seven_bits: bool) -> onnx.ModelProto:
    """Quantise the matrix products and LSTMs of a copy of `model` to int8.

    `seven_bits` limits the weights to seven bits, so that their products do not saturate.
    """
    import onnx

    import_onnxruntime()
    from onnxruntime.quantization import QuantType, quantize_dynamic

    with tempfile.TemporaryDirectory(prefix="edgefn-dynamic-") as scratch, quiet():
        path = Path(scratch) / "model.onnx"
        quantize_dynamic(
            copy.deepcopy(model),
            path,
            op_types_to_quantize=list(OPERATORS),
            per_channel=True,
            reduce_range=seven_bits,
            weight_type=QuantType.QInt8,
            extra_options={"MatMulConstBOnly": True},
        )
        result = onnx.load(path)
    result.producer_name = result.producer_version = ""
    del result.metadata_props[:]
    return result


def with_float(quantised: onnx.ModelProto, model: onnx.ModelProto, kept: Sequence[str]) -> onnx.ModelProto:
    """Return `quantised` with the nodes named in `kept` as they are in `model`.

    `written` made `quantised` of `model`. The quantiser takes seconds for a vision transformer, and a search for the
    layers that must stay in float asks many times.
    """
    import onnx

    result = onnx.ModelProto()
    result.CopyFrom(quantised)
    given = {name: node for node in model.graph.node if node.name in kept for name in node.output if name}
    nodes: list[onnx.NodeProto] = []
    for node in quantised.graph.node:
        found = [given[name] for name in node.output if name in given]
        nodes += [one for one in found if all(one is not before for before in nodes)] if found else [node]
    nodes = _needed(nodes, [value.name for value in model.graph.output])
    read = {name for node in nodes for name in reads(node)}
    constants = {tensor.name: tensor for tensor in (*quantised.graph.initializer, *model.graph.initializer)}
    del result.graph.node[:], result.graph.initializer[:]
    result.graph.node.extend(nodes)
    result.graph.initializer.extend(tensor for name, tensor in constants.items() if name in read)
    return result


def _needed(nodes: Sequence[onnx.NodeProto], outputs: Sequence[str]) -> list[onnx.NodeProto]:
    """Return the nodes that an output depends on, in their order."""
    wanted, found = set(outputs), []
    for node in reversed(nodes):
        if wanted.intersection(node.output):
            found.append(node)
            wanted.update(reads(node))
    return found[::-1]
