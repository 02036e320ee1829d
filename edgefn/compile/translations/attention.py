"""Attention as PyTorch computes it where all is masked, and of any rank."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgefn.compile.translations.operators import operators
from edgefn.compile.translations.rule import Rule

if TYPE_CHECKING:
    import torch


def rules() -> dict[Any, Rule]:
    """Return the translation: it gives 0 and not NaN where all is masked, as eager PyTorch does.

    It takes ranks other than four, too.
    """
    import torch

    return {torch.ops.aten.scaled_dot_product_attention.default: Rule(attention, _is_masked)}


def _is_masked(node: torch.fx.Node, program: torch.export.ExportedProgram) -> bool:
    query: Any = node.args[0]
    masked = (len(node.args) > 3 and node.args[3] is not None) or node.kwargs.get("attn_mask") is not None
    return (masked or query.meta["val"].dim() != 4) and not node.kwargs.get("enable_gqa", False)


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
    """Compute attention, and give 0 for a row that is masked as a whole.

    PyTorch has done so since 2.5 (`_safe_softmax`).
    """
    op = operators()

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
