"""The angle of two numbers, of which ONNX has no operator: the exporter gives -π for (0, -1), where PyTorch gives π."""

from __future__ import annotations

import math
from typing import Any

from edgefn.compile.translations.operators import operators
from edgefn.compile.translations.rule import Rule


def rules() -> dict[Any, Rule]:
    """Return the translation by operator."""
    import torch

    return {torch.ops.aten.atan2.default: Rule(atan2)}


def atan2(self: Any, other: Any) -> Any:
    """Return the angle of (other, self), from -π to π, with the sign of `self`, that of a zero too.

    The angle of NaN is NaN. As C's atan2 (https://en.cppreference.com/w/c/numeric/math/atan2): the angle within the
    first eighth from the smaller over the larger, then mirrored.
    """
    op = operators()

    def number(value: float) -> Any:
        return op.CastLike(op.Constant(value_float=value), self)

    def is_negative(value: Any) -> Any:
        zero = number(0.0)
        return op.Or(op.Less(value, zero), op.Less(op.Div(number(1.0), value), zero))

    height, width = op.Abs(self), op.Abs(other)
    is_steep = op.Greater(height, width)
    above, below = op.Where(is_steep, width, height), op.Where(is_steep, height, width)
    slope = op.Where(op.Equal(above, below), number(1.0), op.Div(above, below))
    slope = op.Where(op.Equal(below, number(0.0)), above, slope)
    angle = op.Atan(slope)
    angle = op.Where(is_steep, op.Sub(number(math.pi / 2), angle), angle)
    angle = op.Where(is_negative(other), op.Sub(number(math.pi), angle), angle)
    return op.Mul(angle, op.Where(is_negative(self), number(-1.0), number(1.0)))  # a Where loses a zero's sign
