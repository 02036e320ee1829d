"""ONNX of our own for operators that the exporter translates for the example's sizes alone, or not at all.

    aten.adaptive_avg_pool1d, 2d, 3d    windows from the size at hand; F.interpolate(mode="area") is one of these
    aten.rnn_tanh, aten.rnn_relu        plain recurrent layers (edgefn.compile.recurrent keeps them whole)
    aten.scaled_dot_product_attention   0 where all is masked, as eager has it, and not NaN; where there is a mask. And
                                        of other ranks than four
    aten.adaptive_max_pool1d, 2d, 3d    as the averages; the exporter has none
    aten.remainder.Scalar               by a length that is free
    x[i], scatter and their kind        with indices of int32, or fewer than values (edgefn.compile.indexing)
    scatter_reduce                      to a mean
    roll                                by what follows from a free size, as fftshift does
    //                                  of lengths, where it may be of a negative number: rounded down, not to zero
    sigmoid, log_sigmoid                where a logarithm follows (edgefn.compile.sigmoids)

The exporter's own translation is kept wherever it is right: an unchanged network gives an unchanged file. Each of these
is written with the operators of opset 18, which the exporter writes.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from edgefn.compile import indexing, sigmoids
from edgefn.errors import BuildError

if TYPE_CHECKING:
    import torch

    Table = dict[Callable[..., Any], Callable[..., Any]]


def table(program: torch.export.ExportedProgram, model: str) -> Table:
    """Return the translations that the program needs, by operator. Raises BuildError for a layer that ONNX has not."""
    import torch

    aten = torch.ops.aten
    ours: Table = {
        aten.adaptive_avg_pool1d.default: adaptive_average,
        aten.adaptive_avg_pool2d.default: adaptive_average,
        aten.adaptive_avg_pool3d.default: adaptive_average,
        aten.adaptive_max_pool1d.default: adaptive_maximum,
        aten.adaptive_max_pool2d.default: adaptive_maximum,
        aten.adaptive_max_pool3d.default: adaptive_maximum,
        aten.remainder.Scalar: remainder,
        aten.rnn_tanh.input: rnn_tanh,
        aten.rnn_relu.input: rnn_relu,
        aten.scaled_dot_product_attention.default: attention,
        aten.roll.default: indexing.roll,
        aten.sigmoid.default: sigmoids.sigmoid,
        aten.special_expit.default: sigmoids.sigmoid,
    }
    found: Table = {
        aten.index.Tensor: indexing.index,
        aten._unsafe_index.Tensor: indexing.index,
        aten.index_put.default: indexing.index_put,
        aten._unsafe_index_put.default: indexing.index_put,
        aten.scatter.src: indexing.scatter,
        aten.scatter_add.default: indexing.scatter_add,
        aten.scatter_reduce.two: indexing.scatter_reduce,
        aten.log_sigmoid.default: sigmoids.log_sigmoid,
    }  # the exporter's decompositions have them too
    for node in program.graph.nodes:
        if node.target is operator.floordiv and _may_be_negative(node, program):
            found[operator.floordiv] = floor_division
        elif node.target is aten.lstm.input:
            _refuse_projection(node, model)
        elif ours.get(node.target) is adaptive_maximum:
            _refuse_places(node, model)
            found[node.target] = adaptive_maximum
        elif node.target in ours and _needs(ours[node.target], node):
            found[node.target] = ours[node.target]
    return found


def _needs(translation: Callable[..., Any], node: torch.fx.Node) -> bool:
    """Whether the exporter's own translation of `node` would be wrong."""
    import torch

    if translation is attention:
        query: Any = node.args[0]
        masked = (len(node.args) > 3 and node.args[3] is not None) or node.kwargs.get("attn_mask") is not None
        return (masked or query.meta["val"].dim() != 4) and not node.kwargs.get("enable_gqa", False)
    if translation is indexing.roll:
        shifts: Any = node.args[1]
        return len(node.args) > 2 and any(isinstance(one, torch.fx.Node) for one in shifts)
    if translation is remainder:
        return isinstance(node.args[1], torch.fx.Node)
    if translation is sigmoids.sigmoid:
        return sigmoids.is_small_told(node)
    return translation is not adaptive_average or _has_free_windows(node)


def _has_free_windows(node: torch.fx.Node) -> bool:
    """Whether an adaptive pooling's windows depend on a free size; those of one output are all there is."""
    tensor: Any = node.args[0]
    wanted: Any = node.args[1]
    sizes = tensor.meta["val"].shape[-len(wanted) :]
    return any(not isinstance(size, int) and out != 1 for size, out in zip(sizes, wanted, strict=True))


