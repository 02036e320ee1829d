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


TYPES = {"tensor(float)": 1, "tensor(int64)": 7, "tensor(int32)": 6, "tensor(bool)": 9, "tensor(float16)": 10}
"""Types of tensors as ONNX Runtime and as ONNX name them."""


def loaded(path: Path, name: str) -> onnx.ModelProto:
    """Load the captured network's file, for an artifact called `name`.

    Raises BuildError if the network is too large for int8.
    """
    import onnx

    if path.with_name(f"{path.name}.data").exists():
        raise BuildError(f"{name}: only networks of less than 1.5 GiB can be made int8; build it for a float target")
    return onnx.load(path)


def prepared(model: onnx.ModelProto) -> onnx.ModelProto:
    """Optimise `model` as far as its file remains one of standard ONNX for any machine."""
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
    _declare(result)
    return result


def _declare(model: onnx.ModelProto) -> None:
    """Give each tensor of `model` a type, including the outputs of operators that ONNX does not know.

    Quantisers skip tensors that have no type.
    """
    import onnx

    inferred = onnx.shape_inference.infer_shapes(model)
    known = {value.name for value in (*inferred.graph.value_info, *inferred.graph.output, *model.graph.value_info)}
    made = [name for node in model.graph.node for name in node.output if name]
    if not (unknown := [name for name in made if name not in known]):
        return
    asked = onnx.ModelProto.FromString(model.SerializeToString())
    asked.graph.output.extend(onnx.ValueInfoProto(name=name) for name in unknown)
    options = session_options({})
    options.graph_optimization_level = import_onnxruntime().GraphOptimizationLevel.ORT_DISABLE_ALL
    session = import_onnxruntime().InferenceSession(asked.SerializeToString(), options, providers=[PROVIDER])
    for one in session.get_outputs():
        if one.name in unknown and one.type in TYPES:
            value = onnx.helper.make_tensor_value_info(one.name, TYPES[one.type], one.shape)
            model.graph.value_info.append(value)
