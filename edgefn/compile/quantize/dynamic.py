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
from edgefn.compile.quantize.qdq import quiet

if TYPE_CHECKING:
    import onnx

OPERATORS = ("MatMul", "Gemm", "LSTM", "Attention")


def layers(model: onnx.ModelProto) -> list[str]:
    """The names of the nodes that can be int8."""
    constants = {tensor.name for tensor in model.graph.initializer}
    return [
        node.name
        for node in model.graph.node
        if node.op_type in OPERATORS and len(node.input) > 1 and node.input[1] in constants
    ]


def written(model: onnx.ModelProto, kept: Sequence[str] = (), *, seven_bits: bool) -> onnx.ModelProto:
    """`model` with its matrix products and LSTMs in int8, but for the nodes named in `kept`."""
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
            nodes_to_exclude=[*kept, *(f"{name}_MatMul" for name in kept)],  # what a Gemm becomes there,
            extra_options={"MatMulConstBOnly": True},
        )
        result = onnx.load(path)
    result.producer_name = result.producer_version = ""
    del result.metadata_props[:]
    return result
