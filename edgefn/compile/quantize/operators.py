"""ONNX operators in PyTorch: what is needed to run a network layer by layer, and to train it.

An operator that is not here is run by ONNX Runtime, one node at a time, and gradients do not pass it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from edgefn.compile.quantize.graph import attributes
from edgefn.errors import BuildError

if TYPE_CHECKING:
    import onnx
    import torch

    Tensors = Sequence["torch.Tensor | None"]
    Operator = Callable[[Tensors, dict[str, Any]], "torch.Tensor | tuple[torch.Tensor, ...]"]


def run(node: onnx.NodeProto, inputs: Tensors) -> Sequence[torch.Tensor]:
    """The node's outputs for `inputs`; None among them stands for one left out."""
    operator = OPERATORS.get(node.op_type) if node.domain in ("", "ai.onnx") else None
    if operator is not None:
        with suppress(NotImplementedError):
            made = operator(inputs, attributes(node))
            return made if isinstance(made, tuple) else (made,)
    return _by_onnxruntime(node, inputs)


def trainable(node: onnx.NodeProto) -> bool:
    """Whether gradients pass this node."""
    return node.domain in ("", "ai.onnx") and node.op_type in OPERATORS


def _conv(x: Tensors, a: dict[str, Any]) -> torch.Tensor:
    from torch.nn import functional

    data, weight = x[0], x[1]
    assert data is not None
    assert weight is not None
    spatial = weight.dim() - 2
    pads = _pads(data, weight, a, spatial)
    convolve = (functional.conv1d, functional.conv2d, functional.conv3d)[spatial - 1]
    return convolve(
        _padded(data, pads, spatial),
        weight,
        x[2] if len(x) > 2 else None,
        stride=tuple(a.get("strides", [1] * spatial)),
        dilation=tuple(a.get("dilations", [1] * spatial)),
        groups=a.get("group", 1),
    )


def _pads(data: torch.Tensor, weight: torch.Tensor, a: dict[str, Any], spatial: int) -> list[int]:
    if a.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID", b""):
        raise NotImplementedError("auto_pad")
    return list(a.get("pads", [0] * 2 * spatial))


def _padded(data: torch.Tensor, pads: Sequence[int], spatial: int, value: float = 0.0) -> torch.Tensor:
    from torch.nn import functional

    if not any(pads):
        return data
    pairs = [pads[side * spatial + axis] for axis in reversed(range(spatial)) for side in (0, 1)]
    return functional.pad(data, pairs, value=value)


def patches(data: torch.Tensor, shape: tuple[int, ...], a: dict[str, Any]) -> torch.Tensor:
    """[batch, in, h·w, positions]: what each position of a two-dimensional convolution's output is made of."""
    from torch.nn import functional

    spatial = len(shape) - 2
    data = _padded(data, _pads(data, data, a, spatial), spatial)
    strides, dilations = a.get("strides", [1] * spatial), a.get("dilations", [1] * spatial)
    found = functional.unfold(data, shape[2:], dilation=tuple(dilations), stride=tuple(strides))
    return found.reshape(len(data), data.shape[1], -1, found.shape[-1])


def _pool(x: Tensors, a: dict[str, Any], *, largest: bool) -> torch.Tensor:
    from torch.nn import functional

    data, kernel = x[0], tuple(a["kernel_shape"])
    assert data is not None
    spatial, pads = len(kernel), a.get("pads", [0] * 2 * len(kernel))
    stride = tuple(a.get("strides", [1] * spatial))
    if spatial != 2 or a.get("ceil_mode", 0) or (any(pads) and not largest and not a.get("count_include_pad", 0)):
        raise NotImplementedError("a pooling of another kind")
    data = _padded(data, pads, spatial, float("-inf") if largest else 0.0)
    pooled: torch.Tensor = (functional.max_pool2d if largest else functional.avg_pool2d)(data, kernel, stride)
    return pooled


def _gemm(x: Tensors, a: dict[str, Any]) -> torch.Tensor:
    import torch

    left, right = x[0], x[1]
    assert left is not None
    assert right is not None
    product = (left.T if a.get("transA", 0) else left) @ (right.T if a.get("transB", 0) else right)
    product = product * a.get("alpha", 1.0)
    return torch.as_tensor(product if len(x) < 3 or x[2] is None else product + x[2] * a.get("beta", 1.0))


def _clip(x: Tensors, a: dict[str, Any]) -> torch.Tensor:
    import torch

    low, high = (x[place] if len(x) > place else None for place in (1, 2))
    return torch.clamp(x[0], None if low is None else float(low), None if high is None else float(high))  # type: ignore[arg-type]


def _reshape(x: Tensors, a: dict[str, Any]) -> torch.Tensor:
    data, shape = x[0], x[1]
    assert data is not None
    assert shape is not None
    sizes = [int(size) for size in shape]
    if not a.get("allowzero", 0):
        sizes = [data.shape[axis] if size == 0 else size for axis, size in enumerate(sizes)]
    return data.reshape(sizes)


