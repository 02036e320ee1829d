"""A network made ready for quantisation: read, constants folded, batch normalisation folded into its convolution.

ONNX Runtime's basic optimisations, which are those that hold on any machine.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from edgefn.backends.onnxruntime import PROVIDER, import_onnxruntime
from edgefn.backends.onnxruntime.session import session_options
from edgefn.errors import BuildError

if TYPE_CHECKING:
    import onnx


def loaded(path: Path, name: str) -> onnx.ModelProto:
    """The captured network's file, for an artifact called `name`. Raises BuildError where it is too large for int8."""
    import onnx

    if path.with_name(f"{path.name}.data").exists():
        raise BuildError(f"{name}: int8 is made of networks of less than 1.5 GiB; build it for a float target")
    return onnx.load(path)


def prepared(model: onnx.ModelProto) -> onnx.ModelProto:
    """`model` optimised as far as its file stays one of standard ONNX for any machine."""
    import onnx

    ort = import_onnxruntime()
    with tempfile.TemporaryDirectory(prefix="edgefn-prepare-") as scratch:
        options = session_options({})
        options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_ENABLE_BASIC
        options.optimized_model_filepath = str(Path(scratch) / "model.onnx")
        ort.InferenceSession(model.SerializeToString(), options, providers=[PROVIDER])
        result = onnx.load(options.optimized_model_filepath)
    used = {node.domain for node in result.graph.node} | {""}
    kept = [one for one in result.opset_import if one.domain in used]
    del result.opset_import[:]
    result.opset_import.extend(kept)
    del result.metadata_props[:]
    return result
