"""What a model's builder returned, as the torch.nn.Module that every artifact is held against."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from edgefn.compile.files.kind import kind_of
from edgefn.compile.files.location import located
from edgefn.errors import BuildError

if TYPE_CHECKING:
    from pathlib import Path

    import torch

    from edgefn.compile.files.onnx_capture import OnnxCapture
    from edgefn.spec import ModelSpec


@runtime_checkable
class Traceable(Protocol):
    """A network that torch.export follows in another form."""

    def traceable(self) -> torch.nn.Module: ...


@runtime_checkable
class CapturesItself(Protocol):
    """A network that is no program of PyTorch: it is the source of its artifacts by itself."""

    def captured(self, sizes: Mapping[str, int]) -> OnnxCapture: ...


def opened(result: object, builder: Callable[[], Any], spec: ModelSpec) -> torch.nn.Module:
    """Open the network that `result` of `builder` is or names.

    Raises BuildError if `result` is no network: the error names the type to return.
    """
    import torch

    if isinstance(result, os.PathLike):
        return _of_file(located(result, builder, spec.name), spec)
    if isinstance(result, torch.export.ExportedProgram):
        from edgefn.compile.files.program import ProgramNetwork

        return ProgramNetwork(result, spec)
    if isinstance(result, torch.jit.ScriptModule):
        from edgefn.compile.files.torchscript import ScriptNetwork

        return ScriptNetwork(result, spec)
    if isinstance(result, torch.nn.Module):
        return result.eval()
    raise BuildError(f"model {spec.name}: its builder returned {type(result).__name__}{_instead(result)}")


def _of_file(path: Path, spec: ModelSpec) -> torch.nn.Module:
    match kind_of(path, spec.name):
        case "torchscript":
            from edgefn.compile.files import torchscript

            return torchscript.ScriptNetwork(torchscript.read(path, spec.name), spec)
        case "program":
            from edgefn.compile.files import program

            return program.ProgramNetwork(program.read(path, spec.name), spec)
        case "onnx":
            from edgefn.compile.files.onnx_network import OnnxNetwork

            return OnnxNetwork(path, spec)


def _instead(result: object) -> str:
    """Return advice for a builder that returned `result`, which is no network."""
    if isinstance(result, str):
        return f"; return Path({result!r}) if that is a model file"
    if isinstance(result, dict):
        return ", not a torch.nn.Module; return the network after network.load_state_dict(...), not only the weights"
    if callable(result):
        return ", not a torch.nn.Module; put the function into the forward() of a torch.nn.Module"
    return ", not a torch.nn.Module; return the network itself, or the Path of a model file"
