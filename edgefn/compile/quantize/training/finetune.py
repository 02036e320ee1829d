"""Quantisation-aware fine-tuning: the float network teaches the one that computes in eight bits, on the calibration
inputs.

Forward, weights and activations are on the grids that the file will have; backward, rounding is taken for the identity
(the straight-through estimator of Bengio et al., 2013, arXiv:1308.3432). It begins from the weights that
`compensation` found, keeps their scales, and changes weights and biases alone.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgefn.compile.quantize.graph.graph import reads
from edgefn.compile.quantize.static import compensation, propagation, weights
from edgefn.compile.quantize.training import operators
from edgefn.errors import BuildError

if TYPE_CHECKING:
    import torch

    from edgefn.compile.quantize.graph.graph import Graph, Layer
    from edgefn.compile.quantize.static.static import Static

RATE = 1e-3
"""Adam's step at the start as a share of a tensor's root mean square; it falls to nothing along half a cosine. Weights
near the float optimum need small steps."""


class Student:
    """`graph` with trainable weights; on the grids of `static` where one is given, else in float."""

    def __init__(self, graph: Graph, static: Static | None = None) -> None:
        import torch

        self.graph, self._static = graph, static
        self.constants = {name: torch.from_numpy(np.array(value)) for name, value in graph.constants.items()}
        self.layers = {layer.name: layer for layer in graph.layers if static is None or layer.name not in static.kept}
        for layer in self.layers.values():
            if static is not None:
                self._start(layer, static.layers[layer.name])
            for name in _names(layer):
                self.constants[name].requires_grad_()

    @property
    def parameters(self) -> list[torch.Tensor]:
        """Return the tensors that are trained."""
        return [self.constants[name] for layer in self.layers.values() for name in _names(layer)]

    def run(self, fed: Mapping[str, torch.Tensor]) -> list[torch.Tensor]:
        """Run the network and return its outputs."""
        tensors = {name: self._activation(name, tensor) for name, tensor in fed.items()}
        for node in self.graph.nodes:
            inputs = [self._input(node.name, name, tensors) if name else None for name in reads(node)]
            for name, output in zip(node.output, operators.run(node, inputs, self.graph), strict=False):
                tensors[name] = self._activation(name, output)
        return [tensors[name] for name in self.graph.outputs]

    def install(self) -> None:
        """Install the trained weights in the graph, or in the layers of the static form."""
        for layer in self.layers.values():
            if self._static is not None:
                self._static.layers[layer.name] = self._rounded(layer)
                continue
            for name in _names(layer):
                self.graph.set_constant(name, self.constants[name].detach().numpy())

    def _start(self, layer: Layer, rounded: compensation.Rounded) -> None:
        import torch

        shape = self.graph.constants[layer.weight].shape
        self.constants[layer.weight] = torch.from_numpy(layer.form.weight(rounded.rows, shape).copy())
        if layer.bias:
            self.constants[layer.bias] = torch.from_numpy(rounded.bias.copy())

    def _rounded(self, layer: Layer) -> compensation.Rounded:
        assert self._static is not None
        values = self.constants[layer.weight].detach().numpy()
        scale, bias = self._static.layers[layer.name].scale, self._static.layers[layer.name].bias
        integers = weights.rounded(layer.form.rows(values), scale, paired=self._static.paired(layer))
        trained = self.constants[layer.bias].detach().numpy() if layer.bias else bias
        return compensation.Rounded(integers, scale, trained)

    def _input(self, node: str, name: str, tensors: Mapping[str, Any]) -> torch.Tensor:
        if name in tensors:
            return tensors[name]  # type: ignore[no-any-return]
        layer, constant = self.layers.get(node), self.constants[name]
        if self._static is None or layer is None or name != layer.weight:
            return constant
        return self._on_grid(layer, constant, self._static.layers[node].scale)

    def _on_grid(self, layer: Layer, weight: torch.Tensor, scale: Any) -> torch.Tensor:
        import torch

        shape = [1] * weight.dim()
        shape[layer.form.axis if layer.form.layout != "columns" else weight.dim() - 1] = -1
        steps = torch.from_numpy(scale).reshape(shape)
        with torch.no_grad():
            difference = (weight / steps).round_().clamp_(-weights.LARGEST, weights.LARGEST) * steps - weight
        return weight + difference

    def _activation(self, name: str, tensor: torch.Tensor) -> torch.Tensor:
        if self._static is None or name not in self._static.tensors:
            return tensor
        within = self._static.ranges[name]
        inside = tensor.clamp(-within.zero * within.scale, (255 - within.zero) * within.scale)
        return inside + (propagation.fake(inside.detach(), within) - inside.detach())


def train(
    student: Student, fed: Mapping[str, Sequence[torch.Tensor]], wanted: Sequence[Sequence[torch.Tensor]], epochs: int
) -> list[float]:
    """Train the student `epochs` times on all of `fed`, and install the result.

    Returns each epoch's mean loss. Raises BuildError for a network that gradients do not pass.
    """
    import torch

    _check(student.graph)
    optimizer = torch.optim.Adam([{"params": [one], "lr": RATE * _size(one)} for one in student.parameters])
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs * len(wanted))
    generator = torch.Generator().manual_seed(0)
    means: list[float] = []
    with torch.enable_grad():
        for _ in range(epochs):
            losses = [
                _learn(student, {name: fed[name][at] for name in fed}, wanted[at], optimizer, schedule)
                for at in torch.randperm(len(wanted), generator=generator).tolist()
            ]
            means.append(sum(losses) / len(losses))
    student.install()
    return means


def _learn(student: Student, fed: Mapping[str, torch.Tensor], wanted: Sequence[torch.Tensor], *by: Any) -> float:
    optimizer, schedule = by
    optimizer.zero_grad()
    error = loss(student.run(fed), wanted)
    error.backward()  # type: ignore[no-untyped-call]
    optimizer.step()
    schedule.step()
    return error.item()


def loss(outputs: Sequence[torch.Tensor], wanted: Sequence[torch.Tensor]) -> torch.Tensor:
    """Return the mean square error of the outputs, summed, each in units of the teacher's variance.

    It compares the teacher's scores, not their softmax: where the teacher is unsure, small differences decide the order
    of the likeliest classes, and a softmax of many classes hides them.
    """
    import torch

    floats = [(a, b) for a, b in zip(outputs, wanted, strict=True) if b.is_floating_point()]
    return torch.stack([(a - b).square().mean() / (b.var(unbiased=False) + 1e-9) for a, b in floats]).sum()


def _size(tensor: torch.Tensor) -> float:
    """Return the root mean square; 1 for zeros."""
    return tensor.detach().square().mean().item() ** 0.5 or 1.0


def _names(layer: Layer) -> list[str]:
    return [name for name in (layer.weight, layer.bias) if name]


def _check(graph: Graph) -> None:
    stopped = sorted({node.op_type for node in graph.nodes if not operators.trainable(node)})
    if stopped:
        raise BuildError(
            f"quantisation-aware fine-tuning does not support the operators {', '.join(stopped)}: leave out "
            "Quantize(epochs=...), or write the network without them"
        )
