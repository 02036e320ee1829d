"""What ONNX Runtime's own static quantisation makes of a network, without a gate: what ours must not be worse than."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
from onnxruntime.quantization import CalibrationDataReader, QuantFormat, quantize_static
from onnxruntime.quantization.shape_inference import quant_pre_process

from edgefn import golden
from edgefn.accuracy.judge import judge
from edgefn.bundle.config import ModelEntry

Arrays = dict[str, Any]
INTEGER, FLOAT = ("QLinear", "QGemm", "QAttention"), ("Conv", "ConvTranspose", "Gemm", "MatMul", "GRU", "LSTM", "RNN")
LEAST = 0.5
"""Of the weights, in eight bits: with fewer it is a float artifact under another name."""


class Plain:
    """A session of `model`, quantised with its defaults and a scale for each channel of weights."""

    def __init__(self, model: Path, calibration: Sequence[Path], folder: Path) -> None:
        prepared, quantised = folder / "prepared.onnx", folder / "quantised.onnx"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            quant_pre_process(model, prepared, skip_symbolic_shape=True)
            reader = _Reader(calibration)
            quantize_static(prepared, quantised, reader, quant_format=QuantFormat.QDQ, per_channel=True)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        options.optimized_model_filepath = str(folder / "optimised.onnx")
        self._session = onnxruntime.InferenceSession(quantised, options, providers=["CPUExecutionProvider"])
        self.share = _share(folder / "optimised.onnx")
        self._names = [output.name for output in self._session.get_outputs()]

    def run(self, inputs: Mapping[str, Any]) -> Arrays:
        """The outputs by name, in the order of the file."""
        return dict(zip(self._names, self._session.run(None, dict(inputs)), strict=True))


def _share(path: Path) -> float:
    """Return the share of the weights that the engine computes with in eight bits: it has no integer GRU, for one."""
    graph = onnx.load(path).graph
    sizes = {tensor.name: float(np.prod(tensor.dims)) for tensor in graph.initializer}
    whole = rest = 0.0
    for node in graph.node:
        size = max((sizes.get(name, 0.0) for name in node.input), default=0.0)
        if node.op_type.startswith(INTEGER) or "Integer" in node.op_type:
            whole += size
        elif node.op_type.endswith(FLOAT):
            rest += size
    return whole / (whole + rest or 1.0)


def passes(session: Plain, entry: ModelEntry, folder: Path) -> bool:
    """Return whether the build's gate would take it: judged as an int8 artifact by what the bundle in `folder` says.

    By the samples and by other sizes, where those are free. Calibration inputs that a build holds out do not judge, for
    plain quantisation was calibrated on all of them.
    """
    if session.share < LEAST:
        return False
    pairs = golden.load_pairs(folder / "golden" / f"{entry.spec.name}.npz")
    return judge(session, pairs._replace(held_out=(), stress=()), entry.judging, "int8").passed


class _Reader(CalibrationDataReader):  # type: ignore[misc] # onnxruntime has no types
    def __init__(self, files: Sequence[Path]) -> None:
        self._files = iter(files)

    def get_next(self) -> Arrays | None:
        """The next file's inputs; None when there is none."""
        path = next(self._files, None)
        if path is None:
            return None
        with np.load(path) as arrays:
            return {name: arrays[name] for name in arrays.files}
