"""The steps of an ONNX file, some of them written otherwise. Owns how a file is read, changed and kept."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import onnx

    Rewrite = Callable[[onnx.ModelProto], bool]


def rewrite(path: Path, *rewrites: Rewrite) -> list[bool]:
    """Change the file at `path` by each of `rewrites` in turn; return which of them changed anything."""
    import onnx

    model = onnx.load(path, load_external_data=False)
    changed = [one(model) for one in rewrites]
    if any(changed):
        onnx.save(model, path)
    return changed


MEASURED = {"Shape", "Size"}
"""Operators whose answer does not follow from values."""

FLOAT, INT32, INT64, DOUBLE = 1, 6, 7, 11
"""ONNX's numbers of the types (https://onnx.ai/onnx/api/mapping.html)."""


def following(graph: onnx.GraphProto, *, measured: bool = False) -> set[str]:
    """Return the names of what follows from the values of the graph's inputs; with `measured` from lengths, too."""
    constant = {one.name for one in graph.initializer}
    found = {one.name for one in graph.input} - constant
    for node in graph.node:
        inner = (name for one in node.attribute if one.HasField("g") for step in one.g.node for name in step.input)
        if (measured or node.op_type not in MEASURED) and not found.isdisjoint([*node.input, *inner]):
            found.update(node.output)
    return found


def sum_of(truths: str, count: str) -> Iterator[onnx.NodeProto]:
    """Yield the steps that make `count`, a row of one int32: how many of the values `truths` are true."""
    from onnx import helper

    yield helper.make_node("Cast", [truths], [f"{count}_whole"], to=INT32)
    yield number(f"{count}_row", [-1], (1,))
    yield helper.make_node("Reshape", [f"{count}_whole", f"{count}_row"], [f"{count}_flat"])
    # Over all axes, which every opset has without naming them in its own way.
    yield helper.make_node("ReduceSum", [f"{count}_flat"], [count], keepdims=1)


def constant(node: onnx.NodeProto) -> onnx.TensorProto | None:
    """Return the tensor that a step gives which is a constant; None of another step."""
    if node.op_type != "Constant":
        return None
    return next((one.t for one in node.attribute if one.HasField("t")), None)


def constants(graph: onnx.GraphProto) -> dict[str, onnx.TensorProto]:
    """Return the constants that the file holds itself, weights and steps, by name."""
    found = {one.name: one for one in graph.initializer if not one.external_data}
    return found | {node.output[0]: made for node in graph.node if (made := constant(node)) is not None}


def number(name: str, values: list[int], shape: tuple[int, ...]) -> onnx.NodeProto:
    """Return the step that makes `name`, whole numbers of int64."""
    from onnx import helper

    return helper.make_node("Constant", [], [name], value=helper.make_tensor(name, INT64, shape, values))


def scalar(name: str, value: float, kind: int = FLOAT) -> onnx.NodeProto:
    """Return the step that makes `name`, one number of a type."""
    from onnx import helper

    return helper.make_node("Constant", [], [name], value=helper.make_tensor(name, kind, [], [value]))


def tensors(model: onnx.ModelProto) -> dict[str, onnx.TypeProto.Tensor]:
    """Return the type and shape, where known, of each value outside of loops that is no weight, by name."""
    import onnx

    graph = onnx.shape_inference.infer_shapes(model).graph
    return {one.name: one.type.tensor_type for one in (*graph.input, *graph.output, *graph.value_info)}


def types(model: onnx.ModelProto) -> dict[str, int]:
    """Return the types of the values outside of loops, by name."""
    weights = {one.name: one.data_type for one in model.graph.initializer}
    return {name: known.elem_type for name, known in tensors(model).items()} | weights


def add_counts(graph: onnx.GraphProto, counts: list[str], output: str) -> None:
    """Give `graph` one more output, `output`, of the `counts` that `sum_of` made."""
    from onnx import helper

    graph.node.append(helper.make_node("Concat", counts, [output], axis=0))
    graph.output.append(helper.make_tensor_value_info(output, INT32, [len(counts)]))


def replace(graph: onnx.GraphProto, otherwise: Callable[[onnx.NodeProto], Iterable[onnx.NodeProto] | None]) -> bool:
    """Put in each step's place what `otherwise` makes of it, where that is anything; return whether it ever was."""
    nodes, changed = list(graph.node), False
    del graph.node[:]
    for node in nodes:
        made = otherwise(node)
        graph.node.extend([node] if made is None else made)
        changed |= made is not None
    return changed