def _mean(x: Tensors, a: dict[str, Any]) -> torch.Tensor:
    data = x[0]
    assert data is not None
    axes = a.get("axes") or ([int(axis) for axis in x[1]] if len(x) > 1 and x[1] is not None else None)
    return data.mean(dim=list(axes or range(data.dim())), keepdim=bool(a.get("keepdims", 1)))


def _of_one(name: str) -> Operator:
    def operator(x: Tensors, a: dict[str, Any]) -> torch.Tensor:
        import torch

        return getattr(torch, name)(x[0])  # type: ignore[no-any-return]

    return operator


def _of_two(name: str) -> Operator:
    def operator(x: Tensors, a: dict[str, Any]) -> torch.Tensor:
        import torch

        return getattr(torch, name)(x[0], x[1])  # type: ignore[no-any-return]

    return operator


def _softmax(x: Tensors, a: dict[str, Any]) -> torch.Tensor:
    import torch

    assert x[0] is not None
    return torch.softmax(x[0], a.get("axis", -1))


def _flatten(x: Tensors, a: dict[str, Any]) -> torch.Tensor:
    assert x[0] is not None
    axis = a.get("axis", 1)
    return x[0].reshape(x[0].shape[:axis].numel(), -1)


def _transpose(x: Tensors, a: dict[str, Any]) -> torch.Tensor:
    assert x[0] is not None
    return x[0].permute(*a.get("perm", reversed(range(x[0].dim()))))


def _concat(x: Tensors, a: dict[str, Any]) -> torch.Tensor:
    import torch

    return torch.cat([tensor for tensor in x if tensor is not None], a["axis"])


def _hard_sigmoid(x: Tensors, a: dict[str, Any]) -> torch.Tensor:
    import torch

    assert x[0] is not None
    return torch.clamp(x[0] * a.get("alpha", 0.2) + a.get("beta", 0.5), 0, 1)


def _spatial_mean(x: Tensors, a: dict[str, Any]) -> torch.Tensor:
    assert x[0] is not None
    return x[0].mean(dim=tuple(range(2, x[0].dim())), keepdim=True)


def _split(x: Tensors, a: dict[str, Any]) -> tuple[torch.Tensor, ...]:
    import torch

    data, axis = x[0], a.get("axis", 0)
    assert data is not None
    if len(x) > 1 and x[1] is not None:
        return tuple(torch.split(data, x[1].tolist(), dim=axis))
    return tuple(torch.split(data, -(-data.shape[axis] // a["num_outputs"]), dim=axis))


OPERATORS: dict[str, Operator] = {
    "Add": _of_two("add"),
    "AveragePool": lambda x, a: _pool(x, a, largest=False),
    "Clip": _clip,
    "Concat": _concat,
    "Conv": _conv,
    "Div": _of_two("div"),
    "Flatten": _flatten,
    "Gemm": _gemm,
    "GlobalAveragePool": _spatial_mean,
    "HardSigmoid": _hard_sigmoid,
    "Identity": _of_one("clone"),
    "MatMul": _of_two("matmul"),
    "MaxPool": lambda x, a: _pool(x, a, largest=True),
    "Mul": _of_two("mul"),
    "ReduceMean": _mean,
    "Relu": _of_one("relu"),
    "Reshape": _reshape,
    "Sigmoid": _of_one("sigmoid"),
    "Softmax": _softmax,
    "Split": _split,
    "Sub": _of_two("sub"),
    "Tanh": _of_one("tanh"),
    "Transpose": _transpose,
}


def _by_onnxruntime(node: onnx.NodeProto, inputs: Tensors) -> Sequence[torch.Tensor]:
    import numpy as np
    import onnx
    import torch

    from edgefn.backends.onnxruntime import PROVIDER, import_onnxruntime

    if any(x is not None and x.requires_grad for x in inputs):
        raise BuildError(
            f"gradients do not pass the operator {node.op_type} ({node.name}): leave out Quantize(epochs=...)"
        )
    helper = onnx.helper
    arrays = {name: x.detach().numpy() for name, x in zip(node.input, inputs, strict=True) if x is not None}
    given = [
        helper.make_tensor_value_info(name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)
        for name, array in arrays.items()
    ]
    names = [name for name in node.output if name]
    untyped = [onnx.ValueInfoProto(name=name) for name in names]  # the engine finds out what they are
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    model = helper.make_model(helper.make_graph([node], "one", given, untyped), opset_imports=opsets, ir_version=10)
    session = import_onnxruntime().InferenceSession(model.SerializeToString(), providers=[PROVIDER])
    made = dict(zip(names, session.run(names, arrays), strict=True))
    return [torch.from_numpy(np.array(made[name])) if name else torch.empty(0) for name in node.output]
