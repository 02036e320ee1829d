"""Whole numbers that a network makes and an engine does not compute with exactly: counted, so that no answer is given.

    (x * x).float()           of an int64: 50000 squared is beyond 32 bits
    (x.float() * 1e6).long()  what is cut off at 32 bits, and then x % 10

OpenVINO computes them in float32, MNN in 32 bits (`edgefn.backends.inexact`).

Inputs and outputs are looked at where they are. A step between them whose numbers may be too large is computed once
more, in float32, and those that are too large are counted in one more output. Runs on the build machine only.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from edgefn.backends.inexact import OUTPUT, Exactness
from edgefn.compile.lower.rewriting import steps

if TYPE_CHECKING:
    import onnx

FLOAT, BOOL = 1, 9
WIDE = {6, 7, 12, 13}
NARROW = {2: 2**8, 3: 2**7, 4: 2**16, 5: 2**15, BOOL: 1}
"""ONNX's numbers of the types (https://onnx.ai/onnx/api/mapping.html), and how large their numbers are."""
FLOATS = {1, 10, 11, 16}

VALUES = {"Add": (0, 1), "Sub": (0, 1), "Mul": (0, 1), "Pow": (0, 1), "MatMul": (0, 1), "CumSum": (0,)} | {
    **dict.fromkeys(("ReduceSum", "ReduceProd", "ReduceL1", "ReduceSumSquare"), (0,)),
    **dict.fromkeys(("ScatterElements", "ScatterND"), (0, 2)),
    "BitShift": (0, 1),
}
"""Steps whose numbers may be larger than what goes in, and which of their inputs are numbers."""


LENGTHS = 2**23
"""How large the numbers are that follow from lengths alone."""


def rewriter(engine: Exactness) -> Callable[[onnx.ModelProto], bool]:
    """Return `rewrite` for an engine."""
    return lambda model: rewrite(model, engine)


def rewrite(model: onnx.ModelProto, engine: Exactness) -> bool:
    """Rewrite `model` where it makes whole numbers that may be too large; return whether it does."""
    sizes = _Sizes(model, engine)
    counts: list[str] = []

    def otherwise(node: onnx.NodeProto) -> Iterator[onnx.NodeProto] | None:
        if not sizes.note(node):
            return None
        counts.append(f"{node.output[0]}_inexact")
        return _counted(node, sizes, counts[-1])

    changed = steps.replace(model.graph, otherwise)
    if changed:
        steps.add_counts(model.graph, counts, OUTPUT)
    return changed


CUTTING = {"Slice", "Pad", "Reshape", "Expand", "Tile", "TopK", "Gather"}
"""Operators whose whole numbers may be beyond all lengths, where they mean the end."""


def beyond(model: onnx.ModelProto, limit: int) -> int | None:
    """Return a constant that is not under `limit` and that values of the inputs are computed with; None of none."""
    constants = {one.name: one for one in model.graph.initializer}
    doubtful = steps.following(model.graph)
    for node in model.graph.node:
        if (own := steps.constant(node)) is not None:
            constants[node.output[0]] = own
        if node.op_type in CUTTING or doubtful.isdisjoint(node.output):
            continue
        for one in (constants[name] for name in node.input if name in constants):
            if one.data_type in WIDE and (most := _largest(one)) >= limit:
                return int(most)
    return None


class _Sizes:
    """How large the whole numbers of each value may be, step by step: at most so, or they are counted."""

    def __init__(self, model: onnx.ModelProto, engine: Exactness) -> None:
        graph = model.graph
        self.types = steps.types(model)
        self.made = engine.made
        self.constants = {one.name: one for one in graph.initializer}
        self._doubtful = steps.following(graph)
        self._most: dict[str, float] = {one.name: engine.given for one in graph.input}
        for one in graph.initializer:
            self._most[one.name] = _largest(one)

    def note(self, node: onnx.NodeProto) -> bool:
        """Record the step; tell whether its numbers may be too large, so that they must be counted."""
        name = node.output[0] if node.output else ""
        if name not in self._doubtful:
            if (own := steps.constant(node)) is not None:
                self.constants[name] = own
            self._most.update(dict.fromkeys(node.output, LENGTHS if own is None else _largest(own)))
            return False
        most = self._after(node) if self.types.get(name) in WIDE else LENGTHS
        is_counted = most > self.made and (node.op_type == "Cast" or node.op_type in _GROWTH)
        self._most.update(dict.fromkeys(node.output, min(most, self.made)))
        return is_counted

    def _after(self, node: onnx.NodeProto) -> float:
        """Return how large the step's numbers may be."""
        places = VALUES.get(node.op_type, range(len(node.input)))
        sizes = [self._of(node.input[place]) for place in places if place < len(node.input)]
        if node.op_type == "Cast" and self.types.get(node.input[0]) in FLOATS:
            return math.inf
        if node.op_type.startswith("Scatter") and not any(one.name == "reduction" for one in node.attribute):
            return max(sizes)
        grown = _GROWTH.get(node.op_type)
        return grown(sizes) if grown else max(sizes, default=LENGTHS)

    def _of(self, name: str) -> float:
        return min(self._most.get(name, LENGTHS), NARROW.get(self.types.get(name, 0), math.inf))


