"""What is seen of a network's activations on the calibration inputs: each tensor's range, and what eight bits do to it.

Owns what is kept of a tensor's values; the decisions are those of `ranges` and of `static`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from edgefn.compile.quantize.graph import tail
from edgefn.compile.quantize.static import propagation, ranges
from edgefn.compile.quantize.static.levels import MOVES

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from edgefn.compile.quantize.graph.graph import Graph
    from edgefn.compile.quantize.static.ranges import ValueRange

    Values = NDArray[np.floating[Any]]

OBSERVED = 300_000
"""Values of a tensor that its range is chosen by; more change nothing."""

ANSWERS = 20_000_000
"""Values of a last convolution's output that are kept, 80 MB: further samples are not looked at."""

JOINS = ("Concat", "Where")
"""Operators whose output has pieces of several tensors, as they were."""

MAXIMA = ("ReduceMax", "GlobalMaxPool")


class Observed(NamedTuple):
    """The result of `observed`.

    ranges   by the tensor's name
    answers  outputs of the last convolutions, [samples, channels, …], by the layer's name
    lost     share of a tensor's variance that eight bits of its range lose
    unlike   tensors that eight bits of one range cannot hold: parts of unlike ranges, or a mask among scores
    """

    ranges: dict[str, ValueRange]
    answers: dict[str, Values]
    lost: dict[str, float]
    unlike: frozenset[str]


def observed(graph: Graph, fed: Mapping[str, propagation.Pieces]) -> Observed:
    """Run the network on the inputs, and observe each of its float tensors."""
    seen = _Seen(graph)
    propagation.observe(graph, dict(fed), seen.note)
    return Observed(seen.ranges, seen.answers, seen.lost, frozenset(seen.unlike))


class _Seen:
    def __init__(self, graph: Graph) -> None:
        self._outputs = set(graph.outputs)
        self._ends = {layer.output: layer.name for layer in tail.ends(graph) if layer.kind == "Conv"}
        self._outputs.update(self._ends)
        self._joins = {node.output[0]: node.input for node in graph.nodes if node.op_type in JOINS}
        self._joined = {name for inputs in self._joins.values() for name in inputs}
        self._sent, self._maxima = _sent(graph), _before_maxima(graph)
        self._batched = propagation.batched(graph)
        self._kept: dict[str, Values] = {}
        self.ranges: dict[str, ValueRange] = {}
        self.answers: dict[str, Values] = {}
        self.lost: dict[str, float] = {}
        self.unlike: set[str] = set()

    def note(self, name: str, tensors: propagation.Pieces) -> None:
        """Observe the values of one tensor: its range, and the share that eight bits of the range lose."""
        if not tensors[0].is_floating_point():
            return
        step = max(1, sum(t.numel() for t in tensors) // OBSERVED)
        values = np.concatenate([t.reshape(-1)[::step].float().numpy() for t in tensors])
        values = values[np.isfinite(values)]
        self.ranges[name] = self._range(name, tensors, values)
        pieces = [ranges.lost(one, self.ranges[name]) for one in (values, *self._pieces(name))]
        self.lost[name] = pieces[0]
        if max(pieces) > ranges.UNLIKE:
            self.unlike.add(name)
        if name in self._joined:
            self._kept[name] = values
        if name in self._ends:
            self.answers[self._ends[name]] = _samples(tensors)

    def _range(self, name: str, tensors: propagation.Pieces, values: Values) -> ValueRange:
        """Return the range of a tensor.

        Nothing is clipped of the values that a caller sends, of the values that lead to a maximum over all positions,
        where an outlier is what counts, and of the answer.
        """
        if name in self._sent or name in self._maxima:
            samples = [row for t in tensors for row in t] if self._batched else tensors
            sides = np.array([_extremes([one]) for one in samples])
            deviations = ranges.OUTLIERS if name in self._maxima else ranges.HEADROOM
            return ranges.expected(sides[:, 0], sides[:, 1], deviations)
        whole = ranges.spanned(*_extremes(tensors))
        return whole if name in self._outputs else ranges.least_error(values, whole)

    def _pieces(self, name: str) -> list[Values]:
        return [self._kept[one] for one in self._joins.get(name, ()) if one in self._kept]


def _sent(graph: Graph) -> set[str]:
    """Return the names of the inputs, and of what is one in another shape."""
    found = set(graph.inputs)
    for node in graph.nodes:
        if node.op_type in MOVES and node.input[0] in found:
            found.update(node.output)
    return found


def _before_maxima(graph: Graph) -> set[str]:
    """Return the names of the tensors that lead to a maximum over all positions, and of those before them."""
    found: set[str] = set()
    for node in reversed(graph.nodes):
        if node.op_type in MAXIMA or found.intersection(node.output):
            found.update(node.input)
    return found


def _extremes(tensors: propagation.Pieces) -> tuple[float, float]:
    """Return the least and the largest finite value; 0.0 for both if there is none."""
    finite = [t[t.isfinite()].float() for t in tensors]
    sides = [(float(t.min()), float(t.max())) for t in finite if t.numel()]
    return min((low for low, _ in sides), default=0.0), max((high for _, high in sides), default=0.0)


def _samples(tensors: propagation.Pieces) -> Values:
    """Join the samples that have the first one's shape, as many as fit."""
    rows = [row for t in tensors for row in t if row.shape == tensors[0].shape[1:]]
    most = max(2, ANSWERS // max(1, rows[0].numel()))
    return np.stack([row.float().numpy() for row in rows[:most]])
