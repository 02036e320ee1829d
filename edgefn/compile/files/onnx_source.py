"""An `.onnx` file read with suspicion: what it takes and gives, and all that keeps it from being served.

Its reference is ONNX Runtime's own run of the file, with every optimisation off.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgefn.compile.files import external
from edgefn.compile.files.matching import FileTensor
from edgefn.errors import BuildError

if TYPE_CHECKING:
    import onnx

STANDARD = frozenset({"", "ai.onnx", "ai.onnx.ml", "com.microsoft"})
"""Domains whose operators each ONNX Runtime for a CPU has."""

BOUND = frozenset({"com.microsoft.nchwc", "com.ms.internal.nhwc"})
"""Domains of what ONNX Runtime writes when it optimises a file for the machine that it runs on."""


def read(path: Path, model: str) -> onnx.ModelProto:
    """Read the file's structure, without its external data.

    Raises BuildError, in one line, if the file cannot be served.
    """
    import onnx

    what = f"model {model}: {path.name}"
    try:
        proto = onnx.load(path, load_external_data=False)
    except Exception as error:  # protobuf's DecodeError, and what onnx raises on text that looks like one
        raise BuildError(f"{what} is not an ONNX file, or is cut off: save it again") from error
    if not proto.graph.output or not proto.opset_import or not proto.ir_version:
        raise BuildError(f"{what} is not an ONNX file, or is cut off: it has no outputs or no opset; save it again")
    external.check(proto, path, model)
    _check_operators(proto, what)
    _check_version(proto, what)
    return proto


def opset(proto: onnx.ModelProto) -> int:
    """Return the version of ONNX's operators that the file uses; 0 if it names none."""
    return next((one.version for one in proto.opset_import if one.domain in ("", "ai.onnx")), 0)


def inputs(proto: onnx.ModelProto, model: str) -> dict[str, FileTensor]:
    """Return the inputs that a call must give, in order.

    An input with a default among the weights is not one of them.
    """
    given = {tensor.name for tensor in proto.graph.initializer}
    given |= {tensor.values.name for tensor in proto.graph.sparse_initializer}
    return {one.name: _found(one, model) for one in proto.graph.input if one.name not in given}


def outputs(proto: onnx.ModelProto, model: str) -> dict[str, FileTensor]:
    """Return the outputs of the file, in order."""
    return {one.name: _found(one, model) for one in proto.graph.output}


def session(path: Path, model: str) -> Any:
    """Open an ONNX Runtime session of the unchanged file: one thread, nothing optimised.

    Raises BuildError in one line.
    """
    from edgefn.backends.onnxruntime.session import PROVIDER, import_onnxruntime, session_options

    ort = import_onnxruntime()
    options = session_options({})
    options.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    try:
        return ort.InferenceSession(str(path), options, providers=[PROVIDER])
    except Exception as error:  # onnxruntime's exceptions have no common class but this
        raise BuildError(
            f"model {model}: ONNX Runtime {ort.__version__} cannot load {path.name}: {complaint(error)}; export it "
            "with operators that ONNX Runtime has, at opset 20"
        ) from error


def complaint(error: Exception) -> str:
    """Return ONNX Runtime's complaint in one line, without its codes, its sources and the file's path."""
    text = " ".join(str(error).split())
    text = re.sub(r"\[ONNXRuntimeError\] : \d+ : \w+ : ", "", text)
    text = re.sub(r"Load model from \S+ failed:\s*", "", text)
    text = re.sub(r"/\S+\.(cc|h|hpp):\d+ \S+ (\([^()]*\) )?", "", text)
    text = re.sub(r"(Non-zero status code returned while running)", "it stops while running", text)
    return text[:300].strip() or "no reason given"


def _found(value: onnx.ValueInfoProto, model: str) -> FileTensor:
    import onnx

    kind = value.type.WhichOneof("value")
    if kind != "tensor_type":
        raise BuildError(
            f"model {model}: {value.name!r} of its ONNX file is {_a(kind)}, but edgefn serves only tensors: export "
            "the file without it (for scikit-learn: options={'zipmap': False})"
        )
    tensor = value.type.tensor_type
    dtype = onnx.helper.tensor_dtype_to_np_dtype(tensor.elem_type).name
    if dtype == "object":
        raise BuildError(
            f"model {model}: {value.name!r} of its ONNX file is a tensor of text, but edgefn serves only numbers: do "
            "that step in the handler"
        )
    if not tensor.HasField("shape"):
        return FileTensor(dtype)
    return FileTensor(dtype, tuple(_size(one) for one in tensor.shape.dim))


def _a(kind: str | None) -> str:
    return {"sequence_type": "a sequence", "map_type": "a map", "optional_type": "an optional value"}.get(
        kind or "", "no tensor"
    )


def _size(dimension: Any) -> int | str | None:
    if dimension.HasField("dim_value"):
        return int(dimension.dim_value)
    return dimension.dim_param or None


def _check_operators(proto: onnx.ModelProto, what: str) -> None:
    own = {(function.domain, function.name) for function in proto.functions}
    for node in nodes(proto):
        if node.domain in BOUND:
            raise BuildError(
                f"{what} was optimised for one CPU ({node.domain}.{node.op_type}): use the file before that "
                "optimisation, or save it at ORT_ENABLE_BASIC"
            )
        if node.domain not in STANDARD and (node.domain, node.op_type) not in own:
            raise BuildError(
                f"{what} has the operator {node.domain}.{node.op_type} of {node.name or node.output[0]!r}, which "
                "boxes do not have: export it with standard operators, or do that step in the handler"
            )


def _check_version(proto: onnx.ModelProto, what: str) -> None:
    import onnx

    newest = onnx.defs.onnx_opset_version()
    if opset(proto) > newest or proto.ir_version > onnx.IR_VERSION:
        raise BuildError(
            f"{what} has opset {opset(proto)} and IR {proto.ir_version}, but the newest supported are opset {newest}, "
            f"IR {onnx.IR_VERSION}: export it with opset_version=20"
        )


def nodes(proto: onnx.ModelProto) -> Iterator[onnx.NodeProto]:
    """Yield every node of the graph, of the graphs inside its nodes, and of its functions."""
    waiting = [*proto.graph.node, *(node for function in proto.functions for node in function.node)]
    while waiting:
        node = waiting.pop()
        yield node
        for attribute in node.attribute:
            for graph in (attribute.g, *attribute.graphs):
                waiting.extend(graph.node)
