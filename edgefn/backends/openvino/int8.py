"""int8: the quantised ONNX that `edgefn.compile.quantize` makes, each form judged by openvino itself.

Runs on the build machine only. Why not by NNCF: docs/decisions/openvino.md.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgefn.backends.openvino.session import Runner, compiled, read
from edgefn.compile.quantize import gate, int8
from edgefn.compile.quantize.engine import Engine

if TYPE_CHECKING:
    import onnx

    from edgefn.backends.backend import Captured
    from edgefn.compile.quantize.int8 import Made
    from edgefn.targets.profiles import Target

EIGHT_BITS = ("i8", "u8")
WEIGHTED = ("Convolution", "Deconvolution", "FullyConnected", "MatMul")
"""Layers of the CPU plug-in that multiply by weights."""


def made(captured: Captured, target: Target, model: onnx.ModelProto) -> tuple[Made, dict[str, int]]:
    """`model` in int8, and its int8 operators by type.

    Raises as `edgefn.compile.quantize.int8.made`, and GateError where openvino does not run them in eight bits.
    """
    found = int8.made(captured, target, model, ENGINE)
    counted = gate.in_file(found.model)
    gate.integers(counted, in_engine(_read(found.model)), f"{target} of model {captured.model.name}")
    return found, counted


def in_engine(model: Any) -> dict[str, int]:
    """The layers with weights that the compiled model runs in eight bits, by type, as the engine tells."""
    found: Counter[str] = Counter()
    for node in compiled(model).get_runtime_model().get_ops():
        told = {key: str(getattr(value, "value", value)) for key, value in node.get_rt_info().items()}
        if told.get("layerType") in WEIGHTED and told.get("runtimePrecision") in EIGHT_BITS:
            found[told["layerType"]] += 1
    return dict(found)


def _opened(model: onnx.ModelProto, entries: Mapping[str, str]) -> Runner:
    return Runner(compiled(_read(model)))


def _read(model: onnx.ModelProto) -> Any:
    import onnx

    with tempfile.TemporaryDirectory(prefix="edgefn-openvino-") as scratch:
        path = Path(scratch) / "model.onnx"
        onnx.save(model, path)
        return read(path)


ENGINE = Engine(_opened, exact=None, dynamic=False)
