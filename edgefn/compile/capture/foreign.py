"""Operators of other libraries in a captured program: replaced by what they do in PyTorch's own, kept, or refused.

composite, or `torch.library.custom_op` in PyTorch     replaced by its body
with a translation to ONNX (torchvision's nms, …)      kept; compilers import the library before they read it
others                                                 refused, with the operator and the author's line
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from edgefn.compile.capture import refusals

if TYPE_CHECKING:
    import torch


def resolved(program: torch.export.ExportedProgram, model: str) -> torch.export.ExportedProgram:
    """Return the program with no operator that ONNX or a compiler's process does not know.

    Raises BuildError.
    """
    from edgefn.compile.capture import operators

    bodies = {node.target: _body(node.target) for node in operators.foreign(program)}
    if not bodies:
        return program
    table = {operator: body for operator, body in bodies.items() if body is not None}
    failed: Exception | None = None
    if table:
        try:
            program = program.run_decompositions(table)
        except Exception as error:  # what the bodies raise: a call into NumPy or C++ cannot be followed
            failed = error
    for node in operators.foreign(program):
        if failed is not None or not _is_translated(node.target):
            raise refusals.foreign(model, operators.name(node.target), node.meta.get("stack_trace") or "") from failed
    return program


def libraries(program: torch.export.ExportedProgram) -> tuple[str, ...]:
    """Return the modules that register the operators of other libraries in `program`."""
    from edgefn.compile.capture import operators

    return tuple(
        sorted(
            {operators.name(node.target).partition("::")[0] for node in operators.foreign(program)} & sys.modules.keys()
        )
    )


def _body(operator: Any) -> Callable[..., Any] | None:
    """Return an operator as a function of PyTorch's operators; None if only a kernel defines it."""
    from torch._library.custom_ops import OPDEFS

    if operator._can_decompose():
        decompose: Callable[..., Any] = operator.decompose
        return decompose
    defined = OPDEFS.get(operator._schema.name)
    return defined._init_fn if defined is not None else None


def _is_translated(operator: Any) -> bool:
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    return bool(ONNXRegistry.from_torchlib().is_registered(operator))