def _refuse_projection(node: torch.fx.Node, model: str) -> None:
    states: Any = node.args[1]
    hidden, cell = states
    if hidden.meta["val"].shape[2] != cell.meta["val"].shape[2]:
        raise BuildError(
            f"model {model} does not export to ONNX: it has no LSTM with proj_size; leave proj_size out, and put "
            "torch.nn.Linear(hidden_size, proj_size, bias=False) after the layer where the output is to be smaller"
        )


def _refuse_places(node: torch.fx.Node, model: str) -> None:
    """Raise BuildError where the network asks an adaptive pooling for the places of its largest values."""
    if any(user.args[1] == 1 and user.users for user in node.users):
        raise BuildError(
            f"model {model} does not export to ONNX: it has no adaptive pooling that tells where the largest values "
            "are; leave return_indices out, or pool with torch.nn.MaxPool2d(kernel, stride, return_indices=True)"
        )


def _may_be_negative(node: torch.fx.Node, program: torch.export.ExportedProgram) -> bool:
    """Return whether what is divided is below 0 for a length that the network takes."""
    import torch
    from torch.utils._sympy.value_ranges import bound_sympy

    above: Any = node.args[0]
    value = above.meta["val"] if isinstance(above, torch.fx.Node) else above
    if not isinstance(value, torch.SymInt):
        return bool(value < 0)
    return bool(bound_sympy(value.node.expr, program.range_constraints).lower < 0)


def floor_division(above: Any, below: Any) -> Any:
    """Divide whole numbers and round down; ONNX rounds to zero."""
    op = _operators()

    return op.Div(op.Sub(above, op.Mod(above, below)), below)


def remainder(self: Any, other: Any) -> Any:
    """Return what is left after dividing by a whole number, with the sign of the divisor."""
    op = _operators()

    return op.Mod(self, op.CastLike(other, self)) if self.dtype in _WHOLE else _left(self, other)


def _left(self: Any, other: Any) -> Any:
    op = _operators()

    divisor = op.CastLike(other, self)
    return op.Sub(self, op.Mul(op.Floor(op.Div(self, divisor)), divisor))


_WHOLE = (2, 3, 4, 5, 6, 7, 12, 13)
"""ONNX's numbers of the whole types (https://onnx.ai/onnx/api/mapping.html)."""


# ── pooling ───────────────────────────────────────────────────────────────────────────────────────────────────


def adaptive_average(self: Any, output_size: Sequence[Any]) -> Any:
    """Average over windows that share an axis out evenly: window i of n is from floor(i*size/n) to ceil((i+1)*size/n).

    One axis after the other, each a product with a matrix that holds 1/length where a window is
    (https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveAvgPool2d.html).
    """
    op = _operators()

    rank = len(self.shape)
    for number, wanted in enumerate(output_size):
        axis = rank - len(output_size) + number
        order = [*(one for one in range(rank) if one != axis), axis]
        back = [order.index(one) for one in range(rank)]
        size = op.Squeeze(op.Shape(self, start=axis, end=axis + 1))
        last = self if axis == rank - 1 else op.Transpose(self, perm=order)
        averaged = op.MatMul(last, op.CastLike(_windows(size, wanted), self))
        self = averaged if axis == rank - 1 else op.Transpose(averaged, perm=back)
    return self


def adaptive_maximum(self: Any, output_size: Sequence[Any]) -> tuple[Any, Any]:
    """Return the largest value of each window, see `adaptive_average`, and nothing of use in place of their places."""
    op = _operators()

    rank = len(self.shape)
    nothing = op.CastLike(op.Constant(value_float=float("-inf")), self)
    for number, wanted in enumerate(output_size):
        axis = rank - len(output_size) + number
        order = [*(one for one in range(rank) if one != axis), axis]
        back = [order.index(one) for one in range(rank)]
        size = op.Squeeze(op.Shape(self, start=axis, end=axis + 1))
        last = self if axis == rank - 1 else op.Transpose(self, perm=order)
        inside, _, _ = _inside(size, wanted)  # [size, wanted]
        spread = op.Where(inside, op.Unsqueeze(last, op.Constant(value_ints=[-1])), nothing)
        largest = op.ReduceMax(spread, op.Constant(value_ints=[-2]), keepdims=0)
        self = largest if axis == rank - 1 else op.Transpose(largest, perm=back)
    return self, op.Cast(self, to=7)


def _windows(size: Any, wanted: Any) -> Any:
    """A matrix [size, wanted]: 1/length where an element is in a window, else 0."""
    op = _operators()

    inside, begin, end = _inside(size, wanted)
    return op.Div(op.Cast(inside, to=1), op.Cast(op.Sub(end, begin), to=1))


