"""Steps that MNN computes otherwise than an ONNX file says, written otherwise. Runs on the build machine only.

x < y                  of floats below 0 it compares their bits: y > x
x == y                 0 is not -0 to it: neither is larger
x.bool()               0.1 is false to it: its size is above 0
x.round()              4.5 is 5 to it: of two whole numbers the even one
x.norm(), x.abs().sum()  it sums over all axes, whichever are wanted
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from edgefn.backends import inexact
from edgefn.backends.not_numbers import OUTPUT as NOT_NUMBERS
from edgefn.backends.out_of_range import OUTPUT as OUT_OF_RANGE
from edgefn.compile.lower.rewriting import exact, indices, not_numbers, softplus, steps

if TYPE_CHECKING:
    from pathlib import Path

    import onnx

FLOAT, BOOL = 1, 9
"""ONNX's numbers of the types (https://onnx.ai/onnx/api/mapping.html)."""


def mend(path: Path) -> list[str]:
    """Rewrite the file at `path`; return the outputs that it has more, in their order."""
    whole, numbers = exact.rewriter(inexact.MNN), not_numbers.rewriter(not_numbers.MNN)
    wide, lost, indexed, *_ = steps.rewrite(path, whole, numbers, indices.rewrite, softplus.rewrite, rewrite)
    made = {inexact.OUTPUT: wide, NOT_NUMBERS: lost, OUT_OF_RANGE: indexed}
    return [output for output, is_made in made.items() if is_made]


def rewrite(model: onnx.ModelProto) -> bool:
    """Rewrite `model` where it has such steps; return whether it has."""
    kinds = steps.types(model)

    def otherwise(node: onnx.NodeProto) -> Iterator[onnx.NodeProto] | None:
        is_float = bool(node.input) and kinds.get(node.input[0]) == FLOAT
        return _WAYS[node.op_type](node) if is_float and _is_affected(node, kinds) else None

    return steps.replace(model.graph, otherwise)


def _is_affected(node: onnx.NodeProto, kinds: Mapping[str, int]) -> bool:
    return node.op_type in _WAYS and (node.op_type != "Cast" or kinds.get(node.output[0]) == BOOL)


def _less(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    yield _step("Greater", node.input[1], node.input[0], node.output[0])


def _equal(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    first, second = node.input
    (result,) = node.output
    yield _step("Greater", first, second, f"{result}_above")
    yield _step("Greater", second, first, f"{result}_below")
    yield _step("Or", f"{result}_above", f"{result}_below", f"{result}_unlike")
    yield _step("Not", f"{result}_unlike", result)


def _truth(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    (result,) = node.output
    yield steps.scalar(f"{result}_nought", 0.0)
    yield _step("Abs", node.input[0], f"{result}_size")
    yield _step("Greater", f"{result}_size", f"{result}_nought", result)


def _round(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    """Yield the even number below, and 1 or 2 more where the number is nearer to that."""
    from onnx import helper

    (value,), (result,) = node.input, node.output

    def name(part: str) -> str:
        return f"{result}_{part}"

    for part, number in (("half", 0.5), ("two", 2.0), ("more", 1.5)):
        yield steps.scalar(name(part), number)
    yield _step("Mul", value, name("half"), name("halved"))
    yield _step("Floor", name("halved"), name("floor"))
    yield _step("Mul", name("floor"), name("two"), name("even"))
    yield _step("Sub", value, name("even"), name("left"))
    for kind, limit, part in (("Greater", "half", "one"), ("GreaterOrEqual", "more", "other")):
        yield _step(kind, name("left"), name(limit), name(f"{part}_true"))
        yield helper.make_node("Cast", [name(f"{part}_true")], [name(part)], to=FLOAT)
    yield _step("Add", name("even"), name("one"), name("near"))
    yield _step("Add", name("near"), name("other"), result)


def _reduced(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    """Yield a plain sum of sizes or squares, and its root."""
    from onnx import NodeProto

    value, result = node.input[0], node.output[0]
    if node.op_type == "ReduceL1":
        yield _step("Abs", value, f"{result}_summed")
    else:
        yield _step("Mul", value, value, f"{result}_summed")
    total = NodeProto()
    total.CopyFrom(node)
    total.op_type = "ReduceSum"
    total.input[0] = f"{result}_summed"
    if node.op_type != "ReduceL2":
        yield total
        return
    total.output[0] = f"{result}_total"
    yield total
    yield _step("Sqrt", f"{result}_total", result)


_WAYS: dict[str, Callable[[onnx.NodeProto], Iterator[onnx.NodeProto]]] = {
    "Less": _less,
    "Equal": _equal,
    "Cast": _truth,
    "Round": _round,
    **dict.fromkeys(("ReduceL1", "ReduceL2", "ReduceSumSquare"), _reduced),
}


def _step(kind: str, *names: str) -> onnx.NodeProto:
    """Return a step of the names of its inputs and of its output, which is the last."""
    from onnx import helper

    *inputs, made = names
    return helper.make_node(kind, inputs, [made])
