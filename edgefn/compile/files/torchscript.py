"""The network of a TorchScript file: run by torch.jit, and exported by way of `script_graph`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from edgefn.backends.torchscript.backend import loaded
from edgefn.compile.author import blame
from edgefn.compile.files.matching import matched
from edgefn.compile.files.script_graph import ScriptGraph
from edgefn.errors import BuildError

if TYPE_CHECKING:
    from edgefn.spec import ModelSpec


def read(path: Path, model: str) -> torch.jit.ScriptModule:
    """Read the module in the file, on the CPU.

    Raises BuildError, in one line, if torch does not read the file.
    """
    try:
        return loaded(path)
    except Exception as error:  # RuntimeError mostly, and others for what is damaged
        raise BuildError(
            f"model {model}: torch {torch.__version__} cannot read {path.name}: {blame.first_line(error)[:200]}; save "
            "it again with torch.jit.save"
        ) from error


class ScriptNetwork(torch.nn.Module):
    """Takes the model's tensors in their declared order, and returns the script's outputs."""

    def __init__(self, script: torch.jit.ScriptModule, spec: ModelSpec) -> None:
        super().__init__()
        self.script = script.eval()
        self.spec = spec
        found = _inputs(script, f"model {spec.name}")
        names = matched(list(spec.inputs), found, f"model {spec.name}: its inputs")
        self._names = list(names.values())

    def forward(self, *tensors: torch.Tensor) -> Any:
        """Run the script.

        Raises BuildError with the last line of torch.jit's error.
        """
        try:
            return self.script(**dict(zip(self._names, tensors, strict=True)))
        except Exception as error:  # torch.jit.Error and RuntimeError, with the script's whole trace
            raise BuildError(f"model {self.spec.name}: its script does not run: {_last_line(error)}") from error

    def traceable(self) -> torch.nn.Module:
        """Return the same network in Python, which torch.export can follow with free sizes."""
        return ScriptGraph(self.script, self._names, self.spec.name)


def _inputs(script: torch.jit.ScriptModule, what: str) -> list[str]:
    """Return the names of the tensors that forward() takes.

    Raises BuildError for an argument of another type that has no default.
    """
    found = []
    forward: Any = script.forward
    for argument in forward.schema.arguments[1:]:
        if str(argument.type) == "Tensor":
            found.append(argument.name)
        elif not argument.has_default_value():
            raise BuildError(
                f"{what}: forward() of the script takes {argument.name}, a {argument.type}, but a model takes only "
                "tensors: wrap the network before it is scripted"
            )
    return found


def _last_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return (lines[-1] if lines else type(error).__name__)[:300]
