"""Static int8 of one network: ranges from calibration, weights rounded layer by layer against their own error.

Owns the order of the steps; the decisions are those of `ranges`, `weights` and `compensation`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgefn.compile.quantize.graph import costs, tail
from edgefn.compile.quantize.graph.graph import Graph, with_biases
from edgefn.compile.quantize.static import compensation, observation, propagation, qdq, ranges
from edgefn.compile.quantize.static.fit import Fit

if TYPE_CHECKING:
    import onnx
    from numpy.typing import NDArray

    from edgefn.compile.quantize.graph.graph import Layer
    from edgefn.compile.quantize.static.compensation import Rounded
    from edgefn.compile.quantize.static.observation import Observed

STEM_CHANNELS = 4
"""A first convolution of so few channels stays in float: eight bits of it are no faster (EfficientNet-Lite0:
8.0 ms both; three channels fill no register), and cost 1.5 points of agreement."""

EDGE = 0.2
"""Unless it is more than this of the network's multiplications: the first one of a raw sound is most of its network.
Less than that a last convolution may be, too, to stay in float without being looked at."""


class Static:
    """`model` and its calibration inputs; `saturates` tells whether eight-bit products of the target saturate.

    kept      layers that are never quantised: convolutions of an input of a few channels, last ones whose answers eight
              bits do not show, and those that read or write a tensor whose parts are of unlike ranges
    floating  other nodes that stay in float: those after the last layers, and those at such a tensor
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
        self.costs = costs.measured(self.model, inputs[0])
        self.fed = propagation.pieces(inputs, self.graph.inputs, propagation.together(self.graph, inputs))
        seen = observation.observed(self.graph, self.fed)
        self.ranges = seen.ranges
        left = [layer.name for layer in self.graph.layers if self._is_stem(layer) or self._is_answer(layer, seen)]
        unlike = [node.name for node in self.graph.nodes if seen.unlike.intersection((*node.input, *node.output))]
        self.kept = tuple(layer.name for layer in self.graph.layers if layer.name in {*left, *unlike})
        self.floating = tuple(dict.fromkeys((*tail.nodes(self.graph), *unlike)))
        plain = {layer.name: self._plain(layer) for layer in self.graph.layers}
        self.layers: dict[str, Rounded] = plain
        self.noise = {name: seen.lost.get(layer.output, 0.0) for name, layer in self.graph.by_name.items()}
        self.tensors = qdq.quantised_tensors(qdq.written(self.model, self.ranges, plain, self.floating))

    def compensate(self) -> None:
        """Round each layer's weights again, against the errors of the layers before it and its own.

        Layers that stay in float count as rounded meanwhile: the others learn from no cleaner inputs than they will get
        (EfficientNet-Lite0: error² 0.0073 instead of 0.0091).
        """
        real, quantised = (propagation.Propagation(self.graph, dict(self.fed)) for _ in range(2))
        for name in self.fed:
            if name in self.tensors:
                quantised.tensors[name] = [propagation.fake(piece, self.ranges[name]) for piece in self.fed[name]]
        for node, spent in propagation.order(self.graph):
            if (layer := self.graph.by_name.get(node.name)) is not None:
                self.layers[node.name] = self._compensated(layer, node, real, quantised)
                self._install(quantised, layer, self.layers[node.name])
            real.step(node)
            quantised.step(node, {name: self.ranges[name] for name in node.output if name in self.tensors})
            for run in (real, quantised):
                run.drop(spent)
        self.tensors = qdq.quantised_tensors(self.fit.written())

    @property
    def fit(self) -> Fit:
        """Return the fit found so far."""
        return Fit(self.model, self.ranges, self.layers, self.kept, self.floating, self.noise)

    def _is_stem(self, layer: Layer) -> bool:
        few = layer.form.groups * self.graph.constants[layer.weight].shape[1] <= STEM_CHANNELS
        return layer.kind == "Conv" and layer.source in self.graph.inputs and few and self._share(layer) < EDGE

    def _is_answer(self, layer: Layer, seen: Observed) -> bool:
        """Tell whether the layer's output is the network's answer, and eight bits of it would show.

        A matrix product gives its sums in float, whatever its factors are.
        """
        if layer.kind != "Conv" or layer.name not in seen.answers:
            return False
        return self._share(layer) < EDGE or not ranges.harmless(seen.answers[layer.name], seen.ranges[layer.output])

    def _share(self, layer: Layer) -> float:
        return self.costs[layer.name].operations / (sum(cost.operations for cost in self.costs.values()) or 1)

    def _plain(self, layer: Layer) -> Rounded:
        return compensation.plain(*self._rows(layer), paired=self.paired(layer))

    def _compensated(self, layer: Layer, node: Any, real: Any, quantised: Any) -> Rounded:
        seen = propagation.statistics(layer, node, real, quantised)
        rows, bias = self._rows(layer)
        rounded = compensation.compensated(rows, bias, seen, paired=self.paired(layer))
        self.noise[layer.name] += compensation.noise(rows, rounded, seen)
        return rounded

    def paired(self, layer: Layer) -> bool:
        """Tell whether the layer's weights must be safe in pairs."""
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
            run.constants[layer.bias] = torch.from_numpy(np.array(rounded.bias, np.float32))
