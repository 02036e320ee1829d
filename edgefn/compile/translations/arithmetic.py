"""Arithmetic where ONNX rounds otherwise than PyTorch."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from edgefn.compile.translations.operators import operators
from edgefn.compile.translations.rule import Rule

if TYPE_CHECKING:
    import torch


def rules() -> dict[Any, Rule]:
    """Return the translations by operator."""
    import torch

    return {
        operator.floordiv: Rule(floor_division, _may_be_negative),
        torch.ops.aten.remainder.Scalar: Rule(remainder, _has_free_divisor),
    }


def _has_free_divisor(node: torch.fx.Node, program: torch.export.ExportedProgram) -> bool:
    import torch

    return isinstance(node.args[1], torch.fx.Node)


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
    op = operators()

    return op.Div(op.Sub(above, op.Mod(above, below)), below)


def remainder(self: Any, other: Any) -> Any:
    """Return what is left after dividing by a whole number, with the sign of the divisor."""
    op = operators()

    return op.Mod(self, op.CastLike(other, self)) if self.dtype in _WHOLE else _left(self, other)


def _left(self: Any, other: Any) -> Any:
    op = operators()

    divisor = op.CastLike(other, self)
    return op.Sub(self, op.Mul(op.Floor(op.Div(self, divisor)), divisor))


_WHOLE = (2, 3, 4, 5, 6, 7, 12, 13)
"""ONNX's numbers of the whole types (https://onnx.ai/onnx/api/mapping.html)."""
