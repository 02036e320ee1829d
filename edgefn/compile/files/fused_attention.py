"""PyTorch's fused attention, which a trace made without gradients holds, written with operators that export.

Source: aten/src/ATen/native/transformers/{attention,transformer}.cpp. Masks are not followed: they are refused.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional

from edgefn.errors import BuildError


def attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    size: int,
    heads: int,
    weight: torch.Tensor,
    bias: torch.Tensor,
    out_weight: torch.Tensor,
    out_bias: torch.Tensor,
    mask: torch.Tensor | None = None,
    need_weights: bool = True,
    *rest: Any,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Compute `aten::_native_multi_head_attention`, batch first, without a mask and without the weights.

    Raises BuildError for a mask, and if the weights are needed.
    """
    if mask is not None or need_weights:
        raise BuildError(
            "its trace holds fused attention with a mask or with its weights, which cannot be exported: trace it with "
            "gradients enabled, or save a program with torch.export.save"
        )

    def projected(tensor: torch.Tensor, part: int) -> torch.Tensor:
        rows = slice(part * size, (part + 1) * size)
        found = functional.linear(tensor, weight[rows], bias[rows])
        return found.reshape(found.shape[0], found.shape[1], heads, size // heads).transpose(1, 2)

    found = functional.scaled_dot_product_attention(projected(query, 0), projected(key, 1), projected(value, 2))
    return functional.linear(found.transpose(1, 2).flatten(2), out_weight, out_bias), None


def encoder_layer(
    source: torch.Tensor,
    size: int,
    heads: int,
    weight: torch.Tensor,
    bias: torch.Tensor,
    out_weight: torch.Tensor,
    out_bias: torch.Tensor,
    gelu: bool,
    norm_first: bool,
    eps: float,
    *tensors: Any,
) -> torch.Tensor:
    """Compute `aten::_transformer_encoder_layer_fwd`.

    `tensors` are norm 1, norm 2, then the two linear layers, each weight and bias.
    """
    scale_1, shift_1, scale_2, shift_2, weight_1, bias_1, weight_2, bias_2, *rest = tensors
    mask = rest[0] if rest else None

    def attended(x: torch.Tensor) -> torch.Tensor:
        return attention(x, x, x, size, heads, weight, bias, out_weight, out_bias, mask, False)[0]

    def fed(x: torch.Tensor) -> torch.Tensor:
        hidden = functional.linear(x, weight_1, bias_1)
        return functional.linear(functional.gelu(hidden) if gelu else functional.relu(hidden), weight_2, bias_2)

    def first(x: torch.Tensor) -> torch.Tensor:
        return functional.layer_norm(x, (size,), scale_1, shift_1, eps)

    def second(x: torch.Tensor) -> torch.Tensor:
        return functional.layer_norm(x, (size,), scale_2, shift_2, eps)

    if norm_first:
        x = source + attended(first(source))
        return x + fed(second(x))
    x = first(source + attended(source))
    return second(x + fed(x))
