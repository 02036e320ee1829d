"""Divisions and what they leave, where ONNX or the exporter rounds otherwise than PyTorch."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from edgefn.compile.translations.operators import DOUBLE, FLOAT, HALVES, constant, known, operators
from edgefn.compile.translations.rule import Rule

if TYPE_CHECKING:
    import torch


def rules() -> dict[Any, Rule]:
    """Return the translations by operator.

    The exporter's own lose digits: of whole numbers beyond 2^24, of quotients near a whole number.
    """
    import torch

    aten = torch.ops.aten
    remainders = (aten.remainder.Scalar, aten.remainder.Tensor, aten.remainder.Scalar_Tensor)
    quotients = (aten.div.Tensor_mode, aten.div.Scalar_mode)
    return {
        operator.floordiv: Rule(floor_division, _may_be_negative),
        aten.scalar_tensor.default: Rule(scalar_tensor),
        aten.add.Tensor: Rule(either, _is_of_truth_values),
        **dict.fromkeys(remainders, Rule(_in_float32(remainder))),
        **dict.fromkeys(quotients, Rule(_in_float32(quotient))),
        aten.floor_divide.default: Rule(_in_float32(floor_divide)),
        aten.floor_divide.Scalar: Rule(_in_float32(floor_divide)),
        **dict.fromkeys((aten.bitwise_right_shift.Tensor_Scalar, aten.__rshift__.Scalar), Rule(right_shift)),
        **dict.fromkeys((aten.bitwise_right_shift.Tensor, aten.__rshift__.Tensor), Rule(right_shifts)),
        **dict.fromkeys((aten.bitwise_left_shift.Tensor, aten.__lshift__.Tensor), Rule(left_shifts)),
    }


def _in_float32(translation: Callable[..., Any]) -> Callable[..., Any]:
    """Return a translation that computes halves in float32, as PyTorch does."""

    def translated(self: Any, other: Any, rounding_mode: str | None = None) -> Any:
        op = operators()

        options = {} if rounding_mode is None else {"rounding_mode": rounding_mode}
        halves = {one.dtype for one in (self, other) if getattr(one, "dtype", None) in HALVES}
        if not halves:
            return translation(self, other, **options)
        wide = [known(op.Cast(one, to=FLOAT), FLOAT) if hasattr(one, "dtype") else one for one in (self, other)]
        return op.Cast(translation(*wide, **options), to=int(halves.pop()))

    return translated


def _may_be_negative(node: torch.fx.Node, program: torch.export.ExportedProgram) -> bool:
    """Tell whether the dividend is below 0 for a length that the network takes."""
    import torch
    from torch.utils._sympy.value_ranges import bound_sympy

    above: Any = node.args[0]
    value = above.meta["val"] if isinstance(above, torch.fx.Node) else above
    if not isinstance(value, torch.SymInt):
        return bool(value < 0)
    return bool(bound_sympy(value.node.expr, program.range_constraints).lower < 0)


def _is_of_truth_values(node: torch.fx.Node, program: torch.export.ExportedProgram) -> bool:
    import torch

    value = node.meta.get("val")
    return isinstance(value, torch.Tensor) and value.dtype == torch.bool


def either(self: Any, other: Any, alpha: float = 1.0) -> Any:
    """Add: of truth values, whether one of them holds."""
    from onnxscript.function_libs.torch_lib.ops import core

    if self.dtype == other.dtype == BOOL:
        return operators().Or(self, other)
    return core.aten_add(self, other, alpha)


def scalar_tensor(s: Any, dtype: int = FLOAT, **options: Any) -> Any:
    """Make a tensor of a Python number to its last digit.

    In double precision the exporter's has that of float32.
    """
    from onnxscript.function_libs.torch_lib.ops import core

    if dtype != DOUBLE or hasattr(s, "dtype"):
        return core.aten_scalar_tensor(s, dtype)
    return constant(s, dtype)


def floor_division(above: Any, below: Any) -> Any:
    """Divide whole numbers and round down; ONNX rounds to zero."""
    op = operators()

    return op.Div(op.Sub(above, op.Mod(above, below)), below)


def remainder(self: Any, other: Any) -> Any:
    """Return the remainder of a division that is rounded down: it has the sign of the divisor."""
    op = operators()

    above, below = _pair(self, other)
    if above.dtype in WHOLE:
        return op.Mod(above, below)
    left = op.Mod(above, below, fmod=1)
    return op.Where(_is_off(left, below), op.Add(left, below), left)


def quotient(self: Any, other: Any, rounding_mode: str | None = None) -> Any:
    """Divide, and round to zero or down."""
    op = operators()

    if rounding_mode == "floor":
        return floor_divide(self, other)
    above, below = _pair(self, other)
    if rounding_mode is None:
        floats = [op.Cast(one, to=FLOAT) if one.dtype in WHOLE else one for one in (above, below)]
        return op.Div(*floats)
    if above.dtype in WHOLE:
        return _divided(above, below)
    whole = op.Div(above, below)
    return op.Mul(op.Floor(op.Abs(whole)), op.Sign(whole))


def floor_divide(self: Any, other: Any) -> Any:
    """Divide and round down, floats as Python does.

    0.6 // 0.2 is 2, for 0.6 is a little less than three times 0.2. PyTorch computes the same (div_floor_floating in
    c10/util/generic_math.h).
    """
    op = operators()

    above, below = _pair(self, other)
    if above.dtype in UNSIGNED:
        return op.Div(above, below)
    if above.dtype in NARROW:  # -128 less what a division leaves is none of int8
        wide = [known(op.Cast(one, to=INT32), INT32) for one in (above, below)]
        return op.Cast(floor_division(*wide), to=int(above.dtype))
    if above.dtype in WHOLE:
        return _floor_whole(above, below, is_positive=isinstance(other, int) and other > 0)
    left = op.Mod(above, below, fmod=1)
    whole = op.Div(op.Sub(above, left), below)
    whole = op.Sub(whole, op.CastLike(_is_off(left, below), above))
    down = op.Floor(whole)
    half = op.CastLike(op.Constant(value_float=0.5), above)
    down = op.Add(down, op.CastLike(op.Greater(op.Sub(whole, down), half), above))
    zero = op.CastLike(op.Constant(value_float=0.0), above)
    return op.Where(op.Equal(below, zero), op.Div(above, below), down)


def _floor_whole(above: Any, below: Any, *, is_positive: bool) -> Any:
    """Divide whole numbers and round down, the least of a type too: what is divided never leaves the type.

    The division leaves nothing, so it is the same whichever way an engine rounds.
    """
    op = operators()

    left = op.Mod(above, below, fmod=1)
    is_above = op.Less(left, constant(0, above.dtype)) if is_positive else _is_off(left, below)
    whole = op.Div(op.Sub(above, left), below) if is_positive else _divided(op.Sub(above, left), below, above.dtype)
    return op.Sub(whole, op.CastLike(is_above, above))


def _divided(above: Any, below: Any, dtype: Any = None) -> Any:
    """Divide whole numbers and round to zero.

    The least of a type by -1 ends the process where a CPU divides it.
    """
    op = operators()

    dtype = above.dtype if dtype is None else dtype
    if dtype not in (INT32, INT64):
        return op.Div(above, below)
    is_turned = op.Equal(below, constant(-1, dtype))
    return op.Where(is_turned, op.Neg(above), op.Div(above, op.Where(is_turned, constant(1, dtype), below)))


def right_shift(self: Any, other: int) -> Any:
    """Shift the bits of whole numbers to the right: a division by a power of two, rounded down.

    The exporter's own gives uint8 as int8, and openvino's rounds up, and has no sign.
    """
    op = operators()

    most = self.dtype.bitwidth - (1 if self.dtype in UNSIGNED else 2)  # the largest power of two of the type
    if other <= most:
        return floor_divide(self, 2**other)
    return op.Neg(op.CastLike(op.Less(self, constant(0, self.dtype)), self))


def right_shifts(self: Any, other: Any) -> Any:
    """Shift the bits of whole numbers to the right, each by a number of its own, 0 or more."""
    op = operators()

    wide, power = _wide_powers(self, other)
    return op.Cast(floor_division(wide, power), to=int(self.dtype))


def left_shifts(self: Any, other: Any) -> Any:
    """Shift the bits of whole numbers to the left, each by a number of its own.

    Bits that leave the type are lost.
    """
    op = operators()

    wide, power = _wide_powers(self, other)
    return op.Cast(op.Mul(wide, power), to=int(self.dtype))


def _wide_powers(self: Any, other: Any) -> tuple[Any, Any]:
    """Return `self` as int64, and two to the power of `other`, both of whole numbers.

    The power is at most the one that leaves no bit of the type.
    """
    op = operators()

    most = min(self.dtype.bitwidth, 62)
    table = op.Constant(value_ints=[2**power for power in range(most + 1)])
    powers = op.Min(op.Cast(other, to=INT64), constant(most, INT64))
    return known(op.Cast(self, to=INT64), INT64), known(op.Gather(table, powers), INT64)


def _is_off(left: Any, below: Any) -> Any:
    """Return where a remainder is not 0 and has not the sign of the divisor."""
    op = operators()

    zero = op.CastLike(op.Constant(value_float=0.0), left)
    differs = op.Xor(op.Less(left, zero), op.Less(below, zero))
    return op.And(op.Not(op.Equal(left, zero)), differs)


def _pair(self: Any, other: Any) -> tuple[Any, Any]:
    """Return two numbers or tensors as tensors of one type.

    It is the type of the floating one, where only one of them is.
    """
    op = operators()

    if not hasattr(self, "dtype"):
        other, self = _pair(other, self)
        return self, other
    if not hasattr(other, "dtype"):
        if isinstance(other, float) and self.dtype in WHOLE:
            self = known(op.Cast(self, to=FLOAT), FLOAT)
        return self, constant(other, self.dtype)
    if self.dtype == other.dtype:
        return self, other
    return (op.CastLike(self, other), other) if self.dtype in WHOLE else (self, op.CastLike(other, self))


UNSIGNED = (2, 4, 12, 13)
NARROW = (3, 5)
INT32, INT64 = 6, 7
BOOL = 9
WHOLE = (*UNSIGNED, 3, 5, 6, 7)
"""ONNX's numbers of the types (https://onnx.ai/onnx/api/mapping.html)."""
