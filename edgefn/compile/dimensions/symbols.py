"""torch's symbols for free dimensions, and expressions in them, in the words of a spec: "2*s77" → "2*batch"."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from edgefn.dimensions import expressions
from edgefn.spec import Dimension, ModelSpec

if TYPE_CHECKING:
    import torch

    Symbols = Mapping[str, str]


def symbols_of(program: torch.export.ExportedProgram, spec: ModelSpec) -> dict[str, str]:
    """Return our words ("batch") by torch's names ("s77") of the free dimensions."""
    return {str(actual): declared for actual, declared in _free_sizes(program, spec)}


def lengths_of(program: torch.export.ExportedProgram, spec: ModelSpec) -> dict[str, int]:
    """Return the lengths that the program was exported with, by word."""
    return {
        declared: actual if isinstance(actual, int) else actual.node.hint
        for actual, declared in _free_sizes(program, spec)
    }


def _free_sizes(program: torch.export.ExportedProgram, spec: ModelSpec) -> Iterator[tuple[Any, str]]:
    wanted = set(program.graph_signature.user_inputs)
    placeholders = [node for node in program.graph.nodes if node.op == "placeholder" and node.name in wanted]
    for node, tensor in zip(placeholders, spec.inputs.values(), strict=True):
        for actual, declared in zip(node.meta["val"].shape, tensor.shape, strict=True):
            if isinstance(declared, str):
                yield actual, declared


def output_shapes(program: torch.export.ExportedProgram, spec: ModelSpec) -> list[tuple[Dimension, ...]]:
    """Return the shape of each of the network's outputs, in our words."""
    symbols = symbols_of(program, spec)
    (output,) = (node for node in program.graph.nodes if node.op == "output")
    wanted = set(program.graph_signature.user_outputs)
    values: Any = [node.meta["val"] for node in output.args[0] if node.name in wanted]
    return [tuple(dimension(size, symbols) for size in value.shape) for value in values]


def rename(expression: str, symbols: Symbols) -> str:
    """Replace each whole name of `expression`: "2*s77" → "2*batch"."""
    return re.sub(r"[A-Za-z_]\w*", lambda match: symbols.get(match[0], match[0]), expression)


def dimension(size: Any, symbols: Symbols) -> Dimension:
    """Return a size as a spec has it: a number, or an expression in our words.

    What depends on values, e.g. how many boxes there are, has torch's name for it, which is no input's word.
    """
    if isinstance(size, int):
        return size
    from torch.utils._sympy.printers import PythonPrinter

    text = _plain(rename(PythonPrinter().doprint(size.node.expr), symbols))
    if expressions.is_size(text, symbols.values()):
        return text
    name = re.sub(r"\W+", "_", rename(str(size), symbols)).strip("_")
    return name if name.isidentifier() else f"size_{name}"


def _plain(text: str) -> str:
    """Remove the brackets around the whole of `text`."""
    while text.startswith("(") and text.endswith(")") and _is_closed(text[1:-1]):
        text = text[1:-1]
    return text


def _is_closed(text: str) -> bool:
    depth = 0
    for letter in text:
        depth += (letter == "(") - (letter == ")")
        if depth < 0:
            return False
    return depth == 0
