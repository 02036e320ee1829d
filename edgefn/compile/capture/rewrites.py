"""Steps of a program that no file keeps or no exporter translates, written with others that mean the same.

    math.ceil(a / b), math.floor(a / b)    of whole lengths: (a + b - 1) // b, a // b
    chunk, split                           along a free dimension: one slice a piece
    scaled_dot_product_attention           its rows one after the other in memory, whichever way it is computed: a view
                                           that fits one trace would not fit the next
    1.0 - mask                             of whole numbers: of the mask as floats, as PyTorch computes it
    amax, amin                             of everything: along each axis
    sum, cumsum, prod, amax                of halves: in float32, rounded once, as PyTorch computes it
    x.clamp(0, 0.5)                        a whole bound and a fraction: both of the answer's type
    mean, std, var, any, all, amax         of what may be nothing (edgefn.compile.onnx.empties)

Changes a program in place; never what it computes.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from edgefn.compile.onnx import empties
from edgefn.spec import SizeRange

if TYPE_CHECKING:
    import torch

END = 2**63 - 1
"""The end of a slice that takes what is left."""


def rewrite(program: torch.export.ExportedProgram, ranges: Mapping[str, SizeRange]) -> torch.export.ExportedProgram:
    """Return the program with its steps rewritten.

    `ranges` are the lengths of free dimensions, by torch's names.
    """
    import torch

    aten = torch.ops.aten
    ways: dict[Any, Callable[[Any, Any], bool]] = {
        math.ceil: _rounded,
        math.floor: _rounded,
        aten.split.Tensor: _in_pieces,
        aten.chunk.default: _in_pieces,
        aten.rsub.Scalar: _from_floats,
        **dict.fromkeys((aten.amax.default, aten.amin.default), _extreme),
        **dict.fromkeys((aten.sum.default, aten.sum.dim_IntList, aten.cumsum.default), _summed),
        **dict.fromkeys((aten.prod.default, aten.prod.dim_int), _summed),
        **dict.fromkeys((aten.clamp.default, aten.clamp_.default, aten.clip.default, aten.clip_.default), _bounded),
        **dict.fromkeys((aten.hardtanh.default, aten.hardtanh_.default), _bounded),
    }
    graph = program.graph
    averaged = empties.rewrite(program, ranges)
    attending = graph.find_nodes(op="call_function", target=aten.scaled_dot_product_attention.default)
    for node in attending:
        _lay_out(graph, node)
    changed = [node for node in list(graph.nodes) if node.target in ways and ways[node.target](graph, node)]
    for node in changed:
        graph.erase_node(node)
    if changed or attending or averaged:
        graph.eliminate_dead_code()
        program.graph_module.recompile()
        _name_outputs(program)
    return program


def _name_outputs(program: torch.export.ExportedProgram) -> None:
    """Let the program's signature name its outputs as the graph does.

    An output that was rewritten has a new name.
    """
    output = program.graph.output_node()
    returned: Any = output.args[0]
    for spec, node in zip(program.graph_signature.output_specs, returned, strict=True):
        if hasattr(node, "name") and hasattr(spec.arg, "name"):
            spec.arg.name = node.name


def _lay_out(graph: torch.fx.Graph, node: torch.fx.Node) -> None:
    """Copy the result of `node` to contiguous memory for the nodes that use it."""
    import torch

    value = node.meta["val"].contiguous()
    with graph.inserting_after(node):
        copied = graph.call_function(torch.ops.aten.clone.default, (node,), {"memory_format": torch.contiguous_format})
    copied.meta.update(node.meta, val=value)
    node.replace_all_uses_with(copied, delete_user_cb=lambda user: user is not copied)


def _rounded(graph: torch.fx.Graph, node: torch.fx.Node) -> bool:
    """Round a quotient of whole lengths without computing it in floating point."""
    import torch

    quotient: Any = node.args[0]
    if not isinstance(quotient, torch.fx.Node) or quotient.target is not operator.truediv:
        return False
    above, below = (_value(one) for one in quotient.args)
    if not isinstance(above, (int, torch.SymInt)) or not isinstance(below, (int, torch.SymInt)):
        return False
    first, second = quotient.args
    with graph.inserting_before(node):
        if node.target is math.floor:
            rounded = _made(graph, operator.floordiv, (first, second), above // below)
        else:
            less = second - 1 if isinstance(second, int) else _made(graph, operator.sub, (second, 1), below - 1)
            more = _made(graph, operator.add, (first, less), above + below - 1)
            rounded = _made(graph, operator.floordiv, (more, second), (above + below - 1) // below)
    node.replace_all_uses_with(rounded)
    return True


def _in_pieces(graph: torch.fx.Graph, node: torch.fx.Node) -> bool:
    """Cut the pieces one by one where their size is free: how many there are is known."""
    import torch

    tensor: Any = node.args[0]
    pieces: Sequence[Any] = node.meta["val"]
    axis = int(node.args[2] if len(node.args) > 2 else node.kwargs.get("dim", 0)) % tensor.meta["val"].dim()  # type: ignore[arg-type]
    length = pieces[0].shape[axis]
    users = list(node.users)
    if isinstance(length, int) or any(user.target is not operator.getitem for user in users):
        return False
    with graph.inserting_before(node):
        size = _size(graph, node, tensor, axis, length)
        further = [_made(graph, operator.mul, (size, number), length * number) for number in range(2, len(pieces))]
        bounds: list[Any] = [*[0, size, *further][: len(pieces)], END]
    for user in users:
        place: Any = user.args[1]
        with graph.inserting_before(user):
            step = (tensor, axis, bounds[place], bounds[place + 1])
            cut = graph.call_function(torch.ops.aten.slice.Tensor, step)
            cut.meta.update(user.meta, val=pieces[place])
        user.replace_all_uses_with(cut)
        graph.erase_node(user)
    return True


def _from_floats(graph: torch.fx.Graph, node: torch.fx.Node) -> bool:
    """Subtract whole numbers from a float in the type of the answer."""
    import torch

    tensor: Any = node.args[0]
    wanted = node.meta["val"].dtype
    if tensor.meta["val"].dtype == wanted:
        return False
    with graph.inserting_before(node):
        cast = _made(graph, torch.ops.aten.to.dtype, (tensor, wanted), tensor.meta["val"].to(wanted))
        made = graph.call_function(torch.ops.aten.rsub.Scalar, (cast, *node.args[1:]), dict(node.kwargs))
    made.meta.update(node.meta)
    node.replace_all_uses_with(made)
    return True


def _extreme(graph: torch.fx.Graph, node: torch.fx.Node) -> bool:
    """Name the axes of an extreme of everything.

    The exporter has none without axes. An extreme of halves is a half.
    """
    tensor, *rest = node.args
    rank = _value(tensor).dim()
    if rank == 0 or (rest and rest[0]) or node.kwargs.get("dim"):
        return _summed(graph, node)
    node.args = (tensor, list(range(rank)), *rest[1:])
    node.kwargs = {key: value for key, value in node.kwargs.items() if key != "dim"}
    return _summed(graph, node)


def _summed(graph: torch.fx.Graph, node: torch.fx.Node) -> bool:
    """Sum and multiply halves in float32, and no further: the exporter would leave the answer so."""
    import torch

    tensor, *rest = node.args
    wanted = node.meta["val"].dtype
    if wanted != torch.float16 or _value(tensor).dtype != wanted:
        return False
    target: Any = node.target
    wide = node.meta["val"].float()
    with graph.inserting_before(node):
        floats = _made(graph, torch.ops.aten.to.dtype, (tensor, torch.float32), _value(tensor).float())
        total = graph.call_function(target, (floats, *rest), {k: v for k, v in node.kwargs.items() if k != "dtype"})
        total.meta["val"] = wide
        made = graph.call_function(torch.ops.aten.to.dtype, (total, wanted))
    made.meta.update(node.meta)
    node.replace_all_uses_with(made)
    return True


def _bounded(graph: torch.fx.Graph, node: torch.fx.Node) -> bool:
    """Clamp between bounds of one type.

    The exporter takes a whole number and a fraction for a tensor and a number.
    """
    import torch

    tensor, *given = node.args
    target: Any = node.target
    rest = target._schema.arguments[1 + len(given) :]
    bounds: list[Any] = [*given, *(node.kwargs.get(one.name, one.default_value) for one in rest)]
    if len({type(bound) for bound in bounds if bound is not None}) < 2:
        return False
    wanted = node.meta["val"].dtype
    kind: Callable[[Any], Any] = float if wanted.is_floating_point else int
    value: Any = _value(tensor)
    with graph.inserting_before(node):
        if value.dtype != wanted:
            tensor = _made(graph, torch.ops.aten.to.dtype, (tensor, wanted), value.to(wanted))
        made = graph.call_function(target, (tensor, *(None if one is None else kind(one) for one in bounds)))
    made.meta.update(node.meta)
    node.replace_all_uses_with(made)
    return True


def _size(graph: torch.fx.Graph, node: torch.fx.Node, tensor: Any, axis: int, length: Any) -> Any:
    """Return the size of a piece: it is given, or follows from the number of pieces."""
    import torch

    wanted: Any = node.args[1]
    if node.target is torch.ops.aten.split.Tensor:
        return wanted
    whole = tensor.meta["val"].shape[axis]
    along = _made(graph, torch.ops.aten.sym_size.int, (tensor, axis), whole)
    more = _made(graph, operator.add, (along, wanted - 1), whole + wanted - 1)
    return _made(graph, operator.floordiv, (more, wanted), length)


def _made(graph: torch.fx.Graph, target: Any, args: tuple[Any, ...], value: Any) -> torch.fx.Node:
    made = graph.call_function(target, args)
    made.meta["val"] = value
    return made


def _value(argument: Any) -> Any:
    """Return the value that an argument stands for while a program is traced."""
    import torch

    return argument.meta.get("val") if isinstance(argument, torch.fx.Node) else argument
