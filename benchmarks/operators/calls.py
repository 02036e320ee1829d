"""Calls of PyTorch's operators with arguments of every kind, from the table that PyTorch tests itself with."""

from __future__ import annotations

import random
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import torch

DTYPES = ("float32", "int64")
LARGEST = 20_000
"""Inputs of more elements are left out."""


class Call(NamedTuple):
    """A network that is one operator, with example inputs; `text` shows its arguments."""

    network: torch.nn.Module
    inputs: list[torch.Tensor]
    text: str


def operators() -> dict[str, Any]:
    """Return the operators by name, with their variant: `clamp`, `round.decimals_3`."""
    from torch.testing._internal.common_methods_invocations import op_db

    return {one.name + (f".{one.variant_test_name}" if one.variant_test_name else ""): one for one in op_db}


def calls(operator: Any, dtype: str, most: int) -> Iterator[Call]:
    """Yield at most `most` calls that are unlike, in an order that is the same each time."""
    import torch

    if getattr(torch, dtype) not in operator.dtypes:
        return
    samples = list(operator.sample_inputs("cpu", getattr(torch, dtype), requires_grad=False))
    random.Random(0).shuffle(samples)
    seen: set[str] = set()
    for sample in samples:
        kind = _kind((sample.input, sample.args, sample.kwargs))
        if kind not in seen and len(seen) < most and (call := _call(operator, sample)):
            seen.add(kind)
            yield call


def _kind(argument: Any) -> str:
    """Return what makes an argument unlike others: not a tensor's sizes."""
    import torch

    if isinstance(argument, torch.Tensor):
        return f"{argument.dtype} of rank {argument.dim()}"
    if isinstance(argument, (list, tuple)):
        return f"({', '.join(map(_kind, argument))})"
    if isinstance(argument, dict):
        return ", ".join(f"{name}={_kind(one)}" for name, one in sorted(argument.items()))
    return repr(argument)


class _Place(NamedTuple):
    """Where an argument comes from: an input's number."""

    number: int


def _call(operator: Any, sample: Any) -> Call | None:
    """Return a sample as a network of its tensors; None where none has an axis, one is empty or too large."""
    import torch
    from torch.utils import _pytree

    flat, tree = _pytree.tree_flatten((sample.input, tuple(sample.args), dict(sample.kwargs)))
    inputs: list[torch.Tensor] = []
    for place, argument in enumerate(flat):
        if isinstance(argument, torch.Tensor):
            flat[place] = _Place(len(inputs))
            inputs.append(argument.detach().contiguous().clone())
    if not any(one.dim() for one in inputs) or not all(_is_usual(one) for one in inputs):
        return None

    class Network(torch.nn.Module):
        def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
            arguments = [tensors[one.number] if isinstance(one, _Place) else one for one in flat]
            first, more, options = _pytree.tree_unflatten(arguments, tree)
            found = operator.op(first, *more, **options)
            return tuple(one for one in _pytree.tree_leaves(found) if isinstance(one, torch.Tensor))

    shown = [
        f"[{', '.join(map(str, inputs[one.number].shape))}]" if isinstance(one, _Place) else repr(one) for one in flat
    ]
    return Call(Network(), inputs, ", ".join(shown)[:200])


def _is_usual(tensor: torch.Tensor) -> bool:
    import torch

    types = (torch.float32, torch.float16, torch.bool, torch.uint8, torch.int32, torch.int64)
    return tensor.dtype in types and 0 < tensor.numel() <= LARGEST
