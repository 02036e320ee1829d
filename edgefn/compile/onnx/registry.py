"""The exporter's table of translations, read fast and once: PyTorch parses the source of 500 functions at each export.

Owns how the table is read, and for how long it is kept: until a library (torchvision) brings more operators. Never what
is in it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any


@contextmanager
def kept() -> Iterator[None]:
    """Let each export within the block start with a copy of the table that the first export read."""
    import torch
    from onnxscript.values import TracedOnnxFunction
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    registry: Any = ONNXRegistry  # neither has an option for it, and mypy forbids to replace a method
    function: Any = TracedOnnxFunction
    read, signature = vars(registry)["from_torchlib"], function.function_ir

    def copied(cls: Any, /, **options: Any) -> Any:
        found = _table(read, len(torch._C._dispatch_get_all_op_names()), **options)
        own = cls()
        own._opset_version = found._opset_version
        own.functions = {target: list(known) for target, known in found.functions.items()}  # an export adds its own
        return own

    registry.from_torchlib = classmethod(copied)
    function.function_ir = property(lambda self: _Signature(self, signature))
    try:
        yield
    finally:
        registry.from_torchlib, function.function_ir = read, signature


@cache
def _table(read: Any, operators: int, **options: Any) -> Any:
    """Return PyTorch's table, as of so many operators that it knows."""
    from torch.onnx._internal.exporter._registration import ONNXRegistry

    return read.__get__(None, ONNXRegistry)(**options)


class _Signature:
    """The parts of its own functions that the exporter reads: mostly the domain, for which it parses the source."""

    def __init__(self, function: Any, signature: Any) -> None:
        self.domain = function.opset.domain
        self._parsed = cache(lambda: signature.__get__(function))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._parsed(), name)
