"""The unlike steps of an ONNX file that compute, side by side in a small file of their own. Never runs one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

from edgefn.compile.lower.rewriting.steps import constant, tensors

if TYPE_CHECKING:
    import onnx

    Constants = Mapping[str, onnx.TensorProto]

ELEMENTWISE = (
    {
        "Abs",
        "Acos",
        "Acosh",
        "Add",
        "And",
        "Asin",
        "Asinh",
        "Atan",
        "Atanh",
        "Cast",
        "Ceil",
        "Celu",
        "Clip",
        "Cos",
        "Cosh",
    }
    | {"Div", "Elu", "Equal", "Erf", "Exp", "Floor", "Gelu", "Greater", "GreaterOrEqual", "HardSigmoid", "HardSwish"}
    | {
        "LeakyRelu",
        "Less",
        "LessOrEqual",
        "Log",
        "Max",
        "Min",
        "Mish",
        "Mod",
        "Mul",
        "Neg",
        "Not",
        "Or",
        "Pow",
        "PRelu",
    }
    | {"Reciprocal", "Relu", "Round", "Selu", "Sigmoid", "Sign", "Sin", "Sinh", "Softplus", "Softsign", "Sqrt", "Sub"}
    | {"Tan", "Tanh", "ThresholdedRelu", "Where", "Xor"}
)
ALONG = {
    "ArgMax",
    "ArgMin",
    "CumSum",
    "LogSoftmax",
    "MatMul",
    "ReduceL1",
    "ReduceL2",
    "ReduceMax",
    "ReduceMean",
    "ReduceMin",
} | {"ReduceProd", "ReduceSum", "ReduceSumSquare", "Softmax", "TopK"}
"""Operators along an axis; their tensors are made small."""
SPATIAL = {
    "AveragePool",
    "GlobalAveragePool",
    "GlobalMaxPool",
    "GridSample",
    "InstanceNormalization",
    "LayerNormalization",
} | {"LpPool", "LRN", "MaxPool", "MeanVarianceNormalization", "Resize"}
"""Operators whose options are about sizes; their tensors have the file's."""

LENGTH = 256
"""Numbers of an elementwise step."""
SIDE = 8
"""Length of the axes of a step along one."""
MAX_ELEMENTS = 65_536
"""Of one tensor; steps of larger ones are left out."""
WHOLE = 2**23
"""Whole numbers up to this every engine takes."""
MAX_STEPS = 64
MAX_CONSTANT = 4096

FLOAT, INT32, INT64, BOOL = 1, 6, 7, 9
"""ONNX's numbers of the types (https://onnx.ai/onnx/api/mapping.html)."""
TAKEN = {FLOAT, INT32, INT64, BOOL}


class Fed(NamedTuple):
    """An input of a step that is given numbers; `place` is which one it is."""

    name: str
    dtype: int
    shape: tuple[int, ...]
    place: int


class EngineStep(NamedTuple):
    """A step alone, with names of its own."""

    node: onnx.NodeProto
    fed: tuple[Fed, ...]
    constants: tuple[onnx.TensorProto, ...]


def unlike(model: onnx.ModelProto, sizes: Mapping[str, int]) -> list[EngineStep]:
    """Return the steps of `model` that compute, one of each kind.

    `sizes` are lengths of its free dimensions.
    """
    graph, values = model.graph, tensors(model)
    constants: dict[str, onnx.TensorProto] = {one.name: one for one in graph.initializer}
    found: dict[bytes, EngineStep] = {}
    for node in graph.node:
        if (own := constant(node)) is not None:
            constants[node.output[0]] = own
        if node.domain or node.op_type not in ELEMENTWISE | ALONG | SPATIAL or len(found) == MAX_STEPS:
            continue
        step = _alone(node, f"step_{len(found)}", values, constants, sizes)
        if step is not None and not _is_product_of_floats(step):
            found.setdefault(_kind(node, step), step)
    return list(found.values())


def together(steps: Sequence[EngineStep], model: onnx.ModelProto) -> onnx.ModelProto:
    """Return a file of the `steps`, none of which follows from another, of the opset of `model`."""
    from onnx import helper

    fed = [one for step in steps for one in step.fed]
    graph = helper.make_graph(
        [step.node for step in steps],
        "steps",
        [helper.make_tensor_value_info(one.name, one.dtype, one.shape) for one in fed],
        [helper.make_empty_tensor_value_info(step.node.output[0]) for step in steps],
        [constant for step in steps for constant in step.constants],
    )
    made: onnx.ModelProto = helper.make_model(
        graph, opset_imports=[one for one in model.opset_import if not one.domain], ir_version=model.ir_version
    )
    return made


