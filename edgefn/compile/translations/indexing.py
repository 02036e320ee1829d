"""Indices as ONNX takes them: of int64, where PyTorch takes int32 too; and values no larger than their indices.

    x[i, j], index_put               GatherND and ScatterND take int64 alone; torch decomposes unfold_backward to int32
    scatter and its kind             take a source that is larger than the indices; ONNX does not
    scatter_reduce(reduce="mean")    a sum over a count: the exporter's keeps the last value of each place
    embedding, gather, index_select  PyTorch refuses an index below 0, where ONNX counts from the end
    scatter, index_add, index_copy   the same, where something is put
    roll                             by a number that follows from a free size, as torch.fft.fftshift
    embedding_bag, bincount          the same, and offsets that PyTorch refuses
    diagonal                         its places, not a sum over a mask, of which an infinity beside it makes NaN

Translations from the exporter's own, called with what they are right for.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgefn.compile.translations.operators import constant, known, operators
from edgefn.compile.translations.rule import Rule

if TYPE_CHECKING:
    import torch

INT32, INT64 = 6, 7
FLOATS = (1, 10, 11, 16)
"""ONNX's numbers of the types (https://onnx.ai/onnx/api/mapping.html)."""


def rules() -> dict[Any, Rule]:
    """Return the translations by operator; the exporter's decompositions have most of them too."""
    import torch

    aten = torch.ops.aten
    return {
        aten.index.Tensor: Rule(index),
        aten._unsafe_index.Tensor: Rule(index),
        aten.index_put.default: Rule(index_put),
        aten._unsafe_index_put.default: Rule(index_put),
        aten.embedding.default: Rule(embedding, _may_be_below),
        aten.gather.default: Rule(gather, _may_be_below),
        aten.index_select.default: Rule(index_select, _may_be_below),
        aten.scatter.src: Rule(scatter),
        aten.scatter.value: Rule(scatter_value),
        aten.scatter_add.default: Rule(scatter_add),
        aten.scatter_reduce.two: Rule(scatter_reduce),
        aten.index_add.default: Rule(index_add, _has_axes),
        aten.index_copy.default: Rule(index_copy, _has_axes),
        aten.roll.default: Rule(roll, _has_free_shift),
        aten.diagonal.default: Rule(diagonal),
        aten.bincount.default: Rule(bincount),
        **dict.fromkeys(
            (aten.embedding_bag.padding_idx, aten._embedding_bag_forward_only.default), Rule(embedding_bag)
        ),
        aten._embedding_bag.default: Rule(embedding_bag),
    }


def _has_free_shift(node: torch.fx.Node, program: torch.export.ExportedProgram) -> bool:
    import torch

    shifts: Any = node.args[1]
    return len(node.args) > 2 and any(isinstance(one, torch.fx.Node) for one in shifts)


def _has_axes(node: torch.fx.Node, program: torch.export.ExportedProgram) -> bool:
    """Tell whether something is put into more than a single number."""
    into: Any = node.args[0]
    return bool(into.meta["val"].dim())


_SAFE = {"argmax", "argmin", "topk", "sort", "argsort", "arange", "remainder", "nonzero"}
"""Operators whose answers are meant as indices, or are kept in a range."""


def _may_be_below(node: torch.fx.Node, program: torch.export.ExportedProgram) -> bool:
    """Tell whether an index follows from an input's values, and from no operator that finds places."""
    import torch

    inputs = set(program.graph_signature.user_inputs)
    waiting, seen = [one for one in node.args[1:] if isinstance(one, torch.fx.Node)], set[torch.fx.Node]()
    while waiting:
        current = waiting.pop()
        if current.name in inputs:
            return True
        kind = getattr(getattr(current.target, "_schema", None), "name", "").partition("::")[2]
        if current not in seen and kind not in _SAFE and "sym_size" not in kind:
            seen.add(current)
            waiting.extend(current.all_input_nodes)
    return False


def embedding(weight: Any, indices: Any, *options: Any, **named: Any) -> Any:
    """Translate `F.embedding(indices, weight)`."""
    return _exporters().aten_embedding(weight, _refused_below(indices), *options, **named)


