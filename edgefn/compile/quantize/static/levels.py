"""The step of the quantiser that a file's outputs come through, read from the file alone.

A slice whose range is a few of those steps has lost its answer, whatever was measured on the samples at hand.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgefn.backends import output_names

if TYPE_CHECKING:
    import onnx

MOVES = {"Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten", "Identity", "Slice", "Cast"}
"""Operators that change no value."""


def steps(path: Path) -> dict[str, float]:
    """Return the step of the quantiser behind each output of the ONNX file at `path`.

    There is none for an output in float.
    """
    import onnx

    return of(onnx.load(path, load_external_data=False))


def of(model: onnx.ModelProto) -> dict[str, float]:
    """Return the same of a model."""
    made = {name: node for node in model.graph.node for name in node.output}
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    inputs = [value.name for value in model.graph.input]
    found = {
        output_names.outside(output.name, inputs): _step(output.name, made, constants) for output in model.graph.output
    }
    return {name: step for name, step in found.items() if step is not None}


def _step(name: str, made: dict[str, onnx.NodeProto], constants: dict[str, onnx.TensorProto]) -> float | None:
    import onnx

    node = made.get(name)
    while node is not None and node.op_type in MOVES:
        node = made.get(node.input[0])
    if node is None or node.op_type != "DequantizeLinear" or node.input[1] not in constants:
        return None
    scale = np.asarray(onnx.numpy_helper.to_array(constants[node.input[1]]))
    return float(scale.max()) if scale.size else None
