"""Static int8 of one network: ranges from calibration, weights rounded layer by layer against their own error.

Owns the order of the steps; the decisions are those of `ranges`, `weights` and `compensation`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgefn.compile.quantize import compensation, propagation, qdq, ranges
from edgefn.compile.quantize.fit import Fit
from edgefn.compile.quantize.graph import Graph, with_biases

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    from edgefn.compile.quantize.compensation import Rounded
    from edgefn.compile.quantize.graph import Layer
    from edgefn.compile.quantize.ranges import Range

STEM_CHANNELS = 4
"""A first convolution of so few channels stays in float: eight bits of it are no faster (EfficientNet-Lite0:
8.0 ms both; three channels fill no register), and cost 1.5 points of agreement."""

OBSERVED = 300_000
"""Values of a tensor that its range is chosen by; more change nothing."""


class Static:
    """`model` and the calibration inputs it is quantised with; `saturates`: the target's products of eight bits do.

    `kept` are layers that are never quantised: convolutions of an input of a few channels.
    """

    def __init__(
        self,
        model: onnx.ModelProto,
        inputs: Sequence[Mapping[str, NDArray[Any]]],
        *,
        saturates: bool,
    ) -> None:
        self.model = with_biases(model)
        self.graph = Graph(self.model)
        self.saturates = saturates
        self.kept = tuple(layer.name for layer in self.graph.layers if self._is_stem(layer))
        self.fed = propagation.pieces(inputs, self.graph.inputs, propagation.together(self.graph, inputs))
        self.ranges = self._ranges()
        plain = {layer.name: self._plain(layer) for layer in self.graph.layers}
        self.tensors = qdq.quantised_tensors(qdq.written(self.model, self.ranges, plain))
        self.layers: dict[str, Rounded] = plain

    def compensate(self) -> None:
        """The layers' weights are rounded anew, each against what those before it and its own rounding did.

        Those that stay in float count as rounded meanwhile: the others learn from no cleaner inputs than they need to
        bear (EfficientNet-Lite0: error² 0.0073 instead of 0.0091).
        """
        by_name = {layer.name: layer for layer in self.graph.layers}
        real, quantised = (propagation.Propagation(self.graph, dict(self.fed)) for _ in range(2))
        for name in self.fed:
            if name in self.tensors:
                quantised.tensors[name] = [propagation.fake(piece, self.ranges[name]) for piece in self.fed[name]]
        for node, spent in propagation.order(self.graph):
            if (layer := by_name.get(node.name)) is not None:
                self.layers[node.name] = self._compensated(layer, node, real, quantised)
                self._install(quantised, layer, self.layers[node.name])
            real.step(node)
            quantised.step(node, {name: self.ranges[name] for name in node.output if name in self.tensors})
            for run in (real, quantised):
                run.drop(spent)
        self.tensors = qdq.quantised_tensors(self.fit.written())

    @property
    def fit(self) -> Fit:
        """What has been found so far."""
        return Fit(self.model, self.ranges, self.layers, self.kept)

    def _is_stem(self, layer: Layer) -> bool:
        weight = self.graph.constants[layer.weight]
        return layer.kind == "Conv" and layer.source in self.graph.inputs and weight.shape[1] <= STEM_CHANNELS

    def _ranges(self) -> dict[str, Range]:
        found: dict[str, Range] = {}

        def note(name: str, tensors: propagation.Pieces) -> None:
            if not tensors[0].is_floating_point():
                return
            low, high = (float(side) for side in (min(t.min() for t in tensors), max(t.max() for t in tensors)))
            if name in self.graph.outputs:  # the largest score is the answer: nothing of it may be clipped
                found[name] = ranges.spanned(low, high)
                return
            step = max(1, sum(t.numel() for t in tensors) // OBSERVED)
            values = np.concatenate([t.reshape(-1)[::step].float().numpy() for t in tensors])
            found[name] = ranges.least_error(values, ranges.spanned(low, high))

        propagation.observe(self.graph, self.fed, note)
        return found

    def _plain(self, layer: Layer) -> Rounded:
        return compensation.plain(*self._rows(layer), paired=self.paired(layer))

    def _compensated(self, layer: Layer, node: Any, real: Any, quantised: Any) -> Rounded:
        seen = propagation.statistics(layer, node, real, quantised)
        return compensation.compensated(*self._rows(layer), seen, paired=self.paired(layer))

    def paired(self, layer: Layer) -> bool:
        """Whether the layer's weights must be safe in pairs."""
        return self.saturates and not layer.form.depthwise(self.graph.constants[layer.weight])

    def _rows(self, layer: Layer) -> tuple[Any, Any]:
        rows = layer.form.rows(self.graph.constants[layer.weight]).astype(np.float64)
        bias = self.graph.constants[layer.bias] if layer.bias else np.zeros(len(rows), np.float32)
        return rows, bias

    def _install(self, run: propagation.Propagation, layer: Layer, rounded: Rounded) -> None:
        import torch

        shape = self.graph.constants[layer.weight].shape
        run.constants[layer.weight] = torch.from_numpy(np.ascontiguousarray(layer.form.weight(rounded.rows, shape)))
        if layer.bias:
            run.constants[layer.bias] = torch.from_numpy(rounded.bias)
