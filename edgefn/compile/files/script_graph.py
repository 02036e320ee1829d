"""A TorchScript graph run node by node in Python, so that torch.export can follow it with sizes that stay free.

Sizes are Python numbers (torch's symbolic ones while it exports), lists and branches are Python's; operators on
tensors are called as `torch.ops`. A branch on a tensor's value is torch.export's to refuse, as in any network.

Source: torch/csrc/jit/ir/ir.h and register_prim_ops.cpp for what each node means.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch

from edgefn.compile.files import fused_attention
from edgefn.errors import BuildError

Values = dict[str, Any]


class ScriptGraph(torch.nn.Module):
    """The network of `script` as Python; parameters and buffers keep their names. `names` are its inputs in order."""

    def __init__(self, script: torch.jit.ScriptModule, names: Sequence[str], model: str) -> None:
        super().__init__()
        self._source = (script,)  # in a tuple: its parameters, which cannot be swapped, are none of ours
        self._names, self._model = list(names), model
        forward: Any = script.forward
        self._arguments = forward.schema.arguments[1:]
        self._graph = forward.graph.copy()
        torch._C._jit_pass_inline(self._graph)
        self.network = torch.nn.Module()
        self._weights = _adopted(script, self.network)

    def forward(self, *tensors: torch.Tensor) -> Any:
        """Run the graph on the tensors, which are in the order of `names`."""
        given = dict(zip(self._names, tensors, strict=True))
        own, *rest = self._graph.inputs()
        values: Values = {own.debugName(): _Place(())}
        for value, argument in zip(rest, self._arguments, strict=True):
            values[value.debugName()] = given.get(argument.name, argument.default_value)
        self._run(self._graph, values)
        (output,) = self._graph.outputs()
        return values[output.debugName()]

    def _run(self, block: Any, values: Values) -> None:
        for node in block.nodes():
            inputs = [values[value.debugName()] for value in node.inputs()]
            outputs = list(node.outputs())
            found = self._result(node, inputs, values)
            if len(outputs) == 1:
                found = (found,)
            for value, result in zip(outputs, found if outputs else (), strict=True):
                values[value.debugName()] = result

    def _result(self, node: Any, inputs: list[Any], values: Values) -> Any:
        kind = node.kind()
        if kind == "prim::If":
            return self._branch(node, inputs[0], values)
        if kind == "prim::Loop":
            return self._loop(node, inputs, values)
        if kind == "prim::GetAttr":
            return self._attribute(inputs[0], node.s("name"))
        if kind in _NODES:
            return _NODES[kind](node, inputs)
        if kind in _PYTHON and not _has_tensor(inputs):
            return _PYTHON[kind](*inputs)
        return self._operator(node, inputs)

    def _branch(self, node: Any, condition: Any, values: Values) -> Any:
        block = list(node.blocks())[0 if condition else 1]
        self._run(block, values)
        found = [values[value.debugName()] for value in block.outputs()]
        return found[0] if len(found) == 1 else found

    def _loop(self, node: Any, inputs: list[Any], values: Values) -> Any:
        (block,) = node.blocks()
        most, going, *carried = inputs
        number, *names = [value.debugName() for value in block.inputs()]
        count = 0
        while going and count < most:
            values[number] = count
            values.update(zip(names, carried, strict=True))
            self._run(block, values)
            going, *carried = [values[value.debugName()] for value in block.outputs()]
            count += 1
        return carried[0] if len(carried) == 1 else carried

    def _attribute(self, owner: Any, name: str) -> Any:
        path = (*owner.path, name)
        if (whole := ".".join(path)) in self._weights:
            return operator.attrgetter(whole)(self.network)
        (found,) = self._source
        for part in path:
            found = getattr(found, part)
        return _Place(path) if isinstance(found, torch.nn.Module) else found

    def _operator(self, node: Any, inputs: list[Any]) -> Any:
        kind = node.kind()
        space, _, name = kind.partition("::")
        schema = node.schema()
        if schema == "(no schema)":
            raise self._unknown(kind)
        overload = schema.partition("(")[0].partition("::")[2].partition(".")[2] or "default"
        try:
            called = getattr(getattr(getattr(torch.ops, space), name), overload)
        except AttributeError as error:
            raise self._unknown(kind) from error
        named = {one.name: value for one, value in zip(called._schema.arguments, inputs, strict=False)}
        only = {one.name for one in called._schema.arguments if one.kwarg_only}
        return called(
            *(value for key, value in named.items() if key not in only),
            **{key: value for key, value in named.items() if key in only},
        )

    def _unknown(self, kind: str) -> BuildError:
        return BuildError(
            f"model {self._model}: its TorchScript has the step {kind}, which cannot be exported: save a program with "
            "torch.export.save, or ONNX with torch.onnx.export, and return its path"
        )


class _Place:
    """A submodule of the script, by the names that lead to it."""

    def __init__(self, path: tuple[str, ...]) -> None:
        self.path = path


def _adopted(script: torch.jit.ScriptModule, network: torch.nn.Module) -> set[str]:
    """Register each parameter and buffer of `script` in `network` by its name, and return the names.

    torch.export can then swap them.
    """
    tensors: dict[str, torch.Tensor] = dict(script.named_parameters(remove_duplicate=False))
    tensors |= dict(script.named_buffers(remove_duplicate=False))
    for name, tensor in tensors.items():
        *path, leaf = name.split(".")
        owner = network
        for part in path:
            if not hasattr(owner, part):
                owner.add_module(part, torch.nn.Module())
            owner = getattr(owner, part)
        if isinstance(tensor, torch.nn.Parameter):
            owner.register_parameter(leaf, torch.nn.Parameter(tensor.detach(), requires_grad=False))
        else:
            owner.register_buffer(leaf, tensor.detach())
    return set(tensors)


def _has_tensor(values: Iterable[Any]) -> bool:
    return any(isinstance(value, torch.Tensor) for value in values)


def _constant(node: Any, inputs: list[Any]) -> Any:
    value = next(node.outputs())
    return value.toIValue()


def _index(node: Any, inputs: list[Any]) -> Any:
    return inputs[0][inputs[1]]


def _chunks(node: Any, inputs: list[Any]) -> Any:
    return torch.chunk(inputs[0], node.i("chunks"), node.i("dim"))


def _raised(node: Any, inputs: list[Any]) -> Any:
    raise RuntimeError(str(inputs[0]))


def _unpacked(node: Any, inputs: list[Any]) -> Any:
    found = tuple(inputs[0])
    return found[0] if len(found) == 1 else found


def _dictionary(node: Any, inputs: list[Any]) -> Any:
    return dict(zip(inputs[::2], inputs[1::2], strict=True))


def _first(node: Any, inputs: list[Any]) -> Any:
    return inputs[0]


def _append(values: list[Any], value: Any) -> list[Any]:
    values.append(value)
    return values


_NODES: Mapping[str, Callable[[Any, list[Any]], Any]] = {
    "prim::Constant": _constant,
    "prim::ListConstruct": lambda node, inputs: list(inputs),
    "prim::TupleConstruct": lambda node, inputs: tuple(inputs),
    "prim::DictConstruct": _dictionary,
    "prim::ListUnpack": _unpacked,
    "prim::TupleUnpack": _unpacked,
    "prim::TupleIndex": _index,
    "prim::ConstantChunk": _chunks,
    "prim::RaiseException": _raised,
    "prim::Uninitialized": lambda node, inputs: None,
    "prim::unchecked_cast": _first,
    "prim::unchecked_unwrap_optional": _first,
    "prim::NumToTensor": _first,  # a size that a trace made a tensor of: it stays the number that it is
    "prim::Print": lambda node, inputs: None,
    "aten::warn": lambda node, inputs: None,
    "aten::__getitem__": _index,
    "aten::append": lambda node, inputs: _append(*inputs),
    "aten::size": lambda node, inputs: inputs[0].shape[inputs[1]] if len(inputs) > 1 else list(inputs[0].shape),
    "aten::dim": lambda node, inputs: inputs[0].dim(),
    "aten::numel": lambda node, inputs: inputs[0].numel(),
    "aten::len": lambda node, inputs: len(inputs[0]),
    "aten::__is__": lambda node, inputs: inputs[0] is inputs[1],
    "aten::__isnot__": lambda node, inputs: inputs[0] is not inputs[1],
    "aten::is_autocast_enabled": lambda node, inputs: False,
    "aten::is_floating_point": lambda node, inputs: inputs[0].is_floating_point(),
    "aten::format": lambda node, inputs: str(inputs[0]).format(*inputs[1:]),
    "prim::dtype": lambda node, inputs: inputs[0].dtype,
    "prim::device": lambda node, inputs: inputs[0].device,
    "prim::layout": lambda node, inputs: inputs[0].layout,
    "prim::type": lambda node, inputs: inputs[0].type,
    "prim::is_cuda": lambda node, inputs: False,
    "prim::is_nested": lambda node, inputs: False,
    # As if it were trained: nn.Transformer then takes the way that is written with ordinary operators.
    "prim::requires_grad": lambda node, inputs: True,
    "aten::is_grad_enabled": lambda node, inputs: True,
    "aten::_native_multi_head_attention": lambda node, inputs: fused_attention.attention(*inputs),
    "aten::_transformer_encoder_layer_fwd": lambda node, inputs: fused_attention.encoder_layer(*inputs),
    "prim::data": _first,
}

_PYTHON: Mapping[str, Callable[..., Any]] = {
    "aten::add": lambda a, b, alpha=1: a + b if alpha == 1 else a + b * alpha,
    "aten::sub": lambda a, b, alpha=1: a - b * alpha,
    "aten::mul": operator.mul,
    "aten::div": lambda a, b, rounding=None: a // b if rounding else a / b,
    "aten::floordiv": operator.floordiv,
    "aten::floor_divide": operator.floordiv,
    "aten::remainder": operator.mod,
    "aten::neg": operator.neg,
    "aten::pow": operator.pow,
    "aten::eq": operator.eq,
    "aten::ne": operator.ne,
    "aten::lt": operator.lt,
    "aten::le": operator.le,
    "aten::gt": operator.gt,
    "aten::ge": operator.ge,
    "aten::__and__": operator.and_,
    "aten::__or__": operator.or_,
    "aten::__xor__": operator.xor,
    "aten::__not__": operator.not_,
    "aten::__contains__": lambda values, value: value in values,
    "aten::Int": lambda value: value if isinstance(value, torch.SymInt) else int(value),
    "aten::IntImplicit": lambda value: value if isinstance(value, torch.SymInt) else int(value),
    "aten::ScalarImplicit": lambda value: value,
    "aten::Float": lambda value: value if isinstance(value, torch.SymFloat) else float(value),
    "aten::Bool": bool,
    "aten::str": str,
    "aten::floor": math.floor,
    "aten::ceil": math.ceil,
    "aten::sqrt": math.sqrt,
    "aten::list": list,
    "prim::min": min,
    "prim::max": max,
    "aten::any": any,
    "aten::all": all,
    "aten::to": lambda value, *others: value,
    "aten::detach": lambda value: value,
    "aten::keys": lambda value: list(value.keys()),
    "aten::values": lambda value: list(value.values()),
    "aten::items": lambda value: list(value.items()),
}
