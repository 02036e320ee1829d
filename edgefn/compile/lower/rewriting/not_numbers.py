"""NaN that an engine loses where PyTorch keeps it: the relu of NaN is 0, the largest of NaN and 3 is 3.

    (x / x.norm()).relu()    of zeros
    x.log().amax(1)          of what is below 0
    x.softmax(1).argmax(1)   of an infinite input

Before a step that loses NaN, those of what may have any are counted in one more output (`edgefn.backends.not_numbers`).
What was taken out before (`torch.where(n > 0, total / n, 0)`) is not counted. Of an input whose infinities may become
NaN on the way to such a step, the infinities are counted instead. Runs on the build machine only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from edgefn.backends.not_numbers import OUTPUT
from edgefn.compile.lower.rewriting import steps

if TYPE_CHECKING:
    import numpy as np
    import onnx
    from numpy.typing import NDArray

FLOAT = 1
FLOATS = {FLOAT, 10, 11}
"""ONNX's numbers of the types (https://onnx.ai/onnx/api/mapping.html)."""


class Losses(NamedTuple):
    """How an engine loses NaN.

    operators      those that do
    counts_inputs  whether the inputs' are counted, too; else they are looked at where they are
    has_is_nan     whether there is an operator that tells them
    loses_infinity whether the largest of minus infinities is a number
    takes_infinity whether inputs may be infinite
    """

    operators: frozenset[str]
    counts_inputs: bool = False
    has_is_nan: bool = True
    loses_infinity: bool = False
    takes_infinity: bool = False


ONNX_RUNTIME = Losses(
    frozenset({"ReduceMax", "ReduceMin", "ArgMax", "ArgMin", "MaxPool", "GlobalMaxPool", "TopK"}),
    counts_inputs=True,
    takes_infinity=True,
)
INT8 = ONNX_RUNTIME._replace(operators=ONNX_RUNTIME.operators | {"QuantizeLinear", "DynamicQuantizeLinear"})
OPENVINO = Losses(
    ONNX_RUNTIME.operators
    | {"Relu", "Clip", "Max", "Min", "Exp", "Softmax", "LogSoftmax", "HardSigmoid", "Celu", "ThresholdedRelu"}
    | {"Cast", "Less", "LessOrEqual", "Greater", "GreaterOrEqual", "Equal", "ReduceLogSumExp"},
    loses_infinity=True,
    takes_infinity=True,
)
MNN = Losses(
    OPENVINO.operators | {"LeakyRelu", "Elu", "Sigmoid", "Tanh", "Abs", "PRelu", "LSTM", "GRU", "RNN"},
    has_is_nan=False,
    loses_infinity=True,
)

MAKING = {"Div", "Mod", "Pow", "Sqrt", "Log", "Acos", "Asin", "Acosh", "Atanh"}
"""Operators that make NaN of finite numbers."""

NORMALISING = {"Softmax", "LogSoftmax"}
"""Those that make NaN of a row of minus infinities."""

EXTREMES = {"ReduceMax", "ReduceMin"}

SUMS = {"Add", "Sub"}
"""Operators that make NaN of two infinities, and of one none."""

BOUNDED = {"Sigmoid", "Tanh", "Erf", "Softsign", "HardSigmoid", "Softmax"}
"""Operators that make no infinity of one."""

KEEPING = (
    {"Abs", "Ceil", "Celu", "Clip", "Elu", "Exp", "Floor", "HardSwish", "LeakyRelu", "LogSoftmax", "Neg", "Relu"}
    | {"Cast", "Concat", "Expand", "Flatten", "Gather", "GatherElements", "GatherND", "Identity", "Pad", "Reshape"}
    | {"Round", "Slice", "Split", "Squeeze", "Tile", "Transpose", "Unsqueeze", "Max", "MaxPool", "Min", "TopK", "Where"}
    | {"DepthToSpace", "GlobalMaxPool", "ReduceMax", "ReduceMin", "SpaceToDepth"}
    | MAKING - {"Mod"}
)
"""Operators that pass an infinity on, and make no NaN of it that is not counted anyway; of all others any may."""

SHIELDS = {"IsNaN", "Where"}
"""Without these, an input's NaN go to the last step, so that they can be counted where they come in."""

LARGEST = 3.4028234663852886e38


def rewriter(losses: Losses) -> Callable[[onnx.ModelProto], bool]:
    """Return `rewrite` for an engine."""
    return lambda model: rewrite(model, losses)


def rewrite(model: onnx.ModelProto, losses: Losses) -> bool:
    """Rewrite `model` where NaN may be lost; return whether it may."""
    flow = _Flow(model, losses)
    for node in model.graph.node:
        flow.note(node)
    if not flow.counts:
        return False
    steps.replace(model.graph, flow.counted)
    rest = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(step for name in flow.unbounded for step in _count(name, losses))
    model.graph.node.extend(step for name in flow.bounded for step in _infinities(name, flow.kind(name)))
    model.graph.node.extend(rest)
    steps.add_counts(model.graph, flow.counts, OUTPUT)
    return True


