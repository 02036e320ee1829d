"""Averages over what may be nothing: NaN, as PyTorch has it. Engines give 0, which reads like a measurement.

    x[x > 0.5].mean(), .std(), .var()    where no element is chosen

Only where how many there are follows from values: a length that is declared is at least 1. Changes a program in place;
never what PyTorch computes.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

_AVERAGES = {"aten::mean", "aten::std", "aten::var"}
_PAIRS = {"aten::std_mean", "aten::var_mean"}


def rewrite(program: torch.export.ExportedProgram) -> bool:
    """Multiply each average with n / n, where n is how many elements it is of. Tell whether there was one."""
    graph = program.graph
    found = False
    for node in list(graph.nodes):
        name = str(node.target._schema.name) if hasattr(node.target, "_schema") else ""
        if name in _AVERAGES | _PAIRS and _may_be_of_none(node):
            averages = [node] if name in _AVERAGES else [one for one in node.users if one.target is operator.getitem]
            for average in averages:
                _mark(graph, node, average)
            found = True
    return found


def _arguments(node: torch.fx.Node) -> dict[str, Any]:
    names = [argument.name for argument in node.target._schema.arguments]  # type: ignore[union-attr]
    return {**dict(zip(names, node.args, strict=False)), **node.kwargs}


def _axes(node: torch.fx.Node) -> list[int]:
    """Return the axes that an average is taken over."""
    given = _arguments(node).get("dim")
    rank = node.args[0].meta["val"].dim()  # type: ignore[union-attr]
    axes = [given] if isinstance(given, int) else given or range(rank)
    return [axis % rank for axis in axes]


def _may_be_of_none(node: torch.fx.Node) -> bool:
    from torch.fx.experimental.symbolic_shapes import free_unbacked_symbols

    shape = node.args[0].meta["val"].shape  # type: ignore[union-attr]
    return any(not isinstance(shape[axis], int) and free_unbacked_symbols(shape[axis]) for axis in _axes(node))


def _mark(graph: torch.fx.Graph, node: torch.fx.Node, average: torch.fx.Node) -> None:
    """Give whoever uses `average`, of what `node` averages, NaN in its place where there is nothing."""
    import torch

    aten = torch.ops.aten
    kind = average.meta["val"].dtype
    keeps = bool(_arguments(node).get("keepdim", False))
    with graph.inserting_after(average):
        last = made = _call(graph, aten.ones_like.default, (node.args[0],), {"dtype": kind})
    for target, rest in ((aten.sum.dim_IntList, (_axes(node), keeps)), (aten.div.Tensor, None)):
        with graph.inserting_after(last):
            last = made = _call(graph, target, (made, *(rest if rest is not None else (made,))))
    with graph.inserting_after(last):
        marked = _call(graph, aten.mul.Tensor, (average, made))
    average.replace_all_uses_with(marked, delete_user_cb=lambda user: user is not marked)


def _call(
    graph: torch.fx.Graph, target: Any, args: tuple[Any, ...], kwargs: dict[str, Any] | None = None
) -> torch.fx.Node:
    """Add a node with the value that PyTorch infers for it."""
    import torch

    kwargs = kwargs or {}
    made = graph.call_function(target, args, kwargs)
    values = [one.meta["val"] if isinstance(one, torch.fx.Node) else one for one in args]
    with next(value for value in values if hasattr(value, "fake_mode")).fake_mode:
        made.meta["val"] = target(*values, **kwargs)
    return made
