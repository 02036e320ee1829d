"""Recurrent layers as single operators: torch.export unrolls them, one time step after the other, to find a shape.

That fixes the number of steps, and takes minutes for some hundred of them. Here the shape is computed. The operators
are torch's own (aten.lstm, aten.gru, aten.rnn_tanh, aten.rnn_relu), so any runtime that has them runs the program; the
ONNX exporter translates them one to one. Never changes what a network computes.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch


@contextmanager
def kept_whole() -> Iterator[None]:
    """Let torch infer the shape of a recurrent layer without unrolling it, within the block.

    Tracing keeps such a layer in any case.
    """
    import torch
    import torch._decomp
    from torch._C import DispatchKey

    aten = torch.ops.aten
    rules: dict[Any, Any] = {
        aten.gru.input: _one_state,
        aten.rnn_tanh.input: _one_state,
        aten.rnn_relu.input: _one_state,
        aten.lstm.input: _two_states,
    }
    table = torch._decomp.decomposition_table
    before = {operator: (dict(operator.py_kernels), table[operator]) for operator in rules}
    try:
        for operator, rule in rules.items():
            _set(operator, dict.fromkeys((DispatchKey.CompositeImplicitAutograd, DispatchKey.Autograd), rule))
            table[operator] = rule
        yield
    finally:
        for operator, (kernels, decomposition) in before.items():
            operator.py_kernels.clear()
            _set(operator, kernels)
            table[operator] = decomposition


def _set(operator: Any, kernels: dict[Any, Any]) -> None:
    operator.py_kernels.update(kernels)
    operator._dispatch_cache.clear()


def _one_state(
    input: torch.Tensor, hx: torch.Tensor, params: Sequence[torch.Tensor], *options: Any
) -> tuple[torch.Tensor, torch.Tensor]:
    """Return tensors of the shapes that a GRU or a plain recurrent layer gives: all steps, last states."""
    return _outputs(input, hx.shape[2], *options), hx.new_empty(hx.shape)


def _two_states(
    input: torch.Tensor, hx: Sequence[torch.Tensor], params: Sequence[torch.Tensor], *options: Any
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return the same as `_one_state` for an LSTM.

    A projection may have made its hidden state smaller than its cell.
    """
    hidden, cell = hx
    return _outputs(input, hidden.shape[2], *options), hidden.new_empty(hidden.shape), cell.new_empty(cell.shape)


def _outputs(
    input: torch.Tensor,
    width: int,
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> torch.Tensor:
    steps, batch = (input.shape[1], input.shape[0]) if batch_first else (input.shape[0], input.shape[1])
    outputs = input.new_empty((steps, batch, width * (2 if bidirectional else 1)))
    return outputs.transpose(0, 1) if batch_first else outputs  # in memory as torch computes them
