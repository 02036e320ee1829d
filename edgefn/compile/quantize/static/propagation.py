"""Calibration inputs carried through a network node by node, in float and beside it as the quantised one sees them.

Both forms of each tensor are kept, in pieces and in half precision, until their last reader has run. Owns the order and
the memory; what is done at a layer is given by the caller.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from edgefn.compile.quantize.graph.graph import attributes, reads
from edgefn.compile.quantize.static.compensation import Statistics
from edgefn.compile.quantize.training import operators

if TYPE_CHECKING:
    import onnx
    import torch
    from numpy.typing import NDArray

    from edgefn.compile.quantize.graph.graph import Graph, Layer
    from edgefn.compile.quantize.static.ranges import ValueRange

    Pieces = list["torch.Tensor"]

PIECE = 8
"""Inputs that run together: 8 images through the first layers of EfficientNet-Lite0 are 40 MB a tensor."""


ROWS = 2**26
"""Values of a layer's input rows that are taken at once, 256 MB: of larger ones every second position, or fewer."""


HALF = 65_000.0
"""Larger values are infinite in half precision."""


def together(graph: Graph, samples: Sequence[Mapping[str, NDArray[Any]]]) -> int:
    """Return how many samples run together; 1 if they have no batch in common or their shapes differ.

    A first dimension that is free need not be a batch: two samples are run together and one by one to find out.
    """
    alike = all(samples[0][name].shape == sample[name].shape for sample in samples for name in graph.inputs)
    return PIECE if batched(graph) and alike and _independent(graph, samples[:2]) else 1


def batched(graph: Graph) -> bool:
    """Return whether the first dimension of each input is free: its rows may be samples."""
    shapes = [value.type.tensor_type.shape.dim for value in graph.model.graph.input if value.name in graph.inputs]
    return all(len(shape) > 1 and shape[0].dim_param for shape in shapes)


def _independent(graph: Graph, samples: Sequence[Mapping[str, NDArray[Any]]]) -> bool:
    """Tell whether the samples give the same outputs together as one by one."""
    from edgefn.compile.quantize.engine import opened

    session = opened(graph.model, {})
    joined = {name: np.concatenate([sample[name] for sample in samples]) for name in graph.inputs}
    try:
        found, alone = session.run(joined), [session.run(dict(sample)) for sample in samples]
    except Exception:  # the engine's own: it does not run on two
        return False
    for name, rows in found.items():
        wanted = np.concatenate([one[name] for one in alone]) if rows.ndim else rows
        if wanted.shape != rows.shape or not np.allclose(rows, wanted, rtol=1e-2, atol=1e-2 * _largest(wanted)):
            return False
    return True


def _largest(values: NDArray[Any]) -> float:
    return float(np.abs(values[np.isfinite(values)]).max(initial=0.0)) if values.dtype.kind == "f" else 0.0


def pieces(samples: Sequence[Mapping[str, NDArray[Any]]], names: Sequence[str], step: int) -> dict[str, Pieces]:
    """Return the samples' arrays of the given names as tensors of `step` samples each."""
    import torch

    return {
        name: [
            torch.from_numpy(np.concatenate([sample[name] for sample in samples[at : at + step]]))
            if step > 1
            else torch.from_numpy(np.array(samples[at][name]))
            for at in range(0, len(samples), step)
        ]
        for name in names
    }


def fake(tensor: torch.Tensor, within: ValueRange) -> torch.Tensor:
    """Quantise `tensor` to eight bits of the range, and dequantise it."""
    return ((tensor / within.scale).round_().add_(within.zero).clamp_(0, 255).sub_(within.zero)).mul_(within.scale)


