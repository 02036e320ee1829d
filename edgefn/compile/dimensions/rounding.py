"""Lengths that forward() computes with fractions, `math.floor(n * 0.7)`: in double precision, as Python does.

The exporter writes them in float32, where 90 * 0.7 is 63.0 and not 62.99999999999999: one element more is taken, for
some lengths alone. `exact` mends the file. Engines that know no doubles compute it so all the same, therefore
`telling` returns lengths that show it, at which every artifact is tried.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from edgefn.compile.dimensions.symbols import dimension, symbols_of
from edgefn.dimensions.expressions import shapes_of
from edgefn.spec import ModelSpec, SizeRange, TensorSpec

if TYPE_CHECKING:
    import onnx_ir as ir
    import torch

FEW = 2
"""Telling lengths of one word."""

LOOKED = 4096
"""Lengths that are looked at."""

_ROUNDED: Mapping[Any, str] = {math.floor: "Floor", math.ceil: "Ceil", math.trunc: "Floor", round: "Round"}
"""Functions of Python by ONNX's; lengths are not negative, so cutting off is rounding down."""

_ARITHMETIC: Mapping[Any, str] = {
    operator.mul: "Mul",
    operator.truediv: "Div",
    operator.add: "Add",
    operator.sub: "Sub",
    operator.pow: "Pow",
}


@contextmanager
def kept() -> Iterator[None]:
    """Let torch.export save and load programs that round lengths, within the block.

    Of Python's functions it knows only trunc.
    """
    from torch._export.serde import serialize

    operators: set[Any] = serialize._SYM_OPS
    added = set(_ROUNDED) - operators
    operators |= added
    try:
        yield
    finally:
        operators -= added


def _rounding(program: torch.export.ExportedProgram) -> list[torch.fx.Node]:
    """Return the steps of `program` that round a number with a fraction to a length."""
    return [
        node
        for node in program.graph.nodes
        if node.op == "call_function" and node.target in _ROUNDED and _is_fraction(node.args[0])
    ]


def _is_fraction(argument: Any) -> bool:
    import torch

    return hasattr(argument, "meta") and isinstance(argument.meta.get("val"), torch.SymFloat)


# ── lengths that show it ──────────────────────────────────────────────────────────────────────────────────────


def telling(program: torch.export.ExportedProgram, spec: ModelSpec, usual: Mapping[str, int]) -> dict[str, list[int]]:
    """Return by word the least lengths for which float32 rounds differently from Python's numbers.

    The other words have their `usual` lengths.
    """
    found: dict[str, list[int]] = {}
    for node in _rounding(program):
        for word in usual:
            lengths = _differing(node, _Sizes(program, spec), word, usual, spec.ranges.get(word, SizeRange()))
            found[word] = sorted({*found.get(word, ()), *lengths})[:FEW]
    return {word: lengths for word, lengths in found.items() if lengths}


def _differing(
    node: torch.fx.Node, sizes: _Sizes, word: str, usual: Mapping[str, int], allowed: SizeRange
) -> Iterator[int]:
    import numpy as np

    count = 0
    for length in range(max(1, allowed.min), min(LOOKED, allowed.max or LOOKED) + 1):
        lengths = {**usual, word: length}
        try:
            if length in allowed and _value(node, sizes, lengths, np.float32) != _value(node, sizes, lengths, float):
                count += 1
                yield length
        except (KeyError, ArithmeticError, ValueError):  # a step or a size that is none of these
            return
        if count == FEW:
            return


class _Sizes:
    """Computes the whole lengths in a program."""

    def __init__(self, program: torch.export.ExportedProgram, spec: ModelSpec) -> None:
        self._symbols = symbols_of(program, spec)
        self._words = list(dict.fromkeys(self._symbols.values()))
        self._known: dict[str, Callable[[Mapping[str, int]], Any]] = {}

    def of(self, node: torch.fx.Node, lengths: Mapping[str, int]) -> int:
        """Return the length that `node` computes. Raises KeyError where it depends on values."""
        if node.name not in self._known:
            size = dimension(node.meta["val"], self._symbols)
            self._known[node.name] = shapes_of([TensorSpec("int64", (size,))], self._words)
        found = self._known[node.name](lengths)[0][0]
        if found is None:
            raise KeyError(node.name)
        return int(found)


def _value(argument: Any, sizes: _Sizes, lengths: Mapping[str, int], kind: Callable[[Any], Any]) -> Any:
    """Return what a step computes where every fraction is of the `kind`."""
    import torch

    if not hasattr(argument, "meta"):
        return kind(argument)
    if argument.target in _ROUNDED and _is_fraction(argument.args[0]):
        return argument.target(float(_value(argument.args[0], sizes, lengths, kind)))
    if isinstance(argument.meta.get("val"), torch.SymInt):
        return kind(sizes.of(argument, lengths))
    if argument.target is torch.sym_float:
        return _value(argument.args[0], sizes, lengths, kind)
    if argument.target not in _ARITHMETIC:
        raise KeyError(argument.name)
    return kind(argument.target(*(_value(one, sizes, lengths, kind) for one in argument.args)))


# ── the file ──────────────────────────────────────────────────────────────────────────────────────────────────


def exact(model: ir.Model, program: torch.export.ExportedProgram) -> None:
    """Let `model`, exported from `program`, compute rounded lengths in double precision."""
    from onnx_ir.passes.common import RemoveUnusedNodesPass

    rounding = _rounding(program)
    if not rounding:
        return
    values: dict[str | None, ir.Value] = {value.name: value for node in model.graph for value in node.outputs}
    for node in rounding:
        if (old := values.get(node.name)) is not None and (producer := old.producer()) is not None:
            try:
                steps, new = _steps(node, values)
            except KeyError:  # a length that is no value of the file: the telling lengths show what that means
                continue
            model.graph.insert_before(producer, steps)
            old.replace_all_uses_with(new)
            values[node.name] = new
    RemoveUnusedNodesPass()(model)


def _steps(node: torch.fx.Node, values: Mapping[str | None, ir.Value]) -> tuple[list[ir.Node], ir.Value]:
    """Return what computes a rounded length from the file's whole ones, and its value."""
    import numpy as np
    import onnx_ir as ir
    import torch

    made: list[ir.Node] = []

    def add(kind: str, inputs: list[ir.Value], **attributes: Any) -> ir.Value:
        name = f"{node.name}_double_{len(made)}"
        output = ir.Value(name=name, type=ir.TensorType(ir.DataType.DOUBLE), shape=ir.Shape([]))
        made.append(ir.node(kind, inputs, attributes or None, outputs=[output], name=f"node_{name}"))
        return output

    def double(argument: Any) -> ir.Value:
        if not hasattr(argument, "meta"):
            return add("Constant", [], value=ir.tensor(np.float64(argument)))
        if argument.target is torch.sym_float:
            return double(argument.args[0])
        if isinstance(argument.meta.get("val"), torch.SymInt):
            return add("Cast", [values[argument.name]], to=ir.DataType.DOUBLE)
        return add(_ARITHMETIC[argument.target], [double(one) for one in argument.args])

    rounded = add(_ROUNDED[node.target], [double(node.args[0])])
    whole = add("Cast", [rounded], to=ir.DataType.INT64)
    whole.dtype = ir.DataType.INT64
    return made, whole
