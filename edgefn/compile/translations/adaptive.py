"""Adaptive pooling of any size: the exporter has it for one size, or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from edgefn.compile.translations.operators import operators, with_last
from edgefn.compile.translations.rule import Rule
from edgefn.errors import BuildError

if TYPE_CHECKING:
    import torch


def rules() -> dict[Any, Rule]:
    """Return the translations by operator. F.interpolate(mode="area") is one of these."""
    import torch

    aten = torch.ops.aten
    averages = (aten.adaptive_avg_pool1d.default, aten.adaptive_avg_pool2d.default, aten.adaptive_avg_pool3d.default)
    maxima = (aten.adaptive_max_pool1d.default, aten.adaptive_max_pool2d.default, aten.adaptive_max_pool3d.default)
    return {
        **dict.fromkeys(averages, Rule(adaptive_average, _has_free_windows)),
        **dict.fromkeys(maxima, Rule(adaptive_maximum)),
    }


def _has_free_windows(node: torch.fx.Node, program: torch.export.ExportedProgram) -> bool:
    """Tell whether an adaptive pooling's windows depend on a free size.

    A pooling to one output has one window: the whole axis.
    """
    tensor: Any = node.args[0]
    wanted: Any = node.args[1]
    sizes = tensor.meta["val"].shape[-len(wanted) :]
    return any(not isinstance(size, int) and out != 1 for size, out in zip(sizes, wanted, strict=True))


def check(node: torch.fx.Node, model: str) -> None:
    """Raise BuildError where the network asks an adaptive pooling for the places of its largest values."""
    rule = rules().get(node.target)
    if rule and rule.translation is adaptive_maximum and any(user.args[1] == 1 and user.users for user in node.users):
        raise BuildError(
            f"model {model} does not export to ONNX: it has no adaptive pooling that returns the indices of the "
            "largest values; leave out return_indices, or pool with torch.nn.MaxPool2d(kernel, stride, "
            "return_indices=True)"
        )


def adaptive_average(self: Any, output_size: Sequence[Any]) -> Any:
    """Average over windows that share an axis out evenly.

    Window i of n is from floor(i*size/n) to ceil((i+1)*size/n). One axis after the other, each a product with a matrix
    that holds 1/length where a window is
    (https://docs.pytorch.org/docs/stable/generated/torch.nn.AdaptiveAvgPool2d.html).
    """
    op = operators()

    def averaged(last: Any, size: Any, wanted: Any) -> Any:
        return op.MatMul(last, op.CastLike(_windows(size, wanted), self))

    return _along_each(self, output_size, averaged)


def adaptive_maximum(self: Any, output_size: Sequence[Any]) -> tuple[Any, Any]:
    """Return the largest value of each window, see `adaptive_average`.

    The second result stands for the places of these values, and is of no use.
    """
    op = operators()

    nothing = op.CastLike(op.Constant(value_float=float("-inf")), self)

    def largest(last: Any, size: Any, wanted: Any) -> Any:
        inside, _, _ = _inside(size, wanted)  # [size, wanted]
        spread = op.Where(inside, op.Unsqueeze(last, op.Constant(value_ints=[-1])), nothing)
        return op.ReduceMax(spread, op.Constant(value_ints=[-2]), keepdims=0)

    found = _along_each(self, output_size, largest)
    return found, op.Cast(found, to=7)


def _along_each(value: Any, output_size: Sequence[Any], pooled: Callable[..., Any]) -> Any:
    """Pool one axis after the other.

    `pooled` takes a value, the size of its last axis, and the size that is wanted.
    """
    op = operators()

    rank = len(value.shape)
    for axis, wanted in enumerate(output_size, rank - len(output_size)):
        size = op.Squeeze(op.Shape(value, start=axis, end=axis + 1))
        value = with_last(value, rank, axis, partial(pooled, size=size, wanted=wanted))
    return value


def _windows(size: Any, wanted: Any) -> Any:
    """Return a matrix [size, wanted]: 1/length where an element is in a window, else 0."""
    op = operators()

    inside, begin, end = _inside(size, wanted)
    return op.Div(op.Cast(inside, to=1), op.Cast(op.Sub(end, begin), to=1))


def _inside(size: Any, wanted: Any) -> tuple[Any, Any, Any]:
    """Return a matrix [size, wanted] that marks the elements in each window.

    Returns also where windows begin and end.
    """
    op = operators()

    zero, one = op.Constant(value_int=0), op.Constant(value_int=1)
    count = op.Constant(value_int=wanted) if isinstance(wanted, int) else op.Squeeze(wanted)
    element = op.Unsqueeze(op.Range(zero, size, one), op.Constant(value_ints=[1]))
    window = op.Range(zero, count, one)
    begin = op.Div(op.Mul(window, size), count)
    end = op.Div(op.Sub(op.Add(op.Mul(op.Add(window, one), size), count), one), count)
    return op.And(op.GreaterOrEqual(element, begin), op.Less(element, end)), begin, end