def _alone(
    node: onnx.NodeProto,
    name: str,
    values: Mapping[str, onnx.TypeProto.Tensor],
    constants: Constants,
    sizes: Mapping[str, int],
) -> EngineStep | None:
    """Return a step with its constants, and with inputs of its own; None where its types or sizes are unknown."""
    from onnx import NodeProto

    alone = NodeProto()
    alone.CopyFrom(node)
    alone.name = name
    for place, made in enumerate(node.output):
        alone.output[place] = f"{name}_output_{place}" if made else ""
    fed: list[Fed] = []
    kept: list[onnx.TensorProto] = []
    for place, given in enumerate(node.input):
        if not given:
            continue
        alone.input[place] = f"{name}_input_{place}"
        own = constants.get(given)
        if own is not None and _is_beyond(own):
            return None
        if own is not None and _is_kept(node, own):
            kept.append(_renamed(own, alone.input[place]))
            continue
        dtype = own.data_type if own is not None else values[given].elem_type if given in values else 0
        shape = _shape(node, tuple(own.dims) if own is not None else _sizes(values.get(given), sizes))
        if dtype not in TAKEN or shape is None:
            return None
        fed.append(Fed(alone.input[place], dtype, shape, place))
    return EngineStep(alone, tuple(fed), tuple(kept)) if fed else None


def _is_beyond(constant: onnx.TensorProto) -> bool:
    """Tell whole numbers that are counted as they are made (`edgefn.compile.lower.rewriting.exact`)."""
    from onnx import numpy_helper

    if constant.data_type not in (INT32, INT64) or constant.data_location == constant.EXTERNAL:
        return False
    numbers = numpy_helper.to_array(constant)
    return bool(numbers.size and max(int(numbers.max()), -int(numbers.min())) > WHOLE)


def _is_kept(node: onnx.NodeProto, constant: onnx.TensorProto) -> bool:
    import math

    count = math.prod(constant.dims)
    if constant.data_location == constant.EXTERNAL or count > MAX_CONSTANT:
        return False
    return node.op_type not in ELEMENTWISE or count == 1


def _renamed(constant: onnx.TensorProto, name: str) -> onnx.TensorProto:
    from onnx import TensorProto

    made = TensorProto()
    made.CopyFrom(constant)
    made.name = name
    return made


def _sizes(kind: onnx.TypeProto.Tensor | None, sizes: Mapping[str, int]) -> tuple[int, ...] | None:
    if kind is None or not kind.HasField("shape"):
        return None
    found = [sizes.get(one.dim_param, 0) if one.dim_param else one.dim_value for one in kind.shape.dim]
    return tuple(found)


def _shape(node: onnx.NodeProto, shape: tuple[int, ...] | None) -> tuple[int, ...] | None:
    """Return the shape that a step is tried at, for an input of `shape` (0: not known); None for none."""
    import math

    if shape is None:
        return None
    if node.op_type in ELEMENTWISE:
        return (LENGTH,)
    if node.op_type in ALONG:
        return (SIDE,) * len(shape) if len(shape) <= 5 else None
    if node.op_type in ("AveragePool", "MaxPool", "LpPool"):
        shape = (1, 1, *shape[2:])
    return shape if 0 < math.prod(shape) <= MAX_ELEMENTS else None


def _is_product_of_floats(step: EngineStep) -> bool:
    """Tell a product of matrices, which samples judge well; of whole numbers it may be another operator."""
    return step.node.op_type == "MatMul" and step.fed[0].dtype == FLOAT


def _kind(node: onnx.NodeProto, step: EngineStep) -> bytes:
    """Return what makes a step unlike others."""
    attributes: Iterator[bytes] = (one.SerializeToString(deterministic=True) for one in node.attribute)
    fed = str([(one.dtype, one.shape, one.place) for one in step.fed]).encode()
    constants = (
        bytes([one.data_type]) + one.raw_data + str(one).partition("name:")[0].encode() for one in step.constants
    )
    return b"|".join([node.op_type.encode(), fed, *sorted(attributes), *constants])
