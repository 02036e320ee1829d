"""The sigmoid where its smallest values tell: the logarithm of one, which ONNX Runtime's makes minus infinity.

Its sigmoid is 0 below -18, and off by a tenth at -15, within the last bit of 1.0; a logarithm shows that as -inf in
place of -20. Here exponentials are taken of what is not above 0. Never used where nothing divides by it or takes its
logarithm: the engine's own is faster.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgefn.compile.translations.operators import operators
from edgefn.compile.translations.rule import Rule

if TYPE_CHECKING:
    import torch

_TELLING = {"log", "log2", "log10", "logit", "reciprocal", "rsqrt"}
"""Operators of ATen that make much of a small value."""

_PASSING = (
    {"mul", "prod", "pow", "sqrt", "square", "clone", "contiguous", "view", "reshape", "flatten", "_unsafe_view"}
    | {"permute", "transpose", "t", "unsqueeze", "squeeze", "expand", "select", "slice", "index", "gather", "where"}
    | {"cat", "stack", "split", "split_with_sizes", "chunk", "unbind", "max", "min", "amax", "amin", "to", "_to_copy"}
)
"""Operators after which a small value is still one."""


def rules() -> dict[Any, Rule]:
    """Return the translations by operator; a log_sigmoid has one of its own."""
    import torch

    aten = torch.ops.aten
    return dict.fromkeys((aten.sigmoid.default, aten.special_expit.default), Rule(sigmoid, _is_small_told))


def sigmoid(self: Any) -> Any:
    """Compute the sigmoid to its last bits, however small it is."""
    op = operators()

    near = op.Exp(op.Neg(op.Abs(self)))  # of what is at most 0: it overflows nowhere
    one = op.CastLike(op.Constant(value_float=1.0), self)
    above = op.Min(self, op.CastLike(op.Constant(value_float=0.0), self))
    return op.Div(op.Exp(above), op.Add(one, near))


def _is_small_told(node: torch.fx.Node, program: torch.export.ExportedProgram) -> bool:
    """Tell whether what uses a sigmoid, directly or further on, takes its logarithm or divides by it."""
    waiting, seen = [node], {node}
    while waiting:
        current = waiting.pop()
        for user in current.users:
            kind = _kind(user)
            if kind in _TELLING or (kind == "div" and len(user.args) > 1 and user.args[1] is current):
                return True
            if user not in seen and (kind in _PASSING or kind == "getitem"):
                seen.add(user)
                waiting.append(user)
    return False


def _kind(node: torch.fx.Node) -> str:
    """Return the operator's name without namespace and overload."""
    if node.op != "call_function":
        return ""
    schema = getattr(node.target, "_schema", None)
    return str(schema.name).partition("::")[2].removesuffix("_") if schema else getattr(node.target, "__name__", "")
