"""Plain recurrent layers, one ONNX operator each (edgefn.compile.capture.recurrent keeps them whole)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from edgefn.compile.translations.operators import operators
from edgefn.compile.translations.rule import Rule
from edgefn.errors import BuildError

if TYPE_CHECKING:
    import torch


def rules() -> dict[Any, Rule]:
    """Return the translations by operator."""
    import torch

    aten = torch.ops.aten
    return {aten.rnn_tanh.input: Rule(rnn_tanh), aten.rnn_relu.input: Rule(rnn_relu)}


def check(node: torch.fx.Node, model: str) -> None:
    """Raise BuildError for an LSTM with a projection."""
    import torch

    if node.target is not torch.ops.aten.lstm.input:
        return
    states: Any = node.args[1]
    hidden, cell = states
    if hidden.meta["val"].shape[2] != cell.meta["val"].shape[2]:
        raise BuildError(
            f"model {model} does not export to ONNX: it has no LSTM with proj_size; leave out proj_size, and put "
            "torch.nn.Linear(hidden_size, proj_size, bias=False) after the layer for a smaller output"
        )


def rnn_tanh(input: Any, hx: Any, params: Sequence[Any], *options: Any) -> tuple[Any, Any]:
    """Translate a plain recurrent layer with tanh."""
    return _rnn("Tanh", input, hx, params, *options)


def rnn_relu(input: Any, hx: Any, params: Sequence[Any], *options: Any) -> tuple[Any, Any]:
    """Translate a plain recurrent layer with relu."""
    return _rnn("Relu", input, hx, params, *options)


def _rnn(
    activation: str,
    input: Any,
    hx: Any,
    params: Sequence[Any],
    has_biases: bool,
    num_layers: int,
    dropout: float,
    train: bool,
    bidirectional: bool,
    batch_first: bool,
) -> tuple[Any, Any]:
    op = operators()

    directions, each = (2 if bidirectional else 1), (4 if has_biases else 2)
    current = op.Transpose(input, perm=[1, 0, 2]) if batch_first else input
    states = []
    for layer in range(num_layers):
        begin = layer * directions
        weights = [params[number * each : (number + 1) * each] for number in range(begin, begin + directions)]
        y, state = op.RNN(
            current,
            _stacked([one[0] for one in weights]),
            _stacked([one[1] for one in weights]),
            _stacked([op.Concat(one[2], one[3], axis=0) for one in weights]) if has_biases else None,
            None,
            op.Slice(hx, [begin], [begin + directions], [0]),
            activations=[activation] * directions,
            direction="bidirectional" if bidirectional else "forward",
            hidden_size=hx.shape[2],
        )
        # [time, directions, batch, width] → [time, batch, directions * width]
        current = op.Reshape(op.Transpose(y, perm=[0, 2, 1, 3]), [0, 0, directions * hx.shape[2]])
        states.append(state)
    last = states[0] if len(states) == 1 else op.Concat(*states, axis=0)
    return (op.Transpose(current, perm=[1, 0, 2]) if batch_first else current), last


def _stacked(tensors: Sequence[Any]) -> Any:
    op = operators()

    rows = [op.Unsqueeze(one, [0]) for one in tensors]
    return rows[0] if len(rows) == 1 else op.Concat(*rows, axis=0)
