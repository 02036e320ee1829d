"""ONNX operators in PyTorch: what is needed to run a network layer by layer, and to train it.

An operator that is not here is run by `single`, one node at a time, and gradients do not pass it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from edgefn.compile.quantize.graph.graph import DOMAINS, attributes, reads
from edgefn.errors import BuildError

if TYPE_CHECKING:
    import onnx
    import torch

    from edgefn.compile.quantize.graph.graph import Graph

    Tensors = Sequence["torch.Tensor | None"]
    Operator = Callable[[Tensors, dict[str, Any]], "torch.Tensor | tuple[torch.Tensor, ...]"]


def run(node: onnx.NodeProto, inputs: Tensors, graph: Graph) -> Sequence[torch.Tensor]:
    """Run a node of `graph` and return its outputs.

    `inputs` are the tensors that the node `reads`; None stands for one left out.
    """
    operator = OPERATORS.get(node.op_type) if node.domain in DOMAINS else None
    if operator is not None:
        with suppress(NotImplementedError):
            made = operator(inputs, attributes(node))
            return made if isinstance(made, tuple) else (made,)
    return _single(node, inputs, graph)


def trainable(node: onnx.NodeProto) -> bool:
    """Tell whether gradients pass this node."""
    return node.domain in DOMAINS and node.op_type in OPERATORS


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


def patches(data: torch.Tensor, shape: tuple[int, ...], a: dict[str, Any], most: int) -> torch.Tensor:
    """Return the values that make each position of a convolution's output: [batch, in, window, positions].

    Works for any number of spatial dimensions. If there are more than `most` values, only every second, third, …
    position is taken.
    """
    spatial = len(shape) - 2
    data = _padded(data, _pads(data, data, a, spatial), spatial)
    strides, dilations = a.get("strides", [1] * spatial), a.get("dilations", [1] * spatial)
    for axis, (size, stride, dilation) in enumerate(zip(shape[2:], strides, dilations, strict=True), 2):
        data = data.unfold(axis, (size - 1) * dilation + 1, stride)[..., ::dilation]
    step = _step(data.numel(), data.shape[2 : 2 + spatial], most)
    data = data[(slice(None), slice(None), *[slice(None, None, step)] * spatial)]
    positions, window = range(2, 2 + spatial), range(2 + spatial, 2 + 2 * spatial)
    data = data.permute(0, 1, *window, *positions)
    return data.flatten(2 + spatial).flatten(2, 1 + spatial)


def _step(values: int, sizes: Sequence[int], most: int) -> int:
    """Return the step between the positions that are taken along each axis."""
    step = 1
    while values > most and step < max(sizes):
        step += 1
        kept = [-(-size // step) / size for size in sizes]
        if values * math.prod(kept) <= most:
            break
    return step


def _pool(x: Tensors, a: dict[str, Any], *, largest: bool) -> torch.Tensor:
    from torch.nn import functional

    data, kernel = x[0], tuple(a["kernel_shape"])
    assert data is not None
    spatial, pads = len(kernel), a.get("pads", [0] * 2 * len(kernel))
    stride = tuple(a.get("strides", [1] * spatial))
    unpadded = any(pads) and not largest and not a.get("count_include_pad", 0)
    if a.get("ceil_mode", 0) or any(one != 1 for one in a.get("dilations", [])) or unpadded or spatial > 3:
        raise NotImplementedError("a pooling of another kind")
    if a.get("auto_pad", b"NOTSET") not in (b"NOTSET", b"VALID", b""):
        raise NotImplementedError("auto_pad")
    data = _padded(data, pads, spatial, float("-inf") if largest else 0.0)
    pooled: torch.Tensor = getattr(functional, f"{'max' if largest else 'avg'}_pool{spatial}d")(data, kernel, stride)
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


def _div(x: Tensors, a: dict[str, Any]) -> torch.Tensor:
    import torch

    left, right = x[0], x[1]
    assert left is not None
    assert right is not None
    return torch.div(left, right, rounding_mode=None if left.is_floating_point() else "trunc")


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
    "Div": _div,
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


def _single(node: onnx.NodeProto, inputs: Tensors, graph: Graph) -> Sequence[torch.Tensor]:
    import numpy as np
    import torch

    if any(x is not None and x.requires_grad for x in inputs):
        raise BuildError(
            f"the operator {node.op_type} ({node.name}) does not pass gradients: leave out Quantize(epochs=...)"
        )
    arrays = {name: x.detach().numpy() for name, x in zip(reads(node), inputs, strict=True) if x is not None}
    return [torch.from_numpy(np.array(made)) for made in graph.single.run(node, arrays)]
