"""Operators of a captured program that PyTorch itself does not have: torchvision's, or the author's `torch.library`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch

from edgefn.errors import BuildError

_OWN = frozenset(
    {"aten", "inductor", "onnx", "onnx_symbolic", "prim", "prims", "profiler", "quantized", "quantized_decomposed"}
    | {"rngprims", "_c10d_functional", "streams", "flex_lib", "debug_mode_ops"}
)
"""Namespaces that `import torch` registers."""


def foreign(program: torch.export.ExportedProgram) -> Iterator[torch.fx.Node]:
    """Yield the nodes of `program`, and of the branches inside it, that run another library's operator."""
    for module in program.graph_module.modules():
        for node in getattr(module, "graph", torch.fx.Graph()).nodes:
            if _is_foreign(node.target):
                yield node


def name(operator: Any) -> str:
    """Return the name of an operator with its namespace, e.g. "torchvision::nms"."""
    return str(operator._schema.name)


def check_none_foreign(program: torch.export.ExportedProgram, what: str) -> None:
    """Raise BuildError, which begins with `what`, where a box that has PyTorch alone cannot run the program."""
    if names := sorted({name(node.target) for node in foreign(program)}):
        raise BuildError(
            f"{what}: its program has {', '.join(names)}, and the PyTorch of a box has no such operator; leave this "
            "target out of --target, or use one of another backend (onnxruntime, openvino)"
        )


def _is_foreign(target: object) -> bool:
    return isinstance(target, torch._ops.OpOverload) and target.namespace not in _OWN
