"""openvino as the engine that int8 files are made for: `edgefn.compile.quantize` makes them, openvino judges each form.

Runs on the build machine only. Why not by NNCF: docs/decisions/openvino.md.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from edgefn.backends.openvino.session import Runner, compiled, read
from edgefn.compile.quantize.engine import Engine

if TYPE_CHECKING:
    import onnx

EIGHT_BITS = ("i8", "u8")
WEIGHTED = ("Convolution", "Deconvolution", "FullyConnected", "MatMul")
"""Layers of the CPU plug-in that multiply by weights."""


def _opened(model: onnx.ModelProto, entries: Mapping[str, str]) -> Runner:
    import onnx

    with tempfile.TemporaryDirectory(prefix="edgefn-openvino-") as scratch:
        path = Path(scratch) / "model.onnx"
        onnx.save(model, path)
        return Runner(compiled(read(path)))


def _integers(path: Path, entries: Mapping[str, str]) -> dict[str, int]:
    """The layers with weights that the compiled model runs in eight bits, by type, as the engine tells."""
    found: Counter[str] = Counter()
    for node in compiled(read(path)).get_runtime_model().get_ops():
        told = {key: str(getattr(value, "value", value)) for key, value in node.get_rt_info().items()}
        if told.get("layerType") in WEIGHTED and told.get("runtimePrecision") in EIGHT_BITS:
            found[told["layerType"]] += 1
    return dict(found)


ENGINE = Engine(_opened, _integers, exact=None, dynamic=False)
