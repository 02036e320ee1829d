"""Where a captured network's outputs come from: what joins them last, which a softmax makes, which no input reaches.

Reads the program's graph alone; runs nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgefn.accuracy.rules import Network

if TYPE_CHECKING:
    import torch
    from torch.fx import Node

SAME = {"clone", "alias", "detach", "contiguous", "_to_copy", "to", "dropout", "native_dropout", "lift_fresh_copy"}
"""Operators of ATen that move no element to another index."""

RESHAPES = {"view", "reshape", "_unsafe_view", "flatten", "unflatten"}
SORTING = {"aten::topk", "aten::sort", "aten::argsort", "aten::msort", "aten::unique_dim", "aten::kthvalue"}
SOFTMAX = {"softmax", "_softmax", "log_softmax", "_log_softmax"}


def network(program: torch.export.ExportedProgram, names: Sequence[str]) -> Network:
    """Return what the graph of `program` says of its outputs, which are called `names`, in order."""
    (output,) = (node for node in program.graph.nodes if node.op == "output")
    nodes = list(output.args[0])[-len(names) :]  # before them: buffers that it writes
    reached = _reached(program)
    joins, scores, fixed = {}, {}, []
    for name, node in zip(names, nodes, strict=True):
        if not _is_node(node) or node not in reached:
            fixed.append(name)
            continue
        source, passed = _source(node)
        kind = _kind(source)
        if kind in ("cat", "stack") and (found := _join(source, kind)) is not None:
            axis, bounds = found
            if (place := _forward(axis, passed)) is not None:
                joins[name] = (place, bounds)
        elif kind in SOFTMAX:
            rank = len(source.meta["val"].shape)
            along = source.args[1]
            if isinstance(along, int) and (place := _forward(along % rank, passed)) is not None:
                scores[name] = place
    return Network(joins, scores, tuple(fixed), _coarse(program), _sorts(program))


def _sorts(program: torch.export.ExportedProgram) -> bool:
    """Tell whether any operator sorts: one of ATen that does, or one of a library.

    Nobody reads the body of a library's operator, so each of them counts.
    """
    graphs = [getattr(module, "graph", None) for module in program.graph_module.modules()]
    nodes = [node for graph in graphs if graph is not None for node in graph.nodes]
    names = [str(node.target._schema.name) for node in nodes if hasattr(node.target, "_schema")]
    return any(not name.startswith("aten::") or name in SORTING for name in names)


def _coarse(program: torch.export.ExportedProgram) -> str:
    """Return "fp16" of a network with half weights."""
    kinds = {str(tensor.dtype) for tensor in program.state_dict.values()}
    return "fp16" if "torch.float16" in kinds else ""


def _reached(program: torch.export.ExportedProgram) -> set[Node]:
    """Return the nodes that a user's input reaches."""
    inputs = set(program.graph_signature.user_inputs)
    reached: set[Node] = set()
    for node in program.graph.nodes:
        own = node.op == "placeholder" and node.name in inputs
        if own or any(argument in reached for argument in node.all_input_nodes):
            reached.add(node)
    return reached


def _is_node(value: object) -> bool:
    return hasattr(value, "all_input_nodes")


def _kind(node: Node) -> str:
    """Return the operator's name without overload: "cat" of aten.cat.default."""
    return str(node.target).removeprefix("aten.").partition(".")[0] if node.op == "call_function" else ""


def _source(node: Node) -> tuple[Node, list[Node]]:
    """Return the node that computes the value of `node`, and the nodes that move it, the last first."""
    passed: list[Node] = []
    while _kind(node) in {*SAME, *RESHAPES, "permute", "transpose", "unsqueeze", "squeeze", "mT"}:
        passed.append(node)
        node = node.all_input_nodes[0]
    return node, passed


def _join(node: Node, kind: str) -> tuple[int, tuple[int, ...]] | None:
    """Return axis and bounds of the pieces that a join puts together; None if a piece has a free length."""
    pieces: Any = node.args[0]
    rank = len(node.meta["val"].shape)
    axis = node.args[1] if len(node.args) > 1 else node.kwargs.get("dim", 0)
    if not isinstance(axis, int):
        return None
    axis %= rank
    bounds = [0]
    for piece in pieces:
        length = 1 if kind == "stack" else piece.meta["val"].shape[axis]
        if not isinstance(length, int):
            return None
        bounds.append(bounds[-1] + length)
    return (axis, tuple(bounds)) if len(bounds) > 2 else None


def _forward(axis: int, passed: Sequence[Node]) -> int | None:
    """Return where `axis` of the first of the nodes `passed`, which come last first, lies in the output."""
    for node in reversed(passed):
        before = [str(size) for size in node.all_input_nodes[0].meta["val"].shape]
        after = [str(size) for size in node.meta["val"].shape]
        found = _moved(axis, node, before, after)
        if found is None:
            return None
        axis = found
    return axis


def _moved(axis: int, node: Node, before: Sequence[str], after: Sequence[str]) -> int | None:
    kind, rank = _kind(node), len(before)
    arguments: tuple[Any, ...] = node.args[1:]
    if kind in SAME:
        return axis
    if kind == "permute":
        return [int(dimension) % rank for dimension in arguments[0]].index(axis)
    if kind == "transpose":
        one, other = (int(dimension) % rank for dimension in arguments[:2])
        return {one: other, other: one}.get(axis, axis)
    if kind == "unsqueeze":
        return axis + int(axis >= int(arguments[0]) % (rank + 1))
    # Reshapes keep an axis whose length, and whatever lies before it, stays as it was.
    if kind in RESHAPES and axis < len(after) and before[: axis + 1] == after[: axis + 1]:
        return axis
    if kind in RESHAPES and before[axis:] == after[len(after) - (rank - axis) :]:
        return len(after) - (rank - axis)
    return None