def _inside(size: Any, wanted: Any) -> tuple[Any, Any, Any]:
    """Return a matrix [size, wanted] that tells whether an element is in a window, and where windows begin and end."""
    op = _operators()

    zero, one = op.Constant(value_int=0), op.Constant(value_int=1)
    count = op.Constant(value_int=wanted) if isinstance(wanted, int) else op.Squeeze(wanted)
    element = op.Unsqueeze(op.Range(zero, size, one), op.Constant(value_ints=[1]))
    window = op.Range(zero, count, one)
    begin = op.Div(op.Mul(window, size), count)
    end = op.Div(op.Sub(op.Add(op.Mul(op.Add(window, one), size), count), one), count)
    return op.And(op.GreaterOrEqual(element, begin), op.Less(element, end)), begin, end


# ── attention ─────────────────────────────────────────────────────────────────────────────────────────────────


def attention(
    query: Any,
    key: Any,
    value: Any,
    attn_mask: Any = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    """Attend, and give 0 for a row that is masked as a whole, as PyTorch does since 2.5 (`_safe_softmax`)."""
    op = _operators()

    if enable_gqa:
        raise ValueError("attention with fewer keys than queries and a mask has no translation")
    width = query.shape[-1]
    factor = scale if scale is not None else float(width) ** -0.5
    rank = len(key.shape)
    turned = op.Transpose(key, perm=[*range(rank - 2), rank - 1, rank - 2])
    scores = op.MatMul(op.Mul(query, op.CastLike(op.Constant(value_float=factor), query)), turned)
    nothing = op.CastLike(op.Constant(value_float=0.0), query)
    hidden = op.CastLike(op.Constant(value_float=float("-inf")), query)
    if is_causal:
        size = op.Concat(op.Shape(query, start=-2, end=-1), op.Shape(key, start=-2, end=-1), axis=0)
        seen = op.Trilu(op.Expand(op.Constant(value_float=1.0), size), upper=0)
        scores = op.Where(op.Cast(seen, to=9), scores, hidden)
    if attn_mask is not None:
        is_bool = attn_mask.dtype == 9
        scores = op.Where(attn_mask, scores, hidden) if is_bool else op.Add(scores, attn_mask)
    shares = op.Softmax(scores, axis=-1)
    return op.MatMul(op.Where(op.IsNaN(shares), nothing, shares), value)


# ── recurrent layers ──────────────────────────────────────────────────────────────────────────────────────────


def rnn_tanh(input: Any, hx: Any, params: Sequence[Any], *options: Any) -> tuple[Any, Any]:
    """Translate a plain recurrent layer with tanh."""
    return _rnn("Tanh", input, hx, params, *options)


def rnn_relu(input: Any, hx: Any, params: Sequence[Any], *options: Any) -> tuple[Any, Any]:
    """Translate a plain recurrent layer with relu."""
    return _rnn("Relu", input, hx, params, *options)


def _rnn(
    activation: str,
    input: Any,
    hx: Any,
    params: Sequence[Any],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Any, Any]:
    op = _operators()

    directions, each = (2 if bidirectional else 1), (4 if has_biases else 2)
    current = op.Transpose(input, perm=[1, 0, 2]) if batch_first else input
    states = []
    for layer in range(num_layers):
        begin = layer * directions
        weights = [params[number * each : (number + 1) * each] for number in range(begin, begin + directions)]
        y, state = op.RNN(
            current,
            _stacked([one[0] for one in weights]),
            _stacked([one[1] for one in weights]),
            _stacked([op.Concat(one[2], one[3], axis=0) for one in weights]) if has_biases else None,
            None,
            op.Slice(hx, [begin], [begin + directions], [0]),
            activations=[activation] * directions,
            direction="bidirectional" if bidirectional else "forward",
            hidden_size=hx.shape[2],
        )
        # [time, directions, batch, width] → [time, batch, directions * width]
        current = op.Reshape(op.Transpose(y, perm=[0, 2, 1, 3]), [0, 0, directions * hx.shape[2]])
        states.append(state)
    last = states[0] if len(states) == 1 else op.Concat(*states, axis=0)
    return (op.Transpose(current, perm=[1, 0, 2]) if batch_first else current), last


def _stacked(tensors: Sequence[Any]) -> Any:
    op = _operators()

    rows = [op.Unsqueeze(one, [0]) for one in tensors]
    return rows[0] if len(rows) == 1 else op.Concat(*rows, axis=0)


def _operators() -> Any:
    from onnxscript.onnx_opset import opset18

    return opset18
