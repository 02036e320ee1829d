"""Logarithms and exponentials that neither overflow nor lose a small number's digits, as PyTorch's do not.

The exporter writes them as their definitions: log(exp(100) + exp(0)) is infinity, log(sigmoid(-200)) minus infinity,
and log(1 + 1e-9) is 0, of answers that are 100, -200 and 1e-9.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from edgefn.compile.translations.arithmetic import WHOLE
from edgefn.compile.translations.operators import DOUBLE, FLOAT, HALVES, constant, known, operators, with_last
from edgefn.compile.translations.rule import Rule


def rules() -> dict[Any, Rule]:
    """Return the translations by operator."""
    import torch

    aten = torch.ops.aten
    return {
        aten.log1p.default: Rule(log1p),
        aten.expm1.default: Rule(expm1),
        aten.log_sigmoid.default: Rule(log_sigmoid),
        aten.erfc.default: Rule(erfc),
        aten.special_erfc.default: Rule(erfc),
        aten.special_erfcx.default: Rule(erfcx),
        aten.special_log_ndtr.default: Rule(log_ndtr),
        aten.logsumexp.default: Rule(logsumexp),
        aten.logaddexp.default: Rule(logaddexp),
        aten.logaddexp2.default: Rule(logaddexp2),
        aten.logcumsumexp.default: Rule(logcumsumexp),
    }


def log1p(self: Any) -> Any:
    """Return log(1 + x)."""
    return _log1p(self, self.dtype)


def _log1p(value: Any, dtype: Any) -> Any:
    """Return log(1 + x). What 1 + x loses is made good by x / ((1 + x) - 1).

    After W. Kahan, see D. Goldberg, "What Every Computer Scientist Should Know About Floating-Point Arithmetic", 1991,
    theorem 4.
    """
    op = operators()

    one = constant(1.0, dtype)
    above = op.Add(value, one)
    logarithm = op.Log(above)
    is_nothing = op.Equal(above, one)
    is_lost = op.Or(is_nothing, op.IsInf(above))  # there is nothing to divide by, or no end
    scaled = op.Mul(logarithm, op.Div(value, op.Where(is_lost, one, op.Sub(above, one))))
    return op.Where(is_nothing, value, op.Where(is_lost, logarithm, scaled))


def expm1(self: Any) -> Any:
    """Return exp(x) - 1, which is tanh(x / 2) * (exp(x) + 1)."""
    op = operators()

    half = op.Tanh(op.Mul(self, constant(0.5, self.dtype)))
    return op.Mul(half, op.Add(op.Exp(self), constant(1.0, self.dtype)))


def log_sigmoid(self: Any) -> Any:
    """Return the logarithm of the sigmoid: min(x, 0) - log1p(exp(-|x|))."""
    op = operators()

    return op.Sub(op.Min(self, constant(0.0, self.dtype)), _log1p(op.Exp(op.Neg(op.Abs(self))), self.dtype))


_ERFC = (
    *(-1.26551223, 1.00002368, 0.37409196, 0.09678418, -0.18628806),
    *(0.27886807, -1.13520398, 1.48851587, -0.82215223, 0.17087277),
)
"""Coefficients of powers of 2 / (2 + |x|), to 1.2e-7 of the answer: W. Press et al., "Numerical Recipes", 6.2."""


def erfc(self: Any) -> Any:
    """Return 1 - erf(x), with the digits of a small answer; float32 at least, and whole numbers become it."""
    op = operators()

    value, dtype = _float(self)
    far = op.Abs(value)
    tail = op.Mul(_scaled_tail(far, dtype), op.Exp(op.Neg(op.Mul(far, far))))
    return _by_sign(self, (value, dtype), op.Sub(constant(2.0, dtype), tail), tail)


def erfcx(self: Any) -> Any:
    """Return exp(x * x) * erfc(x), which is infinite far below 0 alone."""
    op = operators()

    value, dtype = _float(self)
    tail = _scaled_tail(op.Abs(value), dtype)
    below = op.Min(value, constant(0.0, dtype))
    grown = op.Sub(op.Mul(constant(2.0, dtype), op.Exp(op.Mul(below, below))), tail)
    return _by_sign(self, (value, dtype), grown, tail)


def log_ndtr(self: Any) -> Any:
    """Return the logarithm of a normal number's share below x.

    Far below 0 it is -x * x / 2 and little more.
    """
    op = operators()

    value, dtype = _float(self)
    apart = op.Mul(value, constant(math.sqrt(0.5), dtype))
    half = op.Mul(constant(0.5, dtype), _scaled_tail(op.Abs(apart), dtype))
    low = op.Sub(op.Log(half), op.Mul(apart, apart))
    high = _log1p(op.Neg(op.Mul(half, op.Exp(op.Neg(op.Mul(apart, apart))))), dtype)
    return _by_sign(self, (value, dtype), low, high)


def _float(self: Any) -> tuple[Any, int]:
    """Return a value in float32 at least, and that type."""
    dtype = DOUBLE if self.dtype == DOUBLE else FLOAT
    return operators().Cast(self, to=dtype), dtype


def _by_sign(self: Any, as_float: tuple[Any, int], below: Any, above: Any) -> Any:
    """Return `below` where `self`, given as by `_float` too, is below 0, else `above`.

    If `self` is of halves, the result is, too.
    """
    op = operators()

    value, dtype = as_float
    found = op.Where(op.Less(value, constant(0.0, dtype)), below, above)
    return op.Cast(found, to=int(self.dtype)) if self.dtype in HALVES else found


def _scaled_tail(far: Any, dtype: int) -> Any:
    """Return exp(x * x) * erfc(x) of what is not below 0."""
    op = operators()

    part = op.Div(constant(2.0, dtype), op.Add(far, constant(2.0, dtype)))
    power = constant(_ERFC[-1], dtype)
    for coefficient in reversed(_ERFC[:-1]):
        power = op.Add(op.Mul(power, part), constant(coefficient, dtype))
    return op.Mul(part, op.Exp(power))


def logsumexp(self: Any, dim: Sequence[int] | int, keepdim: bool = False) -> Any:
    """Return log(exp(x) + ...) along axes.

    ONNX Runtime's own takes no largest number where the first is -infinity.
    """
    op = operators()

    if not self.shape:
        return op.Identity(self)
    value = known(op.Cast(self, to=FLOAT), FLOAT, self.shape) if self.dtype in WHOLE else self
    axes = [dim] if isinstance(dim, int) else list(dim) or list(range(len(self.shape)))
    largest = op.ReduceMax(value, op.Constant(value_ints=axes), keepdims=1)
    is_finite = op.Less(op.Abs(largest), constant(math.inf, value.dtype))
    largest = op.Where(is_finite, largest, constant(0.0, value.dtype))
    total = op.ReduceSum(op.Exp(op.Sub(value, largest)), op.Constant(value_ints=axes), keepdims=int(keepdim))
    return op.Add(op.Log(total), largest if keepdim else op.Squeeze(largest, op.Constant(value_ints=axes)))


def logaddexp(self: Any, other: Any) -> Any:
    """Return log(exp(x) + exp(y))."""
    return _added(self, other, 1.0)


def logaddexp2(self: Any, other: Any) -> Any:
    """Return log2(2^x + 2^y)."""
    return _added(self, other, math.log(2))


def _added(self: Any, other: Any, scale: float) -> Any:
    """Return the larger one plus the amount that the smaller one adds to it.

    Infinities of one sign are as far apart as 0.
    """
    op = operators()

    factor = constant(scale, self.dtype)
    apart = op.Where(op.Equal(self, other), constant(0.0, self.dtype), op.Abs(op.Sub(self, other)))
    added = _log1p(op.Exp(op.Neg(op.Mul(apart, factor))), self.dtype)
    return op.Add(op.Max(self, other), op.Div(added, factor))


def logcumsumexp(self: Any, dim: int) -> Any:
    """Return the logarithm of the sum of the exponentials up to each place.

    It is a sum over a triangle of them all.
    """
    op = operators()

    rank = len(self.shape)
    if rank == 0:
        return op.Identity(self)
    axis = dim % rank
    size = op.Shape(self, start=axis, end=axis + 1)
    square = op.Expand(constant(1.0, FLOAT), op.Concat(size, size, axis=0))
    is_past = op.Cast(op.Trilu(square, upper=0), to=9)

    def summed(last: Any) -> Any:
        past = op.Where(is_past, op.Unsqueeze(last, op.Constant(value_ints=[-2])), constant(-math.inf, self.dtype))
        return op.ReduceLogSumExp(past, op.Constant(value_ints=[-1]), keepdims=0)

    return with_last(self, rank, axis, summed)
