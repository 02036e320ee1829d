"""The network of an `.onnx` file, run by ONNX Runtime with nothing optimised: what artifacts are held against."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from edgefn.compile.files import onnx_source
from edgefn.compile.files.matching import check, matched
from edgefn.errors import BuildError

if TYPE_CHECKING:
    from edgefn.compile.files.onnx_capture import OnnxCapture
    from edgefn.spec import ModelSpec

FREE = "export it with dynamic_axes={{'{name}': {{{axis}: '{size}'}}}} (dynamic_shapes= for dynamo=True)"


class OnnxNetwork(torch.nn.Module):
    """Takes the model's tensors in their declared order, and returns its outputs by name.

    inputs, outputs   the file's name by each of ours
    """

    def __init__(self, path: Path, spec: ModelSpec) -> None:
        super().__init__()
        what = f"model {spec.name}"
        self.path, self.spec = path, spec
        self.proto = onnx_source.read(path, spec.name)
        found = onnx_source.inputs(self.proto, spec.name)
        self.inputs = matched(list(spec.inputs), list(found), f"{what}: its inputs")
        check(spec.inputs, {name: found[given] for name, given in self.inputs.items()}, what, FREE)
        self.found = found
        self.outputs = output_names(list(onnx_source.outputs(self.proto, spec.name)), spec)
        _ = self._session

    def forward(self, *tensors: torch.Tensor) -> dict[str, torch.Tensor]:
        """Run the file.

        Raises BuildError, in one line, with ONNX Runtime's complaint.
        """
        given = dict(zip(self.inputs.values(), (tensor.numpy() for tensor in tensors), strict=True))
        try:
            arrays = self._session.run(list(self.outputs.values()), given)
        except Exception as error:  # onnxruntime's exceptions have no common class but this
            raise BuildError(
                f"model {self.spec.name}: ONNX Runtime cannot run {self.path.name}: {onnx_source.complaint(error)}"
            ) from error
        return {name: torch.from_numpy(array) for name, array in zip(self.outputs, arrays, strict=True)}

    def captured(self, sizes: Mapping[str, int]) -> OnnxCapture:
        """Return the file as the source of artifacts; see `OnnxCapture.of`."""
        from edgefn.compile.files.onnx_capture import OnnxCapture

        return OnnxCapture.of(self, sizes)

    @cached_property
    def _session(self) -> Any:
        return onnx_source.session(self.path, self.spec.name)


def output_names(found: list[str], spec: ModelSpec) -> dict[str, str]:
    """Return the file's name of each output by our name.

    Our names are the declared ones, else the file's, else "output_0", … Raises BuildError for outputs that are declared
    otherwise, or by the name of an input.
    """
    if spec.outputs:
        if both := [name for name in spec.outputs if name in spec.inputs]:
            raise BuildError(
                f"model {spec.name}: {both[0]} is declared as an input and as an output, which ONNX does not allow: "
                "give the output another name"
            )
        return matched(list(spec.outputs), found, f"model {spec.name}: its outputs")
    numbered = [f"output_{number}" for number in range(len(found))] if len(found) > 1 else ["output"]
    taken = {name for name in found if name.isidentifier()} | set(spec.inputs)
    names = [
        name if name.isidentifier() and name not in spec.inputs else _unused(other, taken)
        for name, other in zip(found, numbered, strict=True)
    ]
    return dict(zip(names, found, strict=True))


def _unused(name: str, taken: set[str]) -> str:
    while name in taken:
        name += "_"
    taken.add(name)
    return name
