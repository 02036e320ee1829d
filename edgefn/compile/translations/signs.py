"""Functions of signs and of what is no number, in which the exporter loses NaN or -0, or which ONNX has not.

Whether a NaN itself has a sign is not told apart: it has none here.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from edgefn.compile.translations.arithmetic import BOOL, WHOLE
from edgefn.compile.translations.operators import FLOAT, constant, known, operators
from edgefn.compile.translations.rule import Rule


def rules() -> dict[Any, Rule]:
    """Return the translations by operator."""
    import torch

    aten = torch.ops.aten
    return {
        **dict.fromkeys((aten.sign.default, aten.sgn.default), Rule(sign)),
        aten.signbit.default: Rule(signbit),
        **dict.fromkeys((aten.copysign.Tensor, aten.copysign.Scalar), Rule(copysign)),
        aten.heaviside.default: Rule(heaviside),
        aten.fmax.default: Rule(fmax),
        aten.fmin.default: Rule(fmin),
        aten.xlogy.Tensor: Rule(xlogy),
        aten.logit.default: Rule(logit),
    }


def sign(self: Any) -> Any:
    """Return -1, 0 or 1: of NaN PyTorch says 0, and ONNX Runtime NaN."""
    op = operators()

    if self.dtype in WHOLE:
        return op.Sign(self)
    if self.dtype == BOOL:
        return op.Identity(self)
    zero = constant(0.0, self.dtype)
    return op.Sub(op.CastLike(op.Less(zero, self), self), op.CastLike(op.Less(self, zero), self))


def signbit(self: Any) -> Any:
    """Return whether a number is below 0 or -0."""
    op = operators()

    if self.dtype == BOOL:
        return op.Not(op.Or(self, op.Not(self)))
    if self.dtype in WHOLE:
        return op.Less(self, constant(0, self.dtype))
    return _is_negative(self)


def _is_negative(value: Any) -> Any:
    """Return where a float is below 0, or has an inverse that is."""
    op = operators()

    zero, one = constant(0.0, value.dtype), constant(1.0, value.dtype)
    return op.Or(op.Less(value, zero), op.Less(op.Div(one, value), zero))


def copysign(self: Any, other: Any) -> Any:
    """Return the size of one number with the sign of another, which may be one of Python."""
    op = operators()

    size = op.Abs(self)
    if not hasattr(other, "dtype"):
        return op.Neg(size) if math.copysign(1.0, other) < 0 else size
    return op.Where(_is_negative(other), op.Neg(size), size)


def heaviside(self: Any, values: Any) -> Any:
    """Return 0 below 0 and for NaN, 1 above, and `values` at 0."""
    op = operators()

    zero = constant(0, self.dtype)
    return op.Where(op.Equal(self, zero), values, op.CastLike(op.Less(zero, self), self))


def fmax(self: Any, other: Any) -> Any:
    """Return the larger one of two numbers, and the other one of a NaN."""
    return _but_for_nan(self, other, operators().Max)


def fmin(self: Any, other: Any) -> Any:
    """Return the smaller one of two numbers, and the other one of a NaN."""
    return _but_for_nan(self, other, operators().Min)


def _but_for_nan(self: Any, other: Any, chosen: Callable[[Any, Any], Any]) -> Any:
    op = operators()

    if self.dtype in WHOLE:
        return chosen(self, other)
    return op.Where(op.IsNaN(self), other, op.Where(op.IsNaN(other), self, chosen(self, other)))


def xlogy(self: Any, other: Any) -> Any:
    """Return x * log(y), which is 0 where x is, but for a y of NaN."""
    op = operators()

    value, logarithm = (known(op.Cast(one, to=FLOAT), FLOAT) if one.dtype in WHOLE else one for one in (self, other))
    is_nothing = op.And(op.Equal(value, constant(0.0, value.dtype)), op.Not(op.IsNaN(logarithm)))
    return op.Where(is_nothing, constant(0.0, value.dtype), op.Mul(value, op.Log(logarithm)))


def logit(self: Any, eps: float | None = None) -> Any:
    """Return log(x / (1 - x)), of x kept so far from 0 and 1."""
    op = operators()

    value, one = self, constant(1.0, self.dtype)
    if eps is not None:
        value = op.Min(op.Max(self, constant(eps, self.dtype)), constant(1.0 - eps, self.dtype))
    return op.Log(op.Div(value, op.Sub(one, value)))
