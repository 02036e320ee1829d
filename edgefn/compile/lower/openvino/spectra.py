"""Fourier transforms for openvino, which takes each along axis 1, whatever axis a file of opset 20 names.

Its transform of real numbers to half a spectrum, and that back, give another shape than ONNX's. What it computes right
is the transform of complex numbers of float32 along axis 1: the others are made of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from edgefn.compile.lower.rewriting import steps

if TYPE_CHECKING:
    import onnx

AXIS = 1


def rewrite(model: onnx.ModelProto) -> bool:
    """Rewrite `model` where it has transforms whose axis and number of dimensions are known.

    Return whether it has any.
    """
    if all(node.op_type != "DFT" for node in model.graph.node):
        return False
    ranks, axes = _ranks(model), _numbers(model.graph)

    def otherwise(node: onnx.NodeProto) -> Iterator[onnx.NodeProto] | None:
        if node.op_type != "DFT" or len(node.input) < 3:
            return None
        rank, axis = ranks.get(node.input[0]), axes.get(node.input[2])
        return None if rank is None or axis is None else _along_axis_1(node, rank, axis % rank)

    return steps.replace(model.graph, otherwise)


def _along_axis_1(node: onnx.NodeProto, rank: int, axis: int) -> Iterator[onnx.NodeProto]:
    """Yield steps from the input of `node` [..., 1 or 2] to its output, with the transformed axis moved to 1."""
    from onnx import helper

    value, length, _ = node.input
    (result,) = node.output
    if rank == 2:  # one signal by itself
        yield steps.number(f"{result}_front", [0], (1,))
        yield helper.make_node("Unsqueeze", [value, f"{result}_front"], [f"{result}_row"])
        yield from _moved(node, f"{result}_row", f"{result}_of_row", length, 3, AXIS)
        yield helper.make_node("Squeeze", [f"{result}_of_row", f"{result}_front"], [result])
    else:
        yield from _moved(node, value, result, length, rank, axis)


def _moved(
    node: onnx.NodeProto, value: str, result: str, length: str, rank: int, axis: int
) -> Iterator[onnx.NodeProto]:
    from onnx import helper

    order = list(range(rank))
    order[AXIS], order[axis] = axis, AXIS
    yield helper.make_node("Transpose", [value], [f"{result}_turned"], perm=order)
    yield helper.make_node("Cast", [f"{result}_turned"], [f"{result}_narrow"], to=steps.FLOAT)
    yield from _transformed(node, f"{result}_narrow", f"{result}_found", length, rank)
    yield helper.make_node("CastLike", [f"{result}_found", value], [f"{result}_like"])
    yield helper.make_node("Transpose", [f"{result}_like"], [result], perm=order)


def _transformed(node: onnx.NodeProto, value: str, result: str, length: str, rank: int) -> Iterator[onnx.NodeProto]:
    from onnx import helper

    options = {one.name: one.i for one in node.attribute}
    inverse, half = options.get("inverse", 0), options.get("onesided", 0)
    whole = f"{result}_whole" if half else result
    if inverse and half:
        yield from _mirrored(value, f"{result}_mirrored", length, rank)
        value, length = f"{result}_mirrored", ""
    yield steps.number(f"{result}_axis", [AXIS], ())
    yield helper.make_node("DFT", [value, length, f"{result}_axis"], [whole], inverse=inverse, onesided=0)
    if not half:
        return
    yield steps.number(f"{result}_first", [0], (1,))
    yield steps.number(f"{result}_one", [1], (1,))
    yield steps.number(f"{result}_place", [rank - 1 if inverse else AXIS], (1,))
    if inverse:  # real numbers
        yield helper.make_node("Identity", [f"{result}_one"], [f"{result}_end"])
    else:  # the first bins
        yield steps.number(f"{result}_two", [2], (1,))
        yield helper.make_node("Shape", [whole], [f"{result}_size"], start=AXIS, end=AXIS + 1)
        yield helper.make_node("Div", [f"{result}_size", f"{result}_two"], [f"{result}_middle"])
        yield helper.make_node("Add", [f"{result}_middle", f"{result}_one"], [f"{result}_end"])
    yield helper.make_node("Slice", [whole, f"{result}_first", f"{result}_end", f"{result}_place"], [result])


def _mirrored(value: str, result: str, length: str, rank: int) -> Iterator[onnx.NodeProto]:
    """Yield steps from the half of a spectrum of real numbers to all of it.

    Bin n - k is the conjugate of bin k.
    """
    from onnx import helper

    def name(part: str) -> str:
        return f"{result}_{part}"

    def step(kind: str, inputs: list[str], part: str, **options: Any) -> onnx.NodeProto:
        return helper.make_node(kind, inputs, [name(part)], **options)

    for part, number in (("zero", 0), ("one", 1), ("two", 2)):
        yield steps.number(name(part), [number], ())
    if length:
        yield steps.number(name("scalar"), [], (0,))
        yield step("Reshape", [length, name("scalar")], "n")
    else:
        yield step("Shape", [value], "bins", start=AXIS, end=AXIS + 1)
        yield step("Squeeze", [name("bins")], "bin_count")
        yield step("Sub", [name("bin_count"), name("one")], "last")
        yield step("Mul", [name("last"), name("two")], "n")
    yield step("Range", [name("zero"), name("n"), name("one")], "places")
    yield step("Sub", [name("n"), name("places")], "back")
    yield step("Min", [name("places"), name("back")], "bin")
    yield step("Gather", [value, name("bin")], "all", axis=AXIS)
    yield step("Equal", [name("places"), name("bin")], "is_given")
    yield steps.number(name("column"), [-1, *[1] * (rank - 2)], (rank - 1,))
    yield step("Reshape", [name("is_given"), name("column")], "given")
    yield steps.number(name("parts"), [1, 1], (2,))
    parts = [name("real"), name("imaginary")]
    yield helper.make_node("Split", [name("all"), name("parts")], parts, axis=-1)
    yield step("Neg", [name("imaginary")], "turned")
    yield step("Where", [name("given"), name("imaginary"), name("turned")], "conjugate")
    yield helper.make_node("Concat", [name("real"), name("conjugate")], [result], axis=-1)


def _ranks(model: onnx.ModelProto) -> dict[str, int]:
    """Return how many dimensions values outside of loops have, by name, where that is known."""
    known = {name: len(one.shape.dim) for name, one in steps.tensors(model).items() if one.HasField("shape")}
    return known | {one.name: len(one.dims) for one in model.graph.initializer}


def _numbers(graph: onnx.GraphProto) -> dict[str, int]:
    """Return the constants that are one whole number, by name."""
    from onnx import numpy_helper

    return {
        name: int(numpy_helper.to_array(one).item())
        for name, one in steps.constants(graph).items()
        if one.data_type == steps.INT64 and math.prod(one.dims) == 1
    }
