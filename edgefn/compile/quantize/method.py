"""Static or dynamic int8: by where a network's weights are. Pure.

Convolutions want their activations' ranges beforehand: measured on EfficientNet-Lite0, dynamic int8 is slower than
float (1.31 of eager) and agrees on half of the crops. In matrix products and LSTMs the weights' bytes are what
takes the time, and ranges taken in each run cost little and need no calibration.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Literal

from edgefn.errors import BuildError

if TYPE_CHECKING:
    from edgefn.compile.quantize.graph.graph import Graph
    from edgefn.quantization import Quantize

DYNAMIC = ("MatMul", "Gemm", "LSTM", "Attention")
"""Operators that ONNX Runtime quantises dynamically to a gain."""

SHARE = 0.5
"""More of the weights than this in matrix products: dynamic."""


def shares(graph: Graph) -> dict[str, float]:
    """Return the share of the weights, 0 to 1, by the type of the operator that reads them."""
    sizes: Counter[str] = Counter()
    for node in graph.nodes:
        sizes[node.op_type] += sum(graph.constants[name].size for name in node.input if name in graph.constants)
    total = sum(sizes.values())
    return {kind: size / total for kind, size in sizes.items() if size}


def choose(
    share: dict[str, float], quantize: Quantize, model: str, target: str, *, dynamic: bool = True
) -> Literal["static", "dynamic"]:
    """Choose the method for a network by the shares of its weights.

    `dynamic` tells whether the target's engine supports dynamic int8. Raises BuildError if nothing in the network can
    be int8, or if the author asks for a method that the engine lacks.
    """
    convolutions = share.get("Conv", 0.0) + share.get("ConvTranspose", 0.0)
    products = sum(share.get(kind, 0.0) for kind in DYNAMIC)
    if not convolutions + products:
        there = ", ".join(sorted(share)) or "none"
        raise BuildError(
            f"model {model} has no convolution, matrix product or LSTM with constant weights that could become int8 "
            f"(its weights are in: {there}); build it for a float target"
        )
    if not dynamic:
        if quantize.method == "dynamic":
            raise BuildError(
                f'model {model} asks for Quantize(method="dynamic"), which {target} does not support: leave out the '
                "target or the method"
            )
        return "static"
    if quantize.method != "auto":
        return quantize.method
    return "dynamic" if products > SHARE and products > convolutions else "static"
