"""Recurrent layers of a captured program, each one operator: a compiler that unrolls them needs the number of steps."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edgefn.errors import BuildError

if TYPE_CHECKING:
    import torch

LAYERS = ("aten.lstm.input", "aten.gru.input", "aten.rnn_tanh.input", "aten.rnn_relu.input")

MAX_UNROLLED = 64
"""Steps of a layer that are compiled one after the other: with each the C++ grows, and g++ takes longer."""


def check_unrolls(program: torch.export.ExportedProgram, what: str) -> None:
    """Raise BuildError, beginning with `what`, for a layer with a free number of steps, or with too many of them."""
    for node in program.graph.nodes:
        if node.op == "call_function" and str(node.target) in LAYERS:
            steps = _steps(node)
            if not isinstance(steps, int) or steps > MAX_UNROLLED:
                many = f"has {steps} steps" if isinstance(steps, int) else "takes any number of steps"
                raise BuildError(
                    f"{what}: aotinductor unrolls recurrent layers, and one of this network {many}; leave this target "
                    "out of --target, or use one of another backend (onnxruntime, openvino, torchscript)"
                )


def _steps(node: torch.fx.Node) -> Any:
    """Return the number of time steps: an int, or torch's symbol.

    `batch_first` is the last argument of each operator.
    """
    value: Any = node.args[0]
    return value.meta["val"].shape[1 if node.args[-1] else 0]