def gather(self: Any, dim: int, index: Any, sparse_grad: bool = False) -> Any:
    """Translate `self.gather(dim, index)`."""
    return _exporters().aten_gather(self, dim, _refused_below(index), sparse_grad)


def index_select(self: Any, dim: int, index: Any) -> Any:
    """Translate `self.index_select(dim, index)`."""
    return _exporters().aten_index_select(self, dim, _refused_below(index))


def _refused_below(index: Any) -> Any:
    """Return `index` with a place that no tensor has for each value below 0.

    Engines refuse that place, as PyTorch does.
    """
    op = operators()

    if index.dtype not in (INT32, INT64):
        return index
    nowhere = constant(2**31 - 1, index.dtype)
    return known(op.Where(op.Less(index, constant(0, index.dtype)), nowhere, index), index.dtype, index.shape)


def embedding_bag(weight: Any, indices: Any, offsets: Any, *options: Any, **named: Any) -> Any:
    """Translate `F.embedding_bag(indices, weight, offsets)`.

    Engines refuse a first offset that is not 0, and a last one beyond the number of indices.
    """
    op = operators()

    first = op.Slice(offsets, [0], [1], [0])
    last = op.Slice(offsets, [-1], [2**63 - 1], [0])
    is_wrong = op.Concat(
        op.Not(op.Equal(first, constant(0, offsets.dtype))),
        op.Greater(last, op.CastLike(op.Size(indices), offsets)),
        axis=0,
    )
    checked = _refused_where(is_wrong, _refused_below(indices))
    return _exporters().aten_embedding_bag_padding_idx(weight, checked, offsets, *options, **named)


def bincount(self: Any, weights: Any = None, minlength: int = 0) -> Any:
    """Translate `self.bincount(minlength=minlength)`."""
    is_below = operators().Less(self, constant(0, self.dtype))
    return _exporters().aten_bincount(_refused_where(is_below, self), weights, minlength)


def _refused_where(truths: Any, value: Any) -> Any:
    """Return `value`, and make engines refuse the run where any of `truths` holds.

    A place is read then that is not there.
    """
    op = operators()

    count = op.ReduceSum(op.Cast(truths, to=INT64), keepdims=0)
    place = op.Mul(op.Min(count, constant(1, INT64)), constant(2**31 - 1, INT64))
    nothing = op.Gather(op.Constant(value_ints=[0]), place)
    return known(op.Add(value, op.CastLike(nothing, value)), value.dtype, value.shape)


def index(self: Any, indices: Sequence[Any]) -> Any:
    """Translate `self[indices]`."""
    return _exporters().aten_index(self, _wide(indices))


def index_put(self: Any, indices: Sequence[Any], values: Any, accumulate: bool = False) -> Any:
    """Translate `self[indices] = values`, or `+=`."""
    return _exporters().aten_index_put(self, _wide(indices), values, accumulate)


def scatter(self: Any, dim: int, index: Any, src: Any) -> Any:
    """Translate `self.scatter(dim, index, src)`."""
    return _exporters().aten_scatter_src(self, dim, _refused_below(index), _part(src, index))


def scatter_value(self: Any, dim: int, index: Any, value: float) -> Any:
    """Translate `self.scatter(dim, index, value)`."""
    return _exporters().aten_scatter_value(self, dim, _refused_below(index), value)


def scatter_add(self: Any, dim: int, index: Any, src: Any) -> Any:
    """Translate `self.scatter_add(dim, index, src)`."""
    return _exporters().aten_scatter_add(self, dim, _refused_below(index), _part(src, index))


def scatter_reduce(self: Any, dim: int, index: Any, src: Any, reduce: str, include_self: bool = True) -> Any:
    """Translate `self.scatter_reduce(dim, index, src, "mean")` of floats.

    A place that gets nothing is left alone.
    """
    op = operators()

    part, index = _part(src, index), _refused_below(index)
    if reduce != "mean" or self.dtype not in FLOATS or not self.shape:
        return _exporters().aten_scatter_reduce(self, dim, index, part, reduce, include_self)
    zeros = op.CastLike(op.Expand(op.Constant(value_float=0.0), op.Shape(self)), self)
    ones = op.CastLike(op.Expand(op.Constant(value_float=1.0), op.Shape(index)), self)
    one = op.CastLike(op.Constant(value_float=1.0), self)
    counted = op.ScatterElements(zeros, index, ones, axis=dim, reduction="add")
    if include_self:
        return op.Div(op.ScatterElements(self, index, part, axis=dim, reduction="add"), op.Add(counted, one))
    total = op.ScatterElements(zeros, index, part, axis=dim, reduction="add")
    return op.Where(op.Less(counted, one), self, op.Div(total, op.Max(counted, one)))