def _of_many(sizes: list[float]) -> float:
    """Return how large a sum of many is; one of truth values has as many as there are places."""
    return LENGTHS if sizes[0] <= 1 else math.inf


def _unbounded(sizes: list[float]) -> float:
    return math.inf


_GROWTH: dict[str, Callable[[list[float]], float]] = {
    **dict.fromkeys(("Add", "Sub"), sum),
    "Mul": math.prod,
    **dict.fromkeys(("CumSum", "ReduceSum", "ReduceL1"), _of_many),
    **dict.fromkeys(("Pow", "MatMul", "ReduceProd", "ReduceSumSquare", "BitShift"), _unbounded),
    **dict.fromkeys(("ScatterElements", "ScatterND"), _unbounded),
}


def _largest(constant: onnx.TensorProto) -> float:
    """Return how large the numbers of a constant are."""
    from onnx import numpy_helper

    if constant.data_type not in WIDE | set(NARROW) or constant.data_location == constant.EXTERNAL:
        return LENGTHS
    array = numpy_helper.to_array(constant)
    return max(float(array.max()), -float(array.min())) if array.size else 0.0


def _counted(node: onnx.NodeProto, sizes: _Sizes, count: str) -> Iterator[onnx.NodeProto]:
    """Yield `node`, its copy in float32, and steps that count the copy's numbers that are too large."""
    from onnx import NodeProto, helper

    def name(part: str) -> str:
        return f"{count}_{part}"

    yield node
    made = name("float")
    if node.op_type == "Cast":
        yield helper.make_node("Cast", [node.input[0]], [made], to=FLOAT)
    else:
        beside = NodeProto()
        beside.CopyFrom(node)
        beside.output[0] = made
        for place in VALUES[node.op_type]:
            beside.input[place] = name(f"input_{place}")
            yield _as_float(node.input[place], beside.input[place], sizes.constants)
        yield from _shifted(beside, name) if node.op_type == "BitShift" else (beside,)
    yield steps.scalar(name("most"), float(sizes.made))
    yield helper.make_node("Abs", [made], [name("size")])
    yield helper.make_node("Less", [name("size"), name("most")], [name("is_exact")])
    yield helper.make_node("Not", [name("is_exact")], [name("is_not")])  # what is no number is none that is exact
    yield from steps.sum_of(name("is_not"), count)


def _as_float(name: str, made: str, constants: Mapping[str, onnx.TensorProto]) -> onnx.NodeProto:
    """Return the step that makes `made`, the numbers of `name` as floats.

    A constant is converted here, not by a Cast: an engine may cut it off before that.
    """
    import numpy as np
    from onnx import helper, numpy_helper

    constant = constants.get(name)
    if constant is None or constant.data_location == constant.EXTERNAL:
        return helper.make_node("Cast", [name], [made], to=FLOAT)
    numbers = numpy_helper.to_array(constant).astype(np.float32)
    return helper.make_node("Constant", [], [made], value=numpy_helper.from_array(numbers, made))


def _shifted(node: onnx.NodeProto, name: Callable[[str], str]) -> Iterator[onnx.NodeProto]:
    """Yield `node`, a shift of bits, as a product of floats."""
    from onnx import helper

    yield steps.scalar(name("two"), 2.0)
    yield helper.make_node("Pow", [name("two"), node.input[1]], [name("power")])
    yield helper.make_node("Mul", [node.input[0], name("power")], list(node.output))
