"""What is asked of nothing, as PyTorch answers it. Engines answer 0, true or minus infinity, which read like findings.

    x[x > 0.5].mean(), x[:, 1:].var(1)    where no element is chosen, or none is left: NaN
    x[keep].any(), x[keep].all()          false and true
    x[x > 0.5].max()                      none: an index that does not exist is read, which engines refuse

Only where there may be nothing: by values, or at a length that the model takes. Changes a program in place; never
what PyTorch computes.
"""

from __future__ import annotations

import operator
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from edgefn.spec import SizeRange

if TYPE_CHECKING:
    import torch

    Ranges = Mapping[str, SizeRange]

_MEAN = 1
"""torch's number of a loss that is averaged; others are summed, or left as they are."""

_LOSSES = ("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "binary_cross_entropy", "soft_margin_loss")
_AVERAGES = {
    *(f"aten::{name}" for name in ("mean", "std", "var", "std_mean", "var_mean", *_LOSSES)),
    "aten::binary_cross_entropy_with_logits",
}
_TRUTHS = {"aten::any", "aten::all"}
_EXTREMES = {f"aten::{name}" for name in ("amax", "amin", "aminmax", "max", "min", "argmax", "argmin")}

NOWHERE = 2**31 - 1
"""A place that no tensor has."""


def rewrite(program: torch.export.ExportedProgram, ranges: Ranges) -> bool:
    """Mend what may be asked of nothing. Tell whether there was any.

    `ranges` are the lengths of the free dimensions, by torch's names of them.
    """
    graph, found = program.graph, False
    for node in list(graph.nodes):
        name = str(node.target._schema.name) if hasattr(node.target, "_schema") else ""
        if name not in _AVERAGES | _TRUTHS | _EXTREMES or not _may_be_of_none(node, ranges):
            continue
        found = True
        if name in _TRUTHS:
            _count_truths(graph, node, is_any=name == "aten::any")
        else:
            _mark(graph, node, is_average=name in _AVERAGES)
    return found


def _arguments(node: torch.fx.Node) -> dict[str, Any]:
    names = [argument.name for argument in node.target._schema.arguments]  # type: ignore[union-attr]
    return {**dict(zip(names, node.args, strict=False)), **node.kwargs}


def _axes(node: torch.fx.Node) -> list[int]:
    """Return the axes that a reduction is taken over."""
    given = _arguments(node).get("dim")
    rank = node.args[0].meta["val"].dim()  # type: ignore[union-attr]
    axes = [given] if isinstance(given, int) else given or range(rank)
    return [axis % rank for axis in axes]


def _may_be_of_none(node: torch.fx.Node, ranges: Ranges) -> bool:
    arguments = _arguments(node)
    if arguments.get("reduction", _MEAN) != _MEAN or "other" in arguments:  # max(x, y) is of pairs
        return False
    shape = node.args[0].meta["val"].shape  # type: ignore[union-attr]
    return bool(shape) and any(_may_be_zero(shape[axis], ranges) for axis in _axes(node))


def _may_be_zero(size: Any, ranges: Ranges) -> bool:
    """Tell whether a size may be 0: it follows from values, or from lengths that the model takes."""
    from torch.utils._sympy.numbers import int_oo
    from torch.utils._sympy.value_ranges import ValueRanges, bound_sympy

    if isinstance(size, int):
        return size == 0
    expression = size.node.expr
    if any(str(symbol) not in ranges for symbol in expression.free_symbols):
        return True
    limits = {symbol: ranges[str(symbol)].tightened() for symbol in expression.free_symbols}
    bounds: Any = {
        symbol: ValueRanges(one.min, int_oo if one.max is None else one.max) for symbol, one in limits.items()
    }
    return not bool(bound_sympy(expression, bounds).lower > 0)


def _count_truths(graph: torch.fx.Graph, node: torch.fx.Node, *, is_any: bool) -> None:
    """Put in the place of `node` a count of what is true, or of what is not."""
    import torch

    aten = torch.ops.aten
    keeps = bool(_arguments(node).get("keepdim", False))
    with graph.inserting_before(node):
        told = _call(graph, (aten.ne if is_any else aten.eq).Scalar, node.args[0], 0)
        count = _call(graph, aten.sum.dim_IntList, told, _axes(node), keeps)
        found = _call(graph, (aten.gt if is_any else aten.eq).Scalar, count, 0)
    node.replace_all_uses_with(found)
    graph.erase_node(node)


def _mark(graph: torch.fx.Graph, node: torch.fx.Node, *, is_average: bool) -> None:
    """Give whoever uses what `node` gives NaN in its place where there is nothing, or an error."""
    import torch

    aten = torch.ops.aten
    pair = not isinstance(node.meta["val"], torch.Tensor)
    for answer in [one for one in node.users if one.target is operator.getitem] if pair else [node]:
        kind = answer.meta["val"].dtype
        with graph.inserting_before(node):
            mark = _no_number(graph, node, kind) if is_average else _no_place(graph, node, kind)
        with graph.inserting_after(answer):
            marked = _call(graph, (aten.mul if is_average else aten.add).Tensor, answer, mark)
        _use(answer, marked)


def _use(answer: torch.fx.Node, marked: torch.fx.Node) -> None:
    """Give whoever uses `answer` the `marked` one, which is made of it."""
    answer.replace_all_uses_with(marked, delete_user_cb=lambda user: user is not marked)


def _no_number(graph: torch.fx.Graph, node: torch.fx.Node, kind: torch.dtype) -> torch.fx.Node:
    """Make n / n of a type, where n is how many elements `node` is of: 1, or NaN."""
    import torch

    count = _count(graph, node, torch.float32)
    share = _call(graph, torch.ops.aten.div.Tensor, count, count)
    return share if kind == torch.float32 else _call(graph, torch.ops.aten.to.dtype, share, kind)


def _no_place(graph: torch.fx.Graph, node: torch.fx.Node, kind: torch.dtype) -> torch.fx.Node:
    """Make a 0 of a type, from a place that is not there where `node` is of nothing."""
    import torch

    aten = torch.ops.aten
    is_none = _call(graph, aten.eq.Scalar, _count(graph, node, torch.int64), 0)
    place = _call(graph, aten.mul.Tensor, _call(graph, aten.to.dtype, is_none, torch.int64), NOWHERE)
    with _mode(node):
        value = torch.zeros(1, dtype=kind)
    zeros = graph.call_function(aten.zeros.default, ([1],), {"dtype": kind})
    zeros.meta["val"] = value
    read = _call(graph, aten.index_select.default, zeros, 0, _call(graph, aten.unsqueeze.default, place, 0))
    return _call(graph, aten.squeeze.dim, read, 0)


def _count(graph: torch.fx.Graph, node: torch.fx.Node, kind: torch.dtype) -> torch.fx.Node:
    """Make the number of elements that `node` reduces to one, as a tensor."""
    import torch

    aten = torch.ops.aten
    count: Any = None
    for axis in _axes(node):
        size = graph.call_function(aten.sym_size.int, (node.args[0], axis))
        size.meta["val"] = node.args[0].meta["val"].shape[axis]  # type: ignore[union-attr]
        if count is None:
            count = size
        else:
            before, count = count, graph.call_function(operator.mul, (count, size))
            count.meta["val"] = before.meta["val"] * size.meta["val"]
    with _mode(node):
        value = aten.scalar_tensor.default(count.meta["val"], dtype=kind)
    made = graph.call_function(aten.scalar_tensor.default, (count,), {"dtype": kind})
    made.meta["val"] = value
    return made


def _mode(node: torch.fx.Node) -> Any:
    return node.args[0].meta["val"].fake_mode  # type: ignore[union-attr]


def _call(graph: torch.fx.Graph, target: Any, *args: Any) -> torch.fx.Node:
    """Add a node with the value that PyTorch infers for it."""
    import torch

    made = graph.call_function(target, args)
    values = [one.meta["val"] if isinstance(one, torch.fx.Node) else one for one in args]
    with next(value for value in values if hasattr(value, "fake_mode")).fake_mode:
        made.meta["val"] = target(*values)
    return made