class _Flow:
    """Which values may have NaN or infinities, step by step, and where NaN are counted."""

    def __init__(self, model: onnx.ModelProto, losses: Losses) -> None:
        graph = model.graph
        self._kinds = steps.types(model)
        self._losses = losses
        self._doubtful = steps.following(graph)
        self._constants: dict[str, NDArray[np.generic]] = {}
        self._infinite: set[str] = set()
        self._before: dict[str, list[str]] = {}
        self._after: dict[str, str] = {}
        for one in graph.initializer:
            self._keep(one.name, one)
        inputs = [one.name for one in graph.input if losses.counts_inputs and self._is_float(one.name)]
        is_shielded = any(node.op_type in SHIELDS for node in graph.node)
        self._open = set(inputs) if is_shielded else set()
        lost = set() if is_shielded else _before(graph, losses.operators)
        self._given = [name for name in inputs if name in lost]
        is_counted = is_shielded and losses.counts_inputs  # wherever they are, and what is made of infinities
        endless = graph.input if losses.takes_infinity and not is_counted else ()
        self._endless = {
            one.name: {one.name} for one in endless if one.name in self._doubtful and self._is_float(one.name)
        }
        self._troubled: dict[str, set[str]] = {}
        self._bounded: set[str] = set()

    @property
    def unbounded(self) -> list[str]:
        """Return the names of the inputs whose NaN are counted, and no infinities."""
        return [name for name in self._given if name not in self._bounded]

    @property
    def bounded(self) -> list[str]:
        """Return the names of the inputs whose infinities are counted, and NaN with them."""
        return sorted(self._bounded)

    @property
    def counts(self) -> list[str]:
        """Return the names of all counts."""
        between = [name for names in self._before.values() for name in names]
        return [*map(_of, [*self.unbounded, *self.bounded, *between]), *map(_of, self._after)]

    def kind(self, name: str) -> int:
        """Return the number of a value's type."""
        return self._kinds.get(name, FLOAT)

    def note(self, node: onnx.NodeProto) -> None:
        """Take the step up."""
        if (own := steps.constant(node)) is not None:
            self._keep(node.output[0], own)
        if not node.output or node.output[0] not in self._doubtful:
            return
        self._note_inputs(node)
        result = node.output[0]
        is_float = self._is_float(result)
        is_infinite = not self._infinite.isdisjoint(node.input)
        if is_float and (is_infinite or node.op_type == "Log") and node.op_type not in NORMALISING:
            self._infinite.update(node.output)
        if is_float and is_infinite and self._loses_infinity(node):
            self._after[result] = node.op_type
        taken = [name for name in dict.fromkeys(node.input) if name in self._open]
        if node.op_type in self._losses.operators and not (node.op_type == "Cast" and is_float):
            known = {name for names in self._before.values() for name in names}
            if new := [name for name in taken if name not in known]:
                self._before[result] = new
        elif taken and is_float:
            self._open.update(node.output)
        if is_float and self._makes(node, is_infinite=is_infinite):
            self._open.update(node.output)

    def _note_inputs(self, node: onnx.NodeProto) -> None:
        """Follow the infinities of the inputs, and those of which a step may have made NaN."""
        parts = [name for name in node.input if name in self._endless]
        endless = {one for name in parts for one in self._endless[name]}
        troubled = {one for name in node.input for one in self._troubled.get(name, ())}
        if node.op_type in self._losses.operators and not (node.op_type == "Cast" and self._is_float(node.output[0])):
            self._bounded |= troubled
        if not self._is_float(node.output[0]):
            return
        if endless and node.op_type in NORMALISING:
            self._open.update(node.output)
        if node.op_type in SUMS:
            # Where one of the two is infinite only if a doubtful input is, that input tells.
            doubts = all(self._endless[name] - self._troubled.get(name, set()) for name in parts) and len(parts) > 1
            troubled |= endless if doubts else set()
        elif not self._passes(node):
            troubled |= endless
        for name in node.output:
            if endless and node.op_type not in BOUNDED:
                self._endless[name] = endless
            if troubled:
                self._troubled[name] = troubled

    def _passes(self, node: onnx.NodeProto) -> bool:
        """Tell whether the step makes no NaN of one infinity: a product by a constant that is not 0 is such."""
        if node.op_type != "Mul":
            return node.op_type in KEEPING | BOUNDED
        factors = [self._constants[name] for name in node.input if name in self._constants]
        return bool(factors) and float(factors[0].item()) != 0

    def counted(self, node: onnx.NodeProto) -> Iterator[onnx.NodeProto] | None:
        """Return the step with what counts before and after it; None where nothing does."""
        result = node.output[0] if node.output else ""
        if result not in self._before and result not in self._after:
            return None
        return self._with_counts(node)

    def _with_counts(self, node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
        for name in self._before.get(node.output[0], ()):
            yield from _count(name, self._losses)
        yield node
        kind = self._after.get(node.output[0], "")
        if kind in NORMALISING:
            yield from _rows_of_infinities(node)
        elif kind:
            yield from _as_good_as_infinite(node.output[0])

    def _loses_infinity(self, node: onnx.NodeProto) -> bool:
        """Tell whether the engine makes a number of a row of infinities."""
        if node.op_type in EXTREMES:
            return self._losses.loses_infinity
        return node.op_type in NORMALISING and not self._losses.has_is_nan

    def _makes(self, node: onnx.NodeProto, *, is_infinite: bool) -> bool:
        if node.op_type in NORMALISING:
            return is_infinite
        return node.op_type in MAKING and not self._is_safe(node)

    def _is_float(self, name: str) -> bool:
        return self._kinds.get(name, FLOAT) in FLOATS

    def _keep(self, name: str, constant: onnx.TensorProto) -> None:
        import numpy as np
        from onnx import numpy_helper

        if constant.data_type not in FLOATS or constant.data_location == constant.EXTERNAL:
            return
        numbers = numpy_helper.to_array(constant)
        if np.isinf(numbers).any():
            self._infinite.add(name)
        if numbers.size == 1:
            self._constants[name] = numbers

    def _is_safe(self, node: onnx.NodeProto) -> bool:
        """Tell whether a constant keeps the step from making NaN: x / 2, x ** 2."""
        second = self._constants.get(node.input[1]) if len(node.input) > 1 else None
        if second is None:
            return False
        number = float(second.item())
        return number != 0 if node.op_type in ("Div", "Mod") else number >= 0 and number.is_integer()


def _of(value: str) -> str:
    """Return the name of what counts the NaN of a value."""
    return f"{value}_not_numbers"


def _count(value: str, losses: Losses) -> Iterator[onnx.NodeProto]:
    """Yield the steps that count how many of the numbers of `value` are NaN."""
    from onnx import helper

    count = _of(value)
    if losses.has_is_nan:
        yield helper.make_node("IsNaN", [value], [f"{count}_truths"])
    else:
        yield from _finite(value, f"{count}_numbers")
        yield helper.make_node("Not", [f"{count}_numbers"], [f"{count}_truths"])
    yield from steps.sum_of(f"{count}_truths", count)


def _finite(value: str, made: str) -> Iterator[onnx.NodeProto]:
    """Yield steps that mark which numbers of `value` are finite.

    Times 0, the others are NaN, so not 0 or more. Squared, because MNN distinguishes -0 from 0.
    """
    from onnx import helper

    yield steps.scalar(f"{made}_nought", 0.0)
    yield helper.make_node("Mul", [value, f"{made}_nought"], [f"{made}_kept"])
    yield helper.make_node("Mul", [f"{made}_kept"] * 2, [f"{made}_square"])
    yield helper.make_node("GreaterOrEqual", [f"{made}_square", f"{made}_nought"], [made])


def _rows_of_infinities(node: onnx.NodeProto) -> Iterator[onnx.NodeProto]:
    """Yield what counts the rows of which no number is finite: MNN's softmax of such is 0, not NaN."""
    from onnx import helper

    count = _of(node.output[0])
    axis = next((one.i for one in node.attribute if one.name == "axis"), -1)
    yield from _finite(node.input[0], f"{count}_numbers")
    yield helper.make_node("Cast", [f"{count}_numbers"], [f"{count}_ones"], to=steps.INT32)
    yield steps.number(f"{count}_axis", [axis], (1,))
    yield helper.make_node("ReduceSum", [f"{count}_ones", f"{count}_axis"], [f"{count}_of_row"], keepdims=1)
    yield steps.scalar(f"{count}_none", 0, steps.INT32)
    yield helper.make_node("Equal", [f"{count}_of_row", f"{count}_none"], [f"{count}_truths"])
    yield from steps.sum_of(f"{count}_truths", count)


def _infinities(given: str, kind: int) -> Iterator[onnx.NodeProto]:
    """Yield what counts the infinities of an input, and its NaN."""
    from onnx import helper

    if kind == FLOAT:
        yield from _as_good_as_infinite(given)
        return
    single = f"{given}_single"
    yield helper.make_node("Cast", [given], [single], to=FLOAT)
    yield from _as_good_as_infinite(single, _of(given))


def _as_good_as_infinite(value: str, named: str = "") -> Iterator[onnx.NodeProto]:
    """Yield steps that count the largest and the lowest possible numbers.

    Extremes of infinities may become such numbers.
    """
    from onnx import helper

    count = named or _of(value)
    yield steps.scalar(f"{count}_end", LARGEST)
    yield helper.make_node("Abs", [value], [f"{count}_size"])
    yield helper.make_node("Less", [f"{count}_size", f"{count}_end"], [f"{count}_inside"])
    yield helper.make_node("Not", [f"{count}_inside"], [f"{count}_truths"])
    yield from steps.sum_of(f"{count}_truths", count)


def _before(graph: onnx.GraphProto, losing: frozenset[str]) -> set[str]:
    """Return the names of the values that reach a step that loses NaN, directly or through others."""
    found: set[str] = set()
    for node in reversed(graph.node):
        if node.op_type in losing or not found.isdisjoint(node.output):
            found.update(node.input)
    return found
