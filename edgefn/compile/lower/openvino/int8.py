"""openvino as an engine for int8 files: `edgefn.compile.quantize` makes them, openvino judges each form.

Runs on the build machine only. Why not by NNCF: docs/decisions/openvino.md.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from edgefn.backends.openvino.session import Runner, compiled, executed, read
from edgefn.compile.lower.openvino import mending
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
        mending.mend(path)
        return Runner(compiled(read(path)))


def _integers(path: Path, entries: Mapping[str, str]) -> dict[str, int]:
    """Count the layers with weights that the compiled model runs in eight bits, by type.

    The engine itself reports them.
    """
    return executed(compiled(read(path)), WEIGHTED, EIGHT_BITS)


ENGINE = Engine(_opened, _integers, exact=None, dynamic=False)