class Propagation:
    """A run of `graph` on the inputs `fed`, node by node; `tensors` holds what is made until it is dropped."""

    def __init__(self, graph: Graph, fed: dict[str, Pieces]) -> None:
        import torch

        self.graph = graph
        self.constants = {name: torch.from_numpy(np.array(value)) for name, value in graph.constants.items()}
        self.tensors: dict[str, Pieces] = dict(fed)

    def read(self, node: onnx.NodeProto, place: int) -> list[torch.Tensor | None]:
        """Return the inputs of the node in one piece; None for an input that is left out.

        A tensor that was made of constants alone is the same in each piece.
        """
        found: list[torch.Tensor | None] = []
        for name in reads(node):
            if name in self.constants:
                found.append(self.constants[name])
            elif name:
                made = self.tensors[name]
                found.append(_full(made[place if len(made) > 1 else 0]))
            else:
                found.append(None)
        return found

    def step(self, node: onnx.NodeProto, within: Mapping[str, ValueRange] | None = None) -> dict[str, Pieces]:
        """Run the node on all pieces; keep and return its outputs.

        Outputs named in `within` lie on the grid of their range there.
        """
        import torch

        grid = within or {}
        made: dict[str, Pieces] = {name: [] for name in node.output if name}
        with torch.no_grad():
            for place in range(self.count(node)):
                for name, output in zip(node.output, self._run(node, place), strict=False):
                    if name:
                        made[name].append(_half(fake(output, grid[name]) if name in grid else output))
        self.tensors |= made
        return made

    def _run(self, node: onnx.NodeProto, place: int) -> Sequence[torch.Tensor]:
        return operators.run(node, self.read(node, place), self.graph)

    def count(self, node: onnx.NodeProto) -> int:
        """Count the pieces of the node's input; 1 if it reads constants alone."""
        return max((len(self.tensors[name]) for name in reads(node) if name in self.tensors), default=1)

    def drop(self, names: Sequence[str]) -> None:
        """Forget the tensors."""
        for name in names:
            self.tensors.pop(name, None)


def order(graph: Graph) -> Iterator[tuple[onnx.NodeProto, list[str]]]:
    """Yield each node with the tensors that no later node reads."""
    left = Counter(name for node in graph.nodes for name in reads(node))
    left.update(graph.outputs)
    for node in graph.nodes:
        read = reads(node)
        left.subtract(read)
        yield node, [name for name in read if not left[name]]


def observe(graph: Graph, fed: dict[str, Pieces], note: Callable[[str, Pieces], None]) -> None:
    """Run the network, and call `note` with every tensor, inputs first."""
    for name, tensors in fed.items():
        note(name, tensors)
    run = Propagation(graph, fed)
    for node, spent in order(graph):
        for name, made in run.step(node).items():
            note(name, made)
        run.drop(spent)


def statistics(layer: Layer, node: onnx.NodeProto, real: Propagation, quantised: Propagation) -> Statistics:
    """Collect the statistics of the layer's inputs that `compensation` needs."""
    import torch

    weight = real.graph.constants[layer.weight]
    groups = layer.form.groups
    total: list[torch.Tensor] | None = None
    count = 0
    with torch.no_grad():
        for place in range(real.count(node)):
            x = _rows(layer, node, quantised.read(node, place)[0], weight.shape, groups)
            f = _rows(layer, node, real.read(node, place)[0], weight.shape, groups).mean(1) * x.shape[1]
            count += x.shape[1]
            sums = [one.double() for one in (x.sum(1), f, x.transpose(1, 2) @ x)]
            total = sums if total is None else [a + b for a, b in zip(total, sums, strict=True)]
    assert total is not None
    means = [one.numpy() / count for one in total]
    return Statistics(*means)


def _rows(layer: Layer, node: onnx.NodeProto, x: Any, shape: tuple[int, ...], groups: int) -> torch.Tensor:
    """Return the rows of the layer's input, [groups, rows, k]: the factors of each output position."""
    if layer.kind != "Conv":
        return x.reshape(1, -1, x.shape[-1])  # type: ignore[no-any-return]
    if max(shape[2:]) == 1 and groups == 1 and len(shape) == 4:
        strides = attributes(node).get("strides", [1, 1])
        x = x[:, :, :: strides[0], :: strides[1]]
        return x.permute(0, 2, 3, 1).reshape(1, -1, x.shape[1])  # type: ignore[no-any-return]
    patches = operators.patches(x, shape, attributes(node), ROWS)  # [batch, in, window, positions]
    batch, channels, window, positions = patches.shape
    grouped = patches.reshape(batch, groups, channels // groups, window, positions)
    return grouped.permute(1, 0, 4, 3, 2).reshape(groups, batch * positions, -1)


def _half(tensor: torch.Tensor) -> torch.Tensor:
    large = tensor.is_floating_point() and tensor.numel() > 1_000_000
    return tensor.half() if large and tensor.abs().max() < HALF else tensor


def _full(tensor: torch.Tensor) -> torch.Tensor:
    return tensor.float() if tensor.is_floating_point() else tensor
