"""Indices beyond what they index: openvino and MNN answer with zeros or the memory beside, where PyTorch raises.

    x[i], x.gather(1, i), nn.Embedding, scatter    with an `i` that follows from an input's values
    positions(torch.arange(x.shape[1]))            or from its lengths

What is counted from the end is counted from the beginning, which MNN wants. A place that does not exist is read at 0,
and counted in one more output, see `edgefn.backends.out_of_range`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from edgefn.backends.out_of_range import OUTPUT
from edgefn.compile.lower.rewriting import steps
from edgefn.compile.lower.rewriting.steps import INT64, number

if TYPE_CHECKING:
    import onnx

CHOOSING = {"NonZero", "Compress", "Unique", "NonMaxSuppression"}
"""Operators that give as many values as there are."""


def rewrite(model: onnx.ModelProto) -> bool:
    """Rewrite `model` where it indexes by what follows from its inputs; return whether it does."""
    counts: list[str] = []
    doubtful = steps.following(model.graph, measured=True) | _chosen(model.graph)

    def otherwise(node: onnx.NodeProto) -> Iterator[onnx.NodeProto] | None:
        if node.op_type not in _LIMITS or node.input[1] not in doubtful:
            return None
        counts.append(f"{node.output[0]}_out_of_range")
        return _checked(node, counts[-1])

    changed = steps.replace(model.graph, otherwise)
    if changed:
        steps.add_counts(model.graph, counts, OUTPUT)
    return changed


def _chosen(graph: onnx.GraphProto) -> set[str]:
    """Return the names of what follows from how many values are chosen: of nothing, there is no extreme."""
    found: set[str] = set()
    for node in graph.node:
        if node.op_type in CHOOSING or not found.isdisjoint(node.input):
            found.update(node.output)
    return found


def _checked(node: onnx.NodeProto, count: str) -> Iterator[onnx.NodeProto]:
    """Yield `node` with each index that is out of range put at 0, and what counts those."""
    from onnx import NodeProto, helper

    def name(part: str) -> str:
        return f"{count}_{part}"

    def step(kind: str, inputs: list[str], part: str) -> NodeProto:
        return helper.make_node(kind, inputs, [name(part)])

    data, indices = node.input[0], name("index")
    yield helper.make_node("Cast", [node.input[1]], [indices], to=INT64)
    yield helper.make_node("Shape", [data], [name("shape")])
    yield from _LIMITS[node.op_type](node, name)
    yield step("Neg", [name("limit")], "least")
    yield step("Less", [indices, name("least")], "below")
    yield step("Less", [indices, name("limit")], "inside")
    yield step("Not", [name("inside")], "above")
    yield step("Or", [name("below"), name("above")], "bad")
    yield number(name("zero"), [0], ())
    safe = NodeProto()
    safe.CopyFrom(node)
    safe.input[1] = name("safe")
    yield step("Less", [indices, name("zero")], "behind")
    yield step("Add", [indices, name("limit")], "counted")
    yield step("Where", [name("behind"), name("counted"), indices], "ahead")
    yield step("Where", [name("bad"), name("zero"), name("ahead")], "safe")
    yield safe
    yield from steps.sum_of(name("bad"), count)


Name = Callable[[str], str]


def _along(node: onnx.NodeProto, name: Name) -> Iterator[onnx.NodeProto]:
    """Yield the length of the axis that is indexed."""
    from onnx import helper

    yield number(name("axis"), [_attribute(node, "axis")], ())
    yield helper.make_node("Gather", [name("shape"), name("axis")], [name("limit")])


def _leading(node: onnx.NodeProto, name: Name) -> Iterator[onnx.NodeProto]:
    """Yield the lengths of the axes that a tuple of indices is of, those after the batch's."""
    from onnx import helper

    batch = _attribute(node, "batch_dims")
    yield helper.make_node("Shape", [name("index")], [name("size")], start=-1)
    yield number(name("begin"), [batch], (1,))
    yield helper.make_node("Add", [name("size"), name("begin")], [name("end")])
    yield helper.make_node("Slice", [name("shape"), name("begin"), name("end")], [name("limit")])


_LIMITS = {
    **dict.fromkeys(("Gather", "GatherElements", "ScatterElements"), _along),
    **dict.fromkeys(("GatherND", "ScatterND"), _leading),
}


def _attribute(node: onnx.NodeProto, name: str) -> int:
    return next((one.i for one in node.attribute if one.name == name), 0)
