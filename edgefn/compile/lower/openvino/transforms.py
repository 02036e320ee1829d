"""ONNX's STFT for openvino, which converts one of fixed sizes only: a convolution with cosines and sines instead.

Each frame's DFT is a product with a matrix, and the frames begin `step` samples apart: a convolution with that stride.
Runs on the build machine only.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from edgefn.compile.lower.rewriting import steps

if TYPE_CHECKING:
    import numpy as np
    import onnx
    from numpy.typing import NDArray

    from edgefn.spec import ModelSpec

    Constants = Mapping[str, NDArray[np.generic]]


def convert(path: Path, spec: ModelSpec) -> None:
    """Rewrite the file at `path` so that openvino converts it, where it has an STFT of free sizes."""
    if any(isinstance(size, str) for tensor in spec.inputs.values() for size in tensor.shape):
        steps.rewrite(path, _rewrite)


def _rewrite(model: onnx.ModelProto) -> bool:
    """Replace each STFT whose window, step and length of a frame are constant.

    Return whether there is any.
    """
    if all(node.op_type != "STFT" for node in model.graph.node):
        return False
    graph, constants = model.graph, _constants(model.graph)

    def otherwise(node: onnx.NodeProto) -> Iterator[onnx.NodeProto] | None:
        known = node.op_type == "STFT" and all(name in constants for name in node.input[1:])
        return _convolution(graph, node, constants) if known else None

    return steps.replace(graph, otherwise)


def _constants(graph: onnx.GraphProto) -> Constants:
    from onnx import numpy_helper

    return {name: numpy_helper.to_array(value) for name, value in steps.constants(graph).items()}


def _convolution(graph: onnx.GraphProto, node: onnx.NodeProto, constants: Constants) -> Iterator[onnx.NodeProto]:
    """Yield steps from a signal [batch, samples, 1] to the output of `node`, [batch, frames, bins, 2]."""
    import numpy as np
    from onnx import helper, numpy_helper

    signal, step, window, *_ = node.input
    (result,) = node.output
    weights = constants[window]
    onesided = next((one.i for one in node.attribute if one.name == "onesided"), 1)
    kernel = _kernel(weights, bool(onesided)).astype(weights.dtype)
    bins = np.array([0, 2, len(kernel) // 2, -1])
    graph.initializer.append(numpy_helper.from_array(kernel, f"{result}_kernel"))
    graph.initializer.append(numpy_helper.from_array(bins, f"{result}_bins"))
    names = [f"{result}_{part}" for part in ("row", "parts", "split")]
    yield helper.make_node("Transpose", [signal], [names[0]], perm=[0, 2, 1])
    strides = [int(constants[step].item())]
    yield helper.make_node("Conv", [names[0], f"{result}_kernel"], [names[1]], strides=strides)
    yield helper.make_node("Reshape", [names[1], f"{result}_bins"], [names[2]])
    yield helper.make_node("Transpose", [names[2]], [result], perm=[0, 3, 2, 1])


def _kernel(window: NDArray[np.generic], onesided: bool) -> NDArray[np.float64]:
    """Return the DFT times the window as [real parts of the bins and imaginary parts, 1, samples of a frame]."""
    import numpy as np

    size = len(window)
    bins = size // 2 + 1 if onesided else size
    angles = 2 * np.pi / size * (np.outer(np.arange(bins), np.arange(size)) % size)
    return np.concatenate([np.cos(angles), -np.sin(angles)])[:, None] * window.astype(np.float64)
