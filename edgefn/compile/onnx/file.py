"""ONNX files that depend on the network alone: no paths, no stack traces, no toolchain's names, its opset read back.

Works on `onnx_ir` models, so that a network past protobuf's 2 GiB can be written. Never runs one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgefn.compile.dimensions.symbols import rename
from edgefn.errors import BuildError

if TYPE_CHECKING:
    import onnx_ir as ir

INLINE_LIMIT_BYTES = 1_500 * 2**20
"""Networks with more weights than this keep them in `model.onnx.data`: a protobuf message ends at 2 GiB."""

EXTERNAL_MIN_BYTES = 1024
"""Of those, smaller tensors stay in the model file."""


def check_opset(model: ir.Model, wanted: int, name: str) -> None:
    """Check that `model` has the opset `wanted`.

    The exporter only logs when it ignores an opset. Raises BuildError for another one.
    """
    got = model.opset_imports.get("", 0)
    if got != wanted:
        raise BuildError(
            f"model {name}: ONNX opset {wanted} was requested but the exporter wrote opset {got}; request 18 or "
            "later, which it writes without a conversion, or change the operators that do not convert"
        )


def strip(model: ir.Model, symbols: Mapping[str, str]) -> None:
    """Remove all signs of the origin of `model`, and rename its dimensions by `symbols` ("s77" → "batch")."""
    model.producer_name = model.producer_version = model.doc_string = None
    model.metadata_props.clear()
    graphs: list[Any] = [model.graph, *model.functions.values()]
    for graph in graphs:
        graph.doc_string = None
        graph.metadata_props.clear()
        for node in graph.all_nodes():
            node.doc_string = None
            node.metadata_props.clear()
        for value in _values(graph):
            value.doc_string = None
            value.metadata_props.clear()
            _rename_dimensions(value, symbols)


def save(model: ir.Model, path: Path) -> None:
    """Write `model` to `path`.

    Weights that are too many for one protobuf message go to "<name>.data" beside it.
    """
    import onnx_ir as ir

    weights = model.graph.initializers.values()
    size = sum(value.const_value.nbytes for value in weights if value.const_value is not None)
    external = f"{path.name}.data" if size > INLINE_LIMIT_BYTES else None
    ir.save(model, path, external_data=external, size_threshold_bytes=EXTERNAL_MIN_BYTES)


def _values(graph: Any) -> Iterator[ir.Value]:
    yield from graph.inputs
    yield from getattr(graph, "initializers", {}).values()
    for node in graph.all_nodes():
        yield from node.outputs


def _rename_dimensions(value: ir.Value, symbols: Mapping[str, str]) -> None:
    import onnx_ir as ir

    if value.shape is None:
        return
    dimensions = [
        ir.SymbolicDim(rename(size.value, symbols)) if isinstance(size, ir.SymbolicDim) and size.value else size
        for size in value.shape
    ]
    value.shape = ir.Shape(dimensions)