def index_add(self: Any, dim: int, index: Any, source: Any, alpha: float = 1) -> Any:
    """Translate `self.index_add(dim, index, source, alpha)`."""
    op = operators()

    added = source if alpha == 1 else op.Mul(source, op.CastLike(op.Constant(value_float=float(alpha)), source))
    return op.ScatterElements(self, _along(dim, index, source, self), added, axis=dim, reduction="add")


def index_copy(self: Any, dim: int, index: Any, source: Any) -> Any:
    """Translate `self.index_copy(dim, index, source)`."""
    return operators().ScatterElements(self, _along(dim, index, source, self), source, axis=dim)


def _along(dim: int, index: Any, source: Any, into: Any) -> Any:
    """Return `index` as a place for each value of `source`.

    `index` has a place along axis `dim` for each slice of it.
    """
    op = operators()

    sizes = [1] * len(into.shape)
    sizes[dim] = -1
    return op.Expand(op.Reshape(_refused_below(index), op.Constant(value_ints=sizes)), op.Shape(source))


def roll(self: Any, shifts: Sequence[Any], dims: Sequence[int] = ()) -> Any:
    """Translate `self.roll(shifts, dims)`: what is behind the cut, and then what is before it."""
    op = operators()

    if not dims:
        return _exporters().aten_roll(self, shifts, dims)
    zero, end = op.Constant(value_ints=[0]), op.Constant(value_ints=[2**63 - 1])
    for shift, dim in zip(shifts, dims, strict=True):
        axis = dim % len(self.shape)
        by = op.Constant(value_ints=[-shift]) if isinstance(shift, int) else op.Neg(op.Reshape(shift, [1]))
        cut = op.Mod(by, op.Shape(self, start=axis, end=axis + 1))
        pieces = op.Slice(self, cut, end, [axis]), op.Slice(self, zero, cut, [axis])
        self = known(op.Concat(*pieces, axis=axis), self.dtype, self.shape)
    return self


def diagonal(self: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """Translate `self.diagonal(offset, dim1, dim2)`: every so many places of the two axes laid out in one."""
    op = operators()

    rank = len(self.shape)
    dim1, dim2 = dim1 % rank, dim2 % rank
    kept = [axis for axis in range(rank) if axis not in (dim1, dim2)]
    flat = op.Reshape(op.Transpose(self, perm=[*kept, dim1, dim2]), op.Constant(value_ints=[0] * len(kept) + [-1]))
    rows, columns = (op.Squeeze(op.Shape(self, start=axis, end=axis + 1)) for axis in (dim1, dim2))
    down, right = (op.Constant(value_int=max(by, 0)) for by in (-offset, offset))
    length = op.Max(op.Min(op.Sub(rows, down), op.Sub(columns, right)), op.Constant(value_int=0))
    numbers = op.Range(op.Constant(value_int=0), length, op.Constant(value_int=1))
    step = op.Add(columns, op.Constant(value_int=1))
    places = op.Add(op.Mul(numbers, step), op.Add(op.Mul(down, columns), right))
    return op.Gather(flat, places, axis=len(kept))


def _wide(indices: Sequence[Any]) -> list[Any]:
    return [_cast(one) if one is not None and one.dtype == INT32 else one for one in indices]


def _cast(index: Any) -> Any:
    op = operators()

    return known(op.Cast(index, to=INT64), INT64, index.shape)


def _part(source: Any, index: Any) -> Any:
    """Return the part of `source` that `index` has places for: its beginning along each axis."""
    op = operators()

    rank = len(index.shape)
    if rank == 0 or source.shape == index.shape:
        return source
    part = op.Slice(source, [0] * rank, op.Shape(index), list(range(rank)))
    return known(part, source.dtype, index.shape)


def _exporters() -> Any:
    from onnxscript.function_libs.torch_lib.ops import core

    return core
